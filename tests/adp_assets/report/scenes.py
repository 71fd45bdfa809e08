"""Trajectories for reports, and the data of a written report as the page would read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from adp_assets.execution.frames import trajectory_frame
from adp_assets.report.content import Report
from adp_assets.report.write import write_report
from runtimes.contracts import ExecutionStep, Lineage, TaskSpec, Trajectory, WebRecord
from runtimes.web.page.screenshots import ScreenshotStore

ROUND = "round-0001"

# The smallest JPEG that browsers draw: one grey point.
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d"
    "1a1f1e1d1a1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4"
    "001f0000010501010101010100000000000000000102030405060708090a0bffc400b5100002010303020403050504040000017d"
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435"
    "363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798"
    "999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4"
    "f5f6f7f8f9faffda0008010100003f00fbd0ffd9"
)


def task(task_id: str, description: str = "", *parents: str, **fields: Any) -> TaskSpec:
    """A task; with parents one made from them by the operator `depth`."""
    root = parents[0] if parents else task_id
    lineage = Lineage(
        root_id=root,
        parents=parents,
        operator="depth" if parents else "seed",
        generation=1 if parents else 0,
    )
    return TaskSpec(
        **{
            "task_type": "code",
            "task_id": task_id,
            "description": description or f"Do what {task_id} asks.",
            "lineage": lineage,
            **fields,
        }
    )


def step(number: int = 1, observation: Any = "20", **fields: Any) -> ExecutionStep:
    return ExecutionStep(
        **{
            "step_id": number,
            "action_type": "code_execution",
            "tool_name": "python_executor",
            "action_params": {"code": f"print({number})"},
            "observation": observation,
            "success": True,
            "thought": f"I try number {number}.",
            **fields,
        }
    )


def web_step(number: int, screenshot: str) -> ExecutionStep:
    record = WebRecord(locator="text=Order", url_after="http://shop.test/orders", screenshot=screenshot)
    return step(number, tool_name="click", action_params={"action": "click", "ref": "e6"}, web=record)


def trajectory(task_id: str, steps: Sequence[ExecutionStep] = (), **fields: Any) -> Trajectory:
    """A solved one, unless the fields say otherwise."""
    return Trajectory(
        **{
            "task_id": task_id,
            "runtime_id": "test-runtime",
            "task_type": "code",
            "round": ROUND,
            "outcome": "solved",
            "success": True,
            "verified": True,
            "verifier": "exact",
            "reward": 1.0,
            "teacher": "vllm",
            "model": "test-model",
            "steps": list(steps) or [step()],
            "final_result": "20",
            "prompt": [{"role": "user", "content": f"Do what {task_id} asks."}],
            "created_at": 1_795_000_000.0,
            **fields,
        }
    )


def frame(trajectories: Sequence[Trajectory], tasks: Sequence[TaskSpec] = ()) -> pl.DataFrame:
    known = {each.task_id: each for each in tasks}
    return trajectory_frame(
        trajectories, {t.task_id: known.get(t.task_id) or task(t.task_id) for t in trajectories}
    )


def written(folder: Path, *frames: pl.DataFrame, limit: int = 1_000, **parts: Any) -> Path:
    """The folder of a report on these frames."""
    count = sum(each.height for each in frames)
    report = Report(**{"title": ROUND, "count": count, "trajectories": iter(frames), **parts})
    write_report(folder, report, limit=limit)
    return folder


def data(folder: Path, name: str) -> Any:
    """What a data script hands to the page."""
    text = (folder / "data" / f"{name}.js").read_text(encoding="utf-8")
    head = f'report.receive("{name}",'
    assert text.startswith(head)
    assert text.endswith(");\n")
    return json.loads(text[len(head) : -len(");\n")])


def shown(folder: Path, row: int = 0) -> Any:
    """What the page is given of a row's trajectory."""
    starts = data(folder, "index")["chunks"]
    chunk = max(number for number, start in enumerate(starts) if start <= row)
    own, _ = data(folder, f"trajectories/{chunk:04}")["rows"][row - starts[chunk]]
    return own


def screenshot(folder: Path) -> str:
    """The digest of a picture that is kept in the folder."""
    return ScreenshotStore(folder).put(JPEG)
