"""The summary that ends a run: what came of the rounds and where it lies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from textwrap import fill

from rich.panel import Panel

from adp_assets.diversity.shown import in_words
from adp_assets.diversity.store import Diversity
from adp_assets.execution.pass_at_k import mean_pass_at_k
from adp_resources.acceptance import Acceptance
from adp_resources.journal import End
from adp_resources.task_stats import TaskRecord
from adp_resources.usage import Taken
from adp_service.cli import made
from adp_service.cli.output import FIELD, console, fields, in_short, shown_path
from adp_service.platform import Platform
from runtimes.agent import OUT_OF_STEPS, OUT_OF_TIME
from runtimes.llm.base import BUILTIN, ChatModel
from runtimes.llm.ledger import Spent

TEACHER = (
    "No LLM is configured, so the BUILT-IN TEACHER acted: a scripted policy that solves the families of "
    "tasks it knows and errs now and then. Its data proves the pipeline; no language model made it. For a "
    "real one set GEMINI_API_KEY, DEEPSEEK_API_KEY, OPENAI_API_KEY or VLLM_URL in .env."
)


def print_summary(platform: Platform, rounds: list[str], chat: ChatModel) -> None:
    """Counts over `rounds`, the places of the files, and how to open the UI."""
    outcomes: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    unverified: Counter[str] = Counter()
    records: list[TaskRecord] = []
    for name in rounds:
        for (_, outcome), count in platform.journal.outcomes(name).items():
            outcomes[outcome] += count
        failed.update(map(_why, platform.journal.ends(name, "unsolved")))
        unverified.update(map(_why, platform.journal.ends(name, "unverified")))
        records += platform.task_stats.within(name)
    episodes, tasks = platform.journal.tried(rounds)
    console.rule(f"[bold]{', '.join(rounds)}")
    fields(
        {
            "tasks": f"{tasks} ({episodes} episodes)",
            "solved": str(outcomes["solved"]),
            **_accepted(platform.journal.acceptance(rounds[-1])),
            "failed": _counted(failed),
            "unverified": _counted(unverified),
            **_spoiled(
                [end for name in rounds for end in platform.journal.ends(name, "infrastructure_error")]
            ),
            **({"cancelled": str(outcomes["cancelled"])} if outcomes["cancelled"] else {}),
            **_rates(records),
            **_dead(platform.dead_letters.in_rounds("dead"), rounds),
            "essences": made.essences(platform, rounds),
            "new tasks": made.new_tasks(platform, rounds),
            **_diversity(platform, rounds),
            "dataset rows": made.dataset_rows(platform, rounds),
            **_spent(platform.usage.by_stage(rounds), chat),
            "model": f"{chat.model} ({chat.provider})",
            "datasets": ", ".join(map(shown_path, _datasets(platform, rounds))) or "none",
            "trajectories": shown_path(platform.settings.output / "trajectories"),
            "the UI": "adp ui   (make ui), then http://127.0.0.1:3000",
        }
    )
    if chat.provider == BUILTIN:
        console.print(Panel(TEACHER, border_style="yellow", title="built-in teacher"), soft_wrap=False)


def _diversity(platform: Platform, rounds: list[str]) -> dict[str, str]:
    """How varied the last of the rounds is."""
    measures = Diversity(platform.database).get(rounds[-1])
    return {"diversity": fill(in_words(measures), FIELD)} if measures else {}


def _accepted(acceptance: Acceptance | None) -> dict[str, str]:
    if acceptance is None:
        return {}
    return {"accepted": accepted_in_words(acceptance)}


def accepted_in_words(acceptance: Acceptance) -> str:
    """How far a target is reached, and what was solved beside it."""
    said = f"{acceptance.accepted} of {acceptance.target}, {acceptance.surplus} surplus"
    return f"{said}, {acceptance.withheld} that no dataset takes" if acceptance.withheld else said


def _spent(taken: list[Taken], chat: ChatModel) -> dict[str, str]:
    """The tokens that were paid, stage by stage, and the money; what came from a cache is in neither."""
    total = sum((each.spent for each in taken), start=Spent())
    stages: Counter[str] = Counter()
    for each in taken:
        stages[each.stage] += each.spent.tokens
    parts = ", ".join(f"{stage} {tokens:,}" for stage, tokens in stages.most_common())
    tokens = f"{total.tokens:,}" + (f" ({parts})" if len(stages) > 1 else "")
    if chat.provider == BUILTIN:
        return {"tokens": f"{tokens}, estimated"}
    cost = "unknown" if total.cost_usd is None else f"{total.cost_usd:.4f} US dollars"
    return {"tokens": tokens, "cost": cost}


def _spoiled(ends: list[End]) -> dict[str, str]:
    """How many episodes our own failures ended, which count against no task, and the last cause."""
    if not ends:
        return {}
    counted = _counted(Counter(end.error_type or "system_error" for end in ends))
    return {"infrastructure": f"{counted}\nlast: {in_short(ends[-1].error_message or '')}"}


def _rates(records: list[TaskRecord]) -> dict[str, str]:
    means = mean_pass_at_k(records)
    return {"pass@k": ", ".join(f"{value:.2f} at {k}" for k, value in means.items())} if means else {}


def _dead(waiting: dict[str, int], rounds: list[str]) -> dict[str, str]:
    count = sum(waiting.get(name, 0) for name in rounds)
    return {"dead letters": f"{count}, see `adp dlq list`"} if count else {}


def _datasets(platform: Platform, rounds: list[str]) -> list[Path]:
    output = platform.settings.output
    rows = output / "assets" / "training_dataset"
    return [output / "datasets" / name for name in rounds if made.rows(rows, [name])]


def _why(end: End) -> str:
    """Why an episode that was not solved ended as it did, in two or three words."""
    message = end.error_message or ""
    if end.outcome == "unverified":
        return "verifier failed" if end.grade_reason else "no verifier"
    if end.error_type is None:
        return "verifier said no"
    if message.startswith((OUT_OF_STEPS, OUT_OF_TIME)):
        return "step limit" if message.startswith(OUT_OF_STEPS) else "time limit"
    return end.error_type


def _counted(reasons: Counter[str]) -> str:
    """`4 (step limit: 3, no verifier: 1)`, the most frequent reason first."""
    kinds = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
    return f"{reasons.total()} ({kinds})" if kinds else "0"
