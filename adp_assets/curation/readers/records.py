"""Records of files, streaming: JSON lines, a JSON document or an array of them, Parquet, folders of these.

What a record means is each format's reader's to say; here it is only found, numbered and, where it is none,
rejected. Lines are held one at a time, a document and an array's bytes whole.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from adp_assets.intake.importers.rows import Reject, Row, read_rows
from runtimes.errors import ConfigurationError
from runtimes.text import shallow

MAX_RECORD_BYTES = 128 << 20
MAX_DOCUMENT_BYTES = 1 << 30
SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".parquet")

_MARK = codecs.BOM_UTF8
_SHOWN = 2_000
"""Characters that are kept of a record that is rejected."""
_ASIDE = {"about", "dataset_info.json"}
"""What the platform's own exports have beside their records."""


@dataclass(frozen=True)
class Record:
    """One object: its file, its number there from 1 (of the line, in JSON lines), and its values."""

    file: Path
    number: int
    value: dict[str, Any]

    def rejected(self, reason: str) -> Rejected:
        return Rejected(self.number, reason, msgspec.json.encode(self.value).decode()[:_SHOWN], self.file)


@dataclass(frozen=True)
class Rejected(Reject):
    """A record that became no trajectory, why, the beginning of it, and the file it is in."""

    file: Path


def read_records(path: Path) -> Iterator[Record | Rejected]:
    """The records of a file, or of all files in a folder, by name.

    Raises ConfigurationError for what is not there, is empty or breaks off.
    """
    if not path.exists():
        raise ConfigurationError(f"There is no {path}.", "Name a file or a folder of trajectories.")
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise ConfigurationError(f"{path} has no files of trajectories.", f"Such are: {', '.join(SUFFIXES)}.")
    for file in files:
        yield from _parquet(file) if file.suffix == ".parquet" else _text(file)


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.name.endswith(SUFFIXES) and path.is_file())
    return sorted(path for path in found if not _ASIDE & set(path.relative_to(folder).parts))


def _parquet(file: Path) -> Iterator[Record | Rejected]:
    for row in read_rows(file):
        if isinstance(row, Row):
            yield Record(file, row.number, row.values)
        else:
            yield Rejected(row.row, row.reason, row.content[:_SHOWN], file)


def _text(file: Path) -> Iterator[Record | Rejected]:
    try:
        with _opened(file) as opened:
            begins = _beginning(opened)
            if not begins:
                raise ConfigurationError(f"{file} is empty.", "Name a file with trajectories.")
            yield from _array(file, opened) if begins.startswith(b"[") else _objects(file, opened, begins)
    except (OSError, EOFError, zlib.error) as error:
        cause = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{file} cannot be read: {cause}.", "Name a whole file.") from error


def _opened(file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file)) if file.suffix == ".gz" else file.open("rb")


def _beginning(opened: IO[bytes]) -> bytes:
    """The first line that says something, up to the longest record."""
    while line := opened.readline(MAX_RECORD_BYTES):
        if said := line.removeprefix(_MARK).strip():
            opened.seek(0)
            return said
    return b""


def _array(file: Path, opened: IO[bytes]) -> Iterator[Record | Rejected]:
    content = opened.read(MAX_DOCUMENT_BYTES + 1).removeprefix(_MARK)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise ConfigurationError(
            f"{file} is one array of more than {MAX_DOCUMENT_BYTES:,} bytes.", "Make it JSON lines."
        )
    try:
        members = msgspec.json.decode(content, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield Rejected(1, f"no JSON array: {error}.", _shown(content), file)
        return
    for number, member in enumerate(members, start=1):
        yield _decoded(file, number, bytes(member))


def _objects(file: Path, opened: IO[bytes], begins: bytes) -> Iterator[Record | Rejected]:
    """JSON lines; or one object over many lines, where the first line alone is none."""
    if isinstance(_decoded(file, 1, begins), Rejected) and begins.startswith(b"{"):
        document = _decoded(file, 1, opened.read(MAX_DOCUMENT_BYTES).removeprefix(_MARK))
        if isinstance(document, Record) or begins == b"{":
            yield document
            return
        opened.seek(0)
    number = 0
    while line := opened.readline(MAX_RECORD_BYTES + 1):
        number += 1
        if len(line) > MAX_RECORD_BYTES:
            while line and not line.endswith(b"\n"):
                line = opened.readline(MAX_RECORD_BYTES)
            yield Rejected(number, f"the line is longer than {MAX_RECORD_BYTES:,} bytes.", "", file)
        elif said := line.removeprefix(_MARK).strip():
            yield _decoded(file, number, said)


def _decoded(file: Path, number: int, content: bytes) -> Record | Rejected:
    try:
        return Record(file, number, shallow(msgspec.json.decode(content, type=dict[str, Any])))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return Rejected(number, f"no JSON object: {error}.", _shown(content), file)


def _shown(content: bytes) -> str:
    return content[:_SHOWN].decode(errors="backslashreplace")
