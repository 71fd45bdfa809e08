"""The `adp` command in a project folder of a test's own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adp_resources.settings import Settings
from adp_service.cli.main import main
from tests.adp_service.forking import Forking
from tests.llm_server.process import ROOT

FORKING = Forking()
OWN_VARIABLES = {name.upper() for name in Settings.model_fields} | {"ADP_TRACEBACK"}


@dataclass(frozen=True)
class Ended:
    """How a command ended; `said` is its standard error, where every complaint goes."""

    code: int
    output: str
    said: str


def project(folder: Path, **settings: object) -> Path:
    """Make `folder` a project with these settings in its `.env`."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "dagster.yaml", folder)
    values = {"DAGSTER_HOME": folder / ".dagster", "LLM_RETRY_INITIAL_SECONDS": 0.001, **settings}
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    (folder / ".env").write_text(text, encoding="utf-8")
    return folder


def adp(folder: Path, *arguments: object) -> Ended:
    """Run `adp` there, in a process of its own, with no setting but those of `.env`."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    with tempfile.TemporaryDirectory() as told:
        output, said = Path(told, "output"), Path(told, "said")
        code = FORKING.run([*map(str, arguments)], folder, environment, output, said)
        return Ended(code, output.read_text(encoding="utf-8"), said.read_text(encoding="utf-8"))


def line(task_id: str, **fields: Any) -> str:
    """One line of a task file for the reasoning runtime."""
    plain = {"task_id": task_id, "task_type": "reasoning", "description": f"Do {task_id}.", **fields}
    return json.dumps(plain) + "\n"


def in_this_process(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Runs `adp COMMAND` with arguments in `folder`, in this process, which is sooner there."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DAGSTER_HOME", "")  # the command sets it; this undoes that afterwards

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["adp", command, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return Ended(int(ended.value.code or 0), output.out, output.err)

    return run
