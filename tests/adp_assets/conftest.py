"""A database file and a pool of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adp_assets.intake.pool import TaskPool
from adp_resources.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/adp.sqlite")
    database.upgrade()
    yield database
    database.close()


@pytest.fixture
def pool(database: Database) -> TaskPool:
    return TaskPool(database)
