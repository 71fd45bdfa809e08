"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import os
import shutil
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


@contextmanager
def replacing_folder(folder: Path, *, replace: bool = True) -> Iterator[Path]:
    """The same for a whole folder: a temporary one, made empty, that takes the place of what was there.

    Without `replace` nothing may be there by then. Raises ConfigurationError for a full disk or a folder that
    cannot be written, or not replaced; then the old one stands.
    """
    temporary = folder.with_name(f".{folder.name[:80]}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if replace:
            _swap(temporary, folder)
        else:
            temporary.rename(folder)  # which no folder that holds anything lets happen to it
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise ConfigurationError(f"{folder} is there already.", "Choose another name.") from error
        raise ConfigurationError(
            f"The folder {folder} cannot be written: {error.strerror or error}.",
            "Free disk space or make the folder writable (OUTPUT_DIR), then try again.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name[:80]}.{uuid.uuid4().hex[:8]}.old")
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
