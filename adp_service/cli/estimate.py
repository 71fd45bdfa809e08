"""`adp run --estimate`: what a run would take in tokens and money, told before anything is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer
from rich.table import Column, Table

from adp_assets.estimate import WIDE, Estimate, Expected, Load, Tokens, estimate
from adp_assets.intake.assets import task_files
from adp_assets.intake.task_files import IntakeReport
from adp_assets.rounds import Round
from adp_assets.workload import ACCEPTED, SOLVED, TEACHING, Course, new_rounds, rest_of_round, still_wanted
from adp_service.cli.campaign import Order
from adp_service.cli.output import console, fields, note
from adp_service.driver import Unfinished, newest_round, unfinished
from adp_service.platform import Platform
from runtimes.llm.base import ChatModel
from runtimes.llm.prices import Prices, read_prices


def print_estimate(
    platform: Platform,
    order: Order,
    chat: ChatModel,
    report: Callable[[list[IntakeReport]], None],
    *,
    as_json: bool,
) -> None:
    """Print what the order would take. No task is taken in, no round planned and no model asked.

    `report` is told what would become of the lines that were not read yet. Exits with 1 when nothing is to be
    done and some of them are no tasks.
    """
    intake = [IntakeReport(Path(path)) for path in order.files]
    found = estimate(_loads(platform, order, intake), _Past(platform, chat.model), _Cost(platform, chat))
    report(intake)
    if as_json:
        plain = {"model": chat.model, "provider": chat.provider, **msgspec.to_builtins(found)}
        typer.echo(msgspec.json.format(msgspec.json.encode(plain)))
    elif found.loads:
        _show(found, chat)
        _say_limits(platform, found)
    else:
        console.print("Nothing to do: no task waits, so nothing would be spent.")
    if not found.loads and any(each.rejected for each in intake):
        raise typer.Exit(1)


def _loads(platform: Platform, order: Order, intake: list[IntakeReport]) -> list[Load]:
    """What `adp run` would do: rounds that were left, then new ones."""
    settings = platform.settings
    loads: list[Load] = []
    left = unfinished(platform, set(order.files))
    wanted = _wanted(platform, order, left)
    rounds = order.rounds or (settings.max_rounds if order.accept else 1)
    course = Course(
        rounds=max(rounds - len(left), 0),
        samples=order.samples or settings.samples,
        size=min(order.max_tasks or settings.round_size, settings.round_size),
        mutations=settings.mutations_per_essence,
        trials=settings.trial_samples,
    )
    for each in left:
        own = wanted if each.round.accept else None
        episodes, tasks = _episodes_left(platform, each.round)
        rest = rest_of_round(each.round.name, episodes, tasks, msgspec.structs.replace(course, accept=own))
        loads += rest
        wanted = still_wanted(own, rest) if each.round.accept else wanted
    feeds = settings.feedback_enabled or rounds == 1
    new = msgspec.structs.replace(course, mutations=course.mutations if feeds else 0, accept=wanted)
    return loads + new_rounds(_waiting(platform, order, intake), new)


def _wanted(platform: Platform, order: Order, left: list[Unfinished]) -> int | None:
    """How many solved episodes are missing: a chain that the order goes on with has some of them already."""
    if order.accept is None:
        return None
    chains = [each.round for each in left if each.round.accept]
    last = chains[-1] if chains else None
    if not left and not order.again:
        last = newest_round(platform, set(order.files))
    state = platform.journal.acceptance(last.name) if last else None
    if state is None or not (chains or state.missing):
        return order.accept
    return max(order.accept - state.accepted, 0)


def _episodes_left(platform: Platform, planned: Round) -> tuple[Counter[str], Counter[str]]:
    """Episodes of a planned round without a result, and its tasks, each by task type.

    Dead letters wait for a person, and are not run.
    """
    counts = platform.rounds.task_counts(planned.name)
    held = Counter(
        letter.task_type
        for letter in platform.dead_letters.all(["dead", "discarded"])
        if letter.round == planned.name
    )
    left = {
        kind: n * planned.samples - len(platform.journal.finished(planned.name, kind)) - held[kind]
        for kind, n in counts.items()
    }
    return Counter({kind: max(count, 0) for kind, count in left.items()}), Counter(counts)


def _waiting(platform: Platform, order: Order, intake: list[IntakeReport]) -> Counter[str]:
    """Tasks a new round would take, by type: of the pool, and of lines that were not read yet."""
    tasks = platform.pool.seeds if order.again else platform.pool.pending_by_type
    waiting = tasks(order.files, order.types)
    reader = task_files(platform.pool, platform.settings)
    for report in intake:
        for task in reader.preview(report):
            if not order.types or task.task_type in order.types:
                waiting[task.task_type] += 1
    return waiting


class _Past:
    """What the same model was paid for before."""

    def __init__(self, platform: Platform, model: str) -> None:
        self.usage = platform.usage
        self.model = model

    def __call__(self, load: Load) -> Sequence[Tokens]:
        if load.unit == "calls":
            return self.usage.of_calls(load.what, self.model)
        return self.usage.of_episodes(load.what, self.model)


class _Cost:
    """What tokens cost by today's price."""

    def __init__(self, platform: Platform, chat: ChatModel) -> None:
        self.prices = Prices(read_prices(platform.settings.llm_prices))
        self.chat = chat

    def __call__(self, prompt: float, completion: float) -> float | None:
        return self.prices.cost(self.chat.provider, self.chat.model, round(prompt), round(completion))


def _show(found: Estimate, chat: ChatModel) -> None:
    right: Any = {"justify": "right", "no_wrap": True}
    table = Table(
        *(Column("round", no_wrap=True), Column("work", no_wrap=True), Column("tokens", **right)),
        *(Column("from - to", **right), Column("US$", **right), Column("from - to", **right)),
        Column("past", **right),
        box=None,
        pad_edge=False,
    )
    shown = ""
    for each in found.loads:
        load = each.load
        name, shown = load.round if load.round != shown else "", load.round
        past = str(each.past) if each.past else "-"
        work = f"{load.likely:,} {load.what}" + (" trials" if load.unit == "trials" else "")
        table.add_row(name, work, *_figures(each), past)
    table.add_row("all", "", *_figures(found), "", style="bold")
    console.print(table)
    fields({"model": f"{chat.model} ({chat.provider})"})
    if any(not each.past for each in found.loads):
        note(
            f"Assumed where nothing like it was paid for with {chat.model}: the range goes from {WIDE:g} "
            f"times less to {WIDE:g} times more."
        )
    if any(each.load.unit == "calls" for each in found.loads):
        note(
            f"Taken to be solved: {SOLVED:.0%} of the tasks; to give an essence: {TEACHING:.0%}; to pass the "
            f"gates: {ACCEPTED:.0%} of the new ones. The range goes from none to all."
        )
    if found.usd is None:
        note(f"The price of {chat.model} is not known: set it in LLM_PRICES to have dollars, too.")


def _figures(found: Estimate | Expected) -> tuple[str, str, str, str]:
    tokens = f"{_short(found.least_tokens)} - {_short(found.most_tokens)}"
    if found.usd is None or found.least_usd is None or found.most_usd is None:
        return _short(found.tokens), tokens, "unknown", ""
    return _short(found.tokens), tokens, f"{found.usd:.2f}", f"{found.least_usd:.2f} - {found.most_usd:.2f}"


def _short(number: int) -> str:
    """Three digits of a number, as in 14.1k and 1.35M."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:#.3g}".rstrip(".") + unit
    return str(number)


def _say_limits(platform: Platform, found: Estimate) -> None:
    """Which limit of a round all this could run into."""
    limits = platform.settings.limits()
    if limits.round_tokens is not None and found.most_tokens > limits.round_tokens:
        note(f"A round stops at {limits.round_tokens:,} tokens (ROUND_TOKEN_LIMIT).")
    if limits.round_usd is not None and (found.most_usd is None or found.most_usd > limits.round_usd):
        note(f"A round stops at {limits.round_usd:.2f} US dollars (MAX_ROUND_COST_USD).")
