"""How the tests are spread over the processes of `pytest -n`."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class ByFile(LoadScopeScheduling):
    """One file at a time for each process, all of the sandbox's in the same: they count what slots leave."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "tests/sandbox" if path.startswith("tests/sandbox/") else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The sandbox's first: they take one process longest, while the other one does the rest."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/sandbox/"))
