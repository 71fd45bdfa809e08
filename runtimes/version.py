"""Which code made a record."""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@functools.cache
def code_version() -> str:
    """The package's version and a hash of this package's sources, `0.1.0+1a2b3c4d`.

    A hash of the sources, not of the commit: it is right in an installed copy and with uncommitted changes.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    try:
        release = version("agent-data-platform")
    except PackageNotFoundError:
        release = "0"
    return f"{release}+{digest.hexdigest()[:8]}"
