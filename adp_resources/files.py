"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtimes.errors import ConfigurationError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and is removed otherwise.

    Raises ConfigurationError for a full disk or a folder that cannot be written.
    """
    temporary = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Free disk space or make the folder writable (OUTPUT_DIR); run again: finished work is kept.",
        ) from error
    finally:
        with suppress(OSError):  # what kept it from being written may keep it from being removed
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` in one move."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)
