"""The rounds of one command: those an earlier one left, then new ones, each following the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adp_assets.rounds import Round, may_follow
from adp_assets.selection.drying import proposals_of
from adp_resources.acceptance import Acceptance
from adp_service.cli.progress import round_progress
from adp_service.driver import (
    Ran,
    Unfinished,
    new_round_name,
    newest_round,
    run_round,
    unfinished,
    why_stopped,
)
from adp_service.platform import Platform


@dataclass(frozen=True)
class Order:
    """What a person asked for: tasks of these `files` and `types`, `samples` episodes each.

    `accept` is how many solved episodes there are to be in the end, `max_tasks` how many tasks may be tried
    for it. Without `rounds` there is one, and with `accept` as many as MAX_ROUNDS allows.
    """

    files: tuple[str, ...] = ()
    rounds: int | None = None
    samples: int | None = None
    types: tuple[str, ...] = ()
    again: bool = False
    accept: int | None = None
    max_tasks: int | None = None


@dataclass
class Campaign:
    """Carries out an order. `say` gets what a person should know meanwhile; `ran` grows round by round."""

    platform: Platform
    order: Order
    say: Callable[[str], None]
    ran: list[Ran] = field(default_factory=list)
    last: Round | None = None

    def go(self) -> list[Ran]:
        """Run until the rounds are done, the target is reached, nothing is left to do, or a new one fails."""
        finished: list[Round] = []
        left_rounds = unfinished(self.platform, set(self.order.files))
        self._aim_last(left_rounds)
        for left in left_rounds:
            ran = self._go_on(left)
            if ran.cancelled or ran.refused:
                return self.ran
            if ran.stopped and left.round.accept:  # another chain would spend as much once more
                self.last = left.round
                return self.ran
            if ran.ok and not left.put_back:
                finished.append(left.round)
        self.last = self._chain_to_go_on_with(finished[-1] if finished else None)
        self._new_rounds(len(finished))
        return self.ran

    def short_of_target(self) -> Acceptance | None:
        """How far the last round's chain has come where solved episodes are still missing."""
        state = self.platform.journal.acceptance(self.last.name) if self.last else None
        return state if state and state.missing else None

    def _aim_last(self, left: list[Unfinished]) -> None:
        """Let the order's target be that of the order it goes on with, which may have had another."""
        mine = [each.round for each in left if each.round.accept and not each.put_back]
        if self.order.accept and mine:
            self._aim(mine[-1])

    def _aim(self, last: Round) -> None:
        """Give the round's chain the order's target, but no lower than what is accepted."""
        state = self.platform.journal.acceptance(last.name)
        if state and self.order.accept:
            self.platform.rounds.aim(last.name, max(self.order.accept, state.accepted))

    def _go_on(self, left: Unfinished) -> Ran:
        name = left.round.name
        if left.put_back:
            self.say(f"Going on with round {name}: {left.put_back} dead letters are tried again.")
        else:
            self.say(f"Going on with round {name}, with all its tasks: it was not finished.")
        ran = self._one(name, {"driver": "command"})
        if ran.failure and not ran.cancelled and not ran.refused:
            self.say(f"Round {name} failed again; other work goes on.")
        return ran

    def _chain_to_go_on_with(self, finished: Round | None) -> Round | None:
        """The round that new ones follow: the one just finished, or one whose chain is short of its target.

        An order with a target goes on with a chain that has one, too, and starts another when that is met.
        """
        accept = self.order.accept
        if accept is None:
            return finished
        last = finished
        if not finished and not self.order.again:
            last = newest_round(self.platform, set(self.order.files))
            last = None if last and why_stopped(self.platform, last.name) else last
        state = self.platform.journal.acceptance(last.name) if last else None
        if last is None or state is None:
            return None
        if not state.missing:
            return finished if accept <= state.target else None
        if not finished:
            self.say(f"Going on after {last.name}: {state.accepted} are accepted so far.")
        self._aim(last)
        return last

    def _new_rounds(self, finished: int) -> None:
        """As many as are asked for beyond the `finished` ones, in the chain of the last of these."""
        count = self._rounds_in_all(finished) - finished
        if self.last:
            self.platform.rounds.extend(self.last.name, self.last.number + count)
            self.last = self.platform.rounds.get(self.last.name)
        for _ in range(count):
            if reason := self._why_no_more():
                self.say(reason)
                return
            if self._is_done():
                return
            ran = self._one(new_round_name(self.platform), self._config())
            self.last = self.platform.rounds.get(ran.round)
            if not ran.ok:
                return

    def _rounds_in_all(self, finished: int) -> int:
        if self.order.rounds:
            return self.order.rounds
        if self.order.accept:
            return self.platform.settings.max_rounds
        if self.last and self.last.accept:
            return finished + self.last.max_rounds - self.last.number
        return 1

    def _is_done(self) -> bool:
        """Whether the target is reached or, before the first round, no task waits."""
        if self.last:
            return self.last.accept is not None and not self.short_of_target()
        waiting = self.platform.pool.pending(self.order.files, self.order.types)
        if waiting and not self.order.again and not self.platform.pool.pending_seeds(self.order.files):
            self.say(
                f"The files' own tasks have all been run; {waiting} tasks made from them wait and come now. "
                "(--again runs the files' own anew.)"
            )
        return not waiting and not self.order.again

    def _why_no_more(self) -> str:
        """Why no round may follow the last one, though more are asked for; empty where one may."""
        if self._tasks_left() == 0:
            return (
                f"{self.order.max_tasks} tasks were tried, which is as many as were asked for (--max-tasks)."
            )
        if self.last is None or self._is_done():
            return ""
        reason = self._why_not(self.last)
        return f"No round follows {self.last.name}: {reason}." if reason else ""

    def _why_not(self, last: Round) -> str | None:
        if not self.platform.settings.feedback_enabled:
            return "FEEDBACK_ENABLED is off"
        chain = self.platform.rounds.chain(last.name)
        spent = self.platform.usage.of_rounds(link.name for link in chain)
        return may_follow(
            last,
            pending=self.platform.pool.pending(self.order.files, self.order.types),
            in_review=self.platform.pool.in_review(self.order.files, self.order.types),
            spent_usd=spent.cost_usd,
            max_spend_usd=self.platform.settings.max_round_cost_usd,
            tokens=spent.tokens,
            max_tokens=self.platform.settings.round_token_limit,
            proposals=proposals_of(self.platform.database, last.name),
            min_novelty=self.platform.settings.min_novelty,
        )

    def _one(self, name: str, config: dict[str, Any]) -> Ran:
        with round_progress(self.platform, name):
            ran = run_round(self.platform, name, config)
        self.ran.append(ran)
        return ran

    def _config(self) -> dict[str, Any]:
        """How the next round is to be planned; see `RoundConfig`."""
        return {
            "types": list(self.order.types),
            "samples": self.order.samples or 0,
            "driver": "command",
            "task_files": list(self.order.files),
            "only_these_files": bool(self.order.files),
            "again": self.order.again and not self.last,
            "follows": self.last.name if self.last else "",
            "max_rounds": self._rounds_in_all(0),
            "accept": self.order.accept or 0,
            "max_tasks": self._tasks_left() or 0,
        }

    def _tasks_left(self) -> int | None:
        """How many more tasks this order may try; None where it may try all."""
        if self.order.max_tasks is None:
            return None
        _, tasks = self.platform.journal.tried([ran.round for ran in self.ran])
        return max(self.order.max_tasks - tasks, 0)
