"""Evaluation sets as items: every text in them that says enough to be recognised."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from adp_assets.curation.decontamination.files import evaluation_files, rows_of
from runtimes.errors import ConfigurationError

SHORTEST = 4
"""Words with a letter that an item must have; where a language writes no spaces, two characters count as one.

Less is an id, an address, an option's letter or an answer like "42", which would be found everywhere.
"""
_CHARACTER = re.compile(r"[\u2e80-\U0010ffff]")
_LETTER = re.compile(r"[^\W\d_]")


class Item(NamedTuple):
    """A text of an evaluation set: in which file below the folder, line or row from 1, and field it is."""

    file: str
    place: int
    field: str
    text: str


@dataclass(frozen=True)
class EvaluationSet:
    """The items of a folder, in the order of its files.

    `left_out` is how many texts were no items as they are too short, by file.
    """

    items: tuple[Item, ...]
    left_out: Mapping[str, int]

    @classmethod
    def read(cls, folder: Path, fields: Sequence[str] = ()) -> EvaluationSet:
        """Every text of every JSONL, JSON and Parquet file below the folder, at any depth of its rows.

        `fields` takes only what is in fields of these names, or below dotted paths such as `eval.answers`;
        a list's elements are in the list's field. Raises ConfigurationError for a folder without items and
        for a file that cannot be read.
        """
        items: list[Item] = []
        left_out: Counter[str] = Counter()
        for path in evaluation_files(folder):
            file = path.relative_to(folder).as_posix()
            for place, value in rows_of(path):
                for field, text in _texts(value):
                    if fields and not any(_is_within(field, name) for name in fields):
                        continue
                    if says_enough(text):
                        items.append(Item(file, place, field, text))
                    else:
                        left_out[file] += 1
        if not items:
            raise ConfigurationError(
                f"No text in the folder of evaluation sets {folder} has {SHORTEST} words"
                + (f" in a field {', '.join(fields)}." if fields else "."),
                "Name fields that hold the sets' questions, or put the sets there."
                if fields
                else "Put the sets there.",
            )
        return cls(tuple(items), dict(left_out))

    def digest(self) -> str:
        """Equal for the same items in the same files and places; 32 hexadecimal digits."""
        digest = hashlib.sha256()
        for item in self.items:
            for part in item:
                digest.update(str(part).encode("utf-8") + b"\0")
        return digest.hexdigest()[:32]


def says_enough(text: str) -> bool:
    """Whether a text has the words of an item: `SHORTEST`."""
    words = 0.0
    for piece in text.split():
        characters = len(_CHARACTER.findall(piece))
        words += characters / 2 if characters else bool(_LETTER.search(piece))
        if words >= SHORTEST:
            return True
    return False


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """The strings in a row with the dotted paths of their fields; a lone surrogate as `?`."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        field, inner = waiting.pop()
        if isinstance(inner, str):
            yield field, inner.encode("utf-8", "replace").decode()
        elif isinstance(inner, Mapping):
            named = [(f"{field}.{name}" if field else str(name), each) for name, each in inner.items()]
            waiting.extend(reversed(named))
        elif isinstance(inner, Sequence) and not isinstance(inner, bytes):
            waiting.extend((field, each) for each in reversed(inner))


def _is_within(field: str, name: str) -> bool:
    return field == name or field.startswith(f"{name}.") or field.rpartition(".")[2] == name
