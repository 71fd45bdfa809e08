"""A project folder of a test's own, and the `adp` command in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from adp_resources.settings import Settings
from adp_resources.tables import journal
from adp_service.platform import Platform
from tests.e2e.held_model import described

ROOT = Path(__file__).resolve().parents[2]
OWN_VARIABLES = {name.upper() for name in Settings.model_fields}


@dataclass(frozen=True)
class Row:
    """What the journal says of one episode; `started_at` tells one run of it from another."""

    outcome: str
    started_at: float


@dataclass(frozen=True)
class Project:
    """A folder with dagster.yaml, `.env` and whatever tasks a test puts there."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, settings: Mapping[str, object]) -> Project:
        """Lay a project out as `make` does; `settings` go to its `.env`."""
        home = folder / ".dagster"
        home.mkdir(parents=True)
        shutil.copy(ROOT / "dagster.yaml", folder)
        (home / "dagster.yaml").symlink_to("../dagster.yaml")
        lines = [f"{name}={value}\n" for name, value in {"DAGSTER_HOME": home, **settings}.items()]
        (folder / ".env").write_text("".join(lines), encoding="utf-8")
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment without what `.env` is to say."""
        return {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}

    @property
    def platform(self) -> Platform:
        """The platform as a command in this folder opens it."""
        return Platform({"project_root": str(self.folder)})

    def write_tasks(self, name: str, task_ids: Iterable[str], **fields: Any) -> Path:
        """A task file for the held model; the answer it gives is the one that the tasks' verifier wants."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        verifier = {"kind": "numeric", "spec": {"expected": 1}}
        with path.open("a", encoding="utf-8") as file:
            for task_id in task_ids:
                task = {
                    "task_id": task_id,
                    "task_type": "code",
                    "description": described(task_id),
                    "verifier": verifier,
                }
                file.write(json.dumps(task | fields) + "\n")
        return path

    def start_adp(self, *arguments: object) -> subprocess.Popen[str]:
        """Start an `adp` command here, its words on a pipe; whoever starts it ends it."""
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("adp")), *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def adp(self, *arguments: object, status: int = 0) -> str:
        """What an `adp` command said. Fails unless it ended with `status`."""
        with self.start_adp(*arguments) as process:
            said, _ = process.communicate(timeout=120)
        assert process.returncode == status, f"adp {arguments} ended with {process.returncode}:\n{said}"
        return said

    def episodes(self, round: str) -> dict[str, Row]:
        """The journal's rows of a round by task; each task of these tests has one sample."""
        query = sa.select(journal.c.task_id, journal.c.outcome, journal.c.started_at)
        with self.platform.database.read() as connection:
            rows = connection.execute(query.where(journal.c.round == round)).all()
        return {row.task_id: Row(row.outcome, row.started_at) for row in rows}

    def frame(self, asset: str, round: str) -> pl.DataFrame:
        """What an asset holds for a round."""
        return pl.read_parquet(self.folder / "output" / "assets" / asset / f"{round}.parquet")
