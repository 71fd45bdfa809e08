"""Where a recorded web episode still holds: done again by its locators alone, and compared step by step.

Doing it again is the agent loop's, with `recorded.py` for an agent; what counts as the same page is
`compare.py`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from runtimes.builtin import WebRuntime
from runtimes.contracts import ExecutionStep, TaskSpec, Trajectory, WebRecord
from runtimes.errors import PlatformError
from runtimes.perform import perform
from runtimes.prompts import first_page
from runtimes.services import Services
from runtimes.tools.base import COMPLETE_TASK
from runtimes.tools.registry import grants
from runtimes.web.observation.observer import ONLY_CHANGES
from runtimes.web.replay.compare import first_difference, same_text, same_url
from runtimes.web.replay.recorded import AMBIGUOUS, NOT_FOUND, RecordedModel

Verdict = Literal["same", "page_differs", "url_differs", "not_found", "ambiguous", "error", "skipped"]


_ENDS = {COMPLETE_TASK, "finish"}
_PICTURE = "screenshot"


class NotReplayable(PlatformError):
    """A trajectory that holds nothing to do again, and why."""


class StepReplay(Struct, frozen=True, kw_only=True):
    """One recorded step done again, or the opening of the start page, which is step 0.

    `said` tells why it did not hold, `url` where it led; `seconds` is the time it took. `skipped` is a step
    that failed when it was recorded and changed nothing then: repeating it would only wait out its time.
    """

    step_id: int | str
    action: str
    verdict: Verdict
    locator: str = ""
    url: str = ""
    said: str = ""
    seconds: float = 0.0


class Replay(Struct, frozen=True, kw_only=True):
    """What became of a trajectory done again.

    `outcome` is the verdict on the recorded answer in the new world, `recorded_outcome` the one of then;
    `unverified` where nobody could grade, with the reason in `grade_reason`.
    """

    task_id: str
    sample: int
    round: str
    steps: list[StepReplay]
    recorded_outcome: str
    outcome: str
    grade_reason: str

    @property
    def repeated(self) -> list[StepReplay]:
        return [step for step in self.steps if step.verdict != "skipped"]

    @property
    def held(self) -> float:
        """The share, 0 to 1, of the repeated steps that came to the same page."""
        return sum(step.verdict == "same" for step in self.repeated) / len(self.repeated)

    @property
    def all_held(self) -> bool:
        """Every step, and the outcome too where both were graded; never where our own failure ended it."""
        differs = {self.outcome, self.recorded_outcome} == {"solved", "unsolved"}
        return self.held == 1.0 and not differs and self.outcome != "infrastructure_error"


async def replay_trajectory(
    trajectory: Trajectory, services: Services, task: TaskSpec | None = None
) -> Replay:
    """Do the page actions of `trajectory` again and say step by step where they held.

    `services` has `RecordedPages` for browsers, which observe in `recorded_mode`. `task` gives the hosts that
    may be reached and the verifier; without it only public hosts and the bundled sites are open and nothing
    is graded. A step that does not hold does not end the replay: later ones may hold. Raises NotReplayable.
    """
    start, steps = recorded_actions(trajectory)
    repeated = [step for step in steps if step.success or _had_effect(step.web)]
    model = RecordedModel(trajectory, repeated)
    runtime = WebRuntime(replace(services, model=model))
    spec = _task_again(trajectory, task, start, max_steps=max(1, model.replies))
    again = await perform(spec, runtime, services, sample=trajectory.sample, round=trajectory.round)
    found = dict(zip((step.step_id for step in repeated), again.steps, strict=False))
    return Replay(
        task_id=trajectory.task_id,
        sample=trajectory.sample,
        round=trajectory.round,
        steps=[
            _started(start, trajectory, again),
            *(_compared(step, found.get(step.step_id), again) for step in steps),
        ],
        recorded_outcome=trajectory.outcome,
        outcome=again.outcome,
        grade_reason=again.grade_reason or again.error_message or _ungraded(task),
    )


def recorded_mode(trajectory: Trajectory) -> Literal["full", "diff"]:
    """How the agent was shown its pages: what a replay shows can be compared only if it is shown alike."""
    return "diff" if any(ONLY_CHANGES in str(step.observation) for step in trajectory.steps) else "full"


def recorded_actions(trajectory: Trajectory) -> tuple[WebRecord, list[ExecutionStep]]:
    """The record of the start page and the steps that acted on a page. Raises NotReplayable."""
    steps = [step for step in trajectory.steps if step.web is not None and step.tool_name not in _ENDS]
    start = trajectory.metadata.get("start_page")
    acted = any(step.action_type == "browser_action" for step in trajectory.steps)
    if start is None and acted:
        raise NotReplayable(
            f"{trajectory.task_id} has no locators: an older version of the platform made it "
            f"({trajectory.code_version or 'unknown'}).",
            "Run its task again: adp run FILE --again.",
        )
    if start is None:
        raise NotReplayable(
            f"{trajectory.task_id} is no web trajectory: no step of it was on a page.",
            "Name one of a web task.",
        )
    try:
        return msgspec.convert(start, WebRecord), steps
    except msgspec.ValidationError as error:
        raise NotReplayable(f"The start page of {trajectory.task_id} cannot be read: {error}.") from error


def _task_again(trajectory: Trajectory, task: TaskSpec | None, start: WebRecord, max_steps: int) -> TaskSpec:
    """The task with what is known of it, starting where the episode did, with every tool there is."""
    url = start.url_before if start.url_before.startswith(("http://", "https://")) else start.url_after
    known = task or TaskSpec(task_type="web", description=f"Replay of {trajectory.task_id}.")
    return msgspec.structs.replace(
        known,
        task_id=trajectory.task_id,
        task_type="web",
        expected_tools=list(grants()),
        constraints={**known.constraints, "start_url": url},
        max_steps=max_steps,
    )


def _had_effect(record: WebRecord | None) -> bool:
    """Whether a failed step did something all the same: a click that timed out may have gone through."""
    if record is None:
        return False
    moved = bool(record.url_after) and record.url_after != record.url_before
    return bool(moved or record.page_changed or record.dialogs or record.popups or record.downloads)


def _started(start: WebRecord, trajectory: Trajectory, again: Trajectory) -> StepReplay:
    plain = again.metadata.get("start_page")
    if plain is None:
        return StepReplay(step_id=0, action="start", verdict="error", said=again.error_message or "")
    now = msgspec.convert(plain, WebRecord)
    verdict, said = _judged(start, now, first_page(trajectory.prompt), first_page(again.prompt))
    if now.error_class and not start.error_class:
        verdict, said = "error", f"it did not open: {now.error_class}"
    return StepReplay(step_id=0, action="start", verdict=verdict, url=now.url_after, said=said)


def _compared(step: ExecutionStep, now: ExecutionStep | None, again: Trajectory) -> StepReplay:
    assert step.web is not None
    told: dict[str, Any] = {"step_id": step.step_id, "action": step.tool_name, "locator": step.web.locator}
    if not step.success and not _had_effect(step.web):
        return StepReplay(**told, verdict="skipped", said=f"it failed when recorded: {step.error_message}")
    if now is None:
        return StepReplay(**told, verdict="error", said=f"not reached: {again.error_message}")
    url = now.web.url_after if now.web else ""
    if now.web is not None and now.web.error_class in (NOT_FOUND, AMBIGUOUS):
        verdict, said = cast(Verdict, now.web.error_class), now.error_message or ""
    elif now.web is None or (step.success and not now.success):
        verdict, said = "error", now.error_message or ""
    else:
        verdict, said = _judged(step.web, now.web, _shown(step), _shown(now))
    return StepReplay(**told, verdict=verdict, url=url, said=said, seconds=round(now.duration, 3))


def _shown(step: ExecutionStep) -> str:
    """What a step showed of the page: the error of a failed one is not it, nor the size of a picture."""
    return str(step.observation) if step.success and step.tool_name != _PICTURE else ""


def _judged(recorded: WebRecord, now: WebRecord, shown: str, shown_now: str) -> tuple[Verdict, str]:
    """Address first, then the page: by its digest, or by what was shown, visit by visit differences aside."""
    if not same_url(recorded.url_after, now.url_after):
        return "url_differs", f"recorded: {recorded.url_after}; now: {now.url_after}"
    same = recorded.snapshot == now.snapshot if recorded.snapshot else not shown
    if same or (shown and same_text(shown, shown_now)):
        return "same", ""
    return "page_differs", first_difference(shown, shown_now)


def _ungraded(task: TaskSpec | None) -> str:
    return "the task has no verifier" if task else "the task is not in the pool here, so its verifier is not"
