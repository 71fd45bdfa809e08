"""The end of what the `adp` commands of these tests are forked from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adp_service import command


@pytest.fixture(scope="package", autouse=True)
def forking() -> Iterator[None]:
    """Later tests of this process are to find no child of it."""
    yield
    command.FORKING.close()
