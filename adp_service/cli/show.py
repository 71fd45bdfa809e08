"""`adp show`: one trajectory, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer
from rich.markup import escape

from adp_resources.task_stats import TaskRecord
from adp_service.cli.output import console, fields
from adp_service.cli.trajectories import NAMES, find_trajectory
from adp_service.platform import Platform
from runtimes.contracts import ExecutionStep, Trajectory, WebRecord, trajectory_to_json
from runtimes.web.page.screenshots import FOLDER

SHOWN = 600


def show(
    trajectory: Annotated[str, typer.Argument(help=NAMES)],
    full: Annotated[bool, typer.Option("--full", help="Do not shorten observations and arguments.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The trajectory as JSON.")] = False,
) -> None:
    """Show one trajectory: thoughts, calls, observations and the verdict."""
    platform = Platform({})
    found = find_trajectory(platform, trajectory)
    if as_json:
        typer.echo(trajectory_to_json(found))
        return
    limit = None if full else SHOWN
    _head(found, limit, None if Path(trajectory).is_file() else platform.task_stats.get(found.task_id))
    for step in found.steps:
        _step(step, limit)
    _verdict(found)


def _head(trajectory: Trajectory, limit: int | None, record: TaskRecord | None) -> None:
    console.rule(f"[bold]{escape(trajectory.task_id)}")
    task = next((m["content"] for m in trajectory.prompt if m.get("role") == "user"), "")
    rows = {
        "round": f"{trajectory.round or '-'}, sample {trajectory.sample}",
        "runtime": trajectory.runtime_id,
        "model": f"{trajectory.model} ({trajectory.teacher})",
        "task": _short(task, limit),
    }
    if record and record.pass_rate is not None:
        rows["solved"] = (
            f"{record.solved} of {record.verified} verified tries over all rounds "
            f"(pass rate {record.pass_rate:.2f}, difficulty {record.difficulty:.2f})"
        )
    fields(rows)


def _step(step: ExecutionStep, limit: int | None) -> None:
    mark = "[green]ok[/]" if step.success else f"[red]{step.error_type or 'failed'}[/]"
    name = step.tool_name or "answer without a call"
    console.print(f"\n[bold]{step.step_id}. {escape(name)}[/] {mark} [dim]{step.duration:.2f} s[/]")
    if step.thought:
        console.print(f"[italic]{escape(indent(_short(step.thought, limit), '   '))}[/]")
    if step.action_params:
        console.print(f"[cyan]{escape(indent(_short(_plain(step.action_params), limit), '   '))}[/]")
    if step.web is not None and (told := _told(step.web)):
        console.print(f"[dim]{escape(indent(told, '   '))}[/]", soft_wrap=True)
    if step.observation:
        text = _short(str(step.observation), limit)
        console.print("\n".join(f"   [dim]|[/] {escape(line)}" for line in text.splitlines()))


def _told(web: WebRecord) -> str:
    """What the record of a step on a page has beyond its observation."""
    picture = f"{FOLDER}/{web.screenshot[:2]}/{web.screenshot}.jpg" if web.screenshot else ""
    lines = {
        "on": web.locator,
        "to": web.to_locator,
        "led to": web.url_after if web.url_after != web.url_before else "",
        "fault": web.error_class,
        "blocked": ", ".join(web.blocked),
        "picture": picture,
    }
    return "\n".join(f"{name} {text}" for name, text in lines.items() if text)


def _verdict(trajectory: Trajectory) -> None:
    console.print()
    answer = "" if trajectory.final_result is None else str(trajectory.final_result)
    rows = {
        "answer": _short(answer, SHOWN),
        "outcome": trajectory.outcome + (" (surplus)" if trajectory.surplus else ""),
        "verdict": f"{trajectory.verifier or 'none'}: {trajectory.grade_reason or 'not graded'}",
        "reward": "none" if trajectory.reward is None else f"{trajectory.reward:g}",
        "took": f"{trajectory.total_duration:.2f} s, "
        f"{trajectory.prompt_tokens + trajectory.completion_tokens:,} tokens",
    }
    if trajectory.error_type:
        rows["error"] = f"{trajectory.error_type}: {trajectory.error_message}"
    fields(rows)


def _plain(params: dict[str, Any]) -> str:
    if list(params) in (["code"], ["command"], ["answer"]):
        return str(next(iter(params.values())))
    return json.dumps(params, ensure_ascii=False)


def _short(text: str, limit: int | None) -> str:
    return text if limit is None or len(text) <= limit else f"{text[:limit]} [... {len(text) - limit} more]"
