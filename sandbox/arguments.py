"""Checks what callers give, where they give it: later it would fail in a slot, or mean something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.contracts import Limits

MOST_SLOTS = 10_000


def check_slots(slots: Any) -> None:
    """Raises ValueError unless it is a number of slots."""
    if not isinstance(slots, int) or isinstance(slots, bool) or not 1 <= slots <= MOST_SLOTS:
        raise ValueError(f"slots is {slots!r}. Give a whole number, at least 1 and at most {MOST_SLOTS}.")


def check_words(name: str, words: Any, example: str, kinds: tuple[type, ...] = (str,)) -> None:
    """Raises TypeError unless the argument `name` is some words: one alone would be taken for its letters."""
    if isinstance(words, str | bytes | Mapping) or not isinstance(words, Iterable):
        raise TypeError(f"{name} is {words!r:.200}. Give a list, such as {name}={example}.")
    for word in words:
        if not isinstance(word, kinds):
            raise TypeError(f"{name} holds {word!r:.200}. Give words only, such as {name}={example}.")


def check_text(name: str, text: Any) -> None:
    """Raises TypeError unless the argument `name` is text, or not given."""
    if text is not None and not isinstance(text, str | bytes):
        raise TypeError(f"{name} is {text!r:.200}. Give the text of the program.")


def check_files(files: Any) -> None:
    """Raises TypeError unless it is paths and their bytes, or not given."""
    if files is None:
        return
    if not isinstance(files, Mapping):
        raise TypeError(f'files is {files!r:.200}. Give paths and their bytes, such as {{"in.csv": b"1,2"}}.')
    for path, data in files.items():
        check_file(path, data)


def check_file(path: Any, data: Any) -> None:
    """Raises TypeError unless it is a path and bytes."""
    if not isinstance(path, str):
        raise TypeError(f"The path of a file is {path!r:.200}. Give it as a str.")
    if not isinstance(data, bytes | bytearray | memoryview):
        kind = type(data).__name__
        way_out = "text.encode()" if isinstance(data, str) else 'such as b"1,2"'
        raise TypeError(f"The file {path!r} is given as {kind}. Give bytes, {way_out}.")


def check_limits(limits: Any) -> None:
    """Raises TypeError unless it is limits, or not given."""
    if limits is not None and not isinstance(limits, Limits):
        raise TypeError(f"limits is {limits!r:.200}. Give sandbox.Limits, such as Limits(memory_mb=256).")
