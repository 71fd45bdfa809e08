"""JSON lines by split: `train.jsonl`, then `train-00001.jsonl` and so on, none larger than services take."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from runtimes.text import well_formed_json

FILE_BYTES = 500 * 1000 * 1000
"""OpenAI takes files of at most 512 MB."""


class JsonLines:
    """Writes records into `folder`, one a line, in their order."""

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES) -> None:
        self.folder = folder
        self.file_bytes = file_bytes
        self._files: dict[str, BinaryIO] = {}
        self._numbers: dict[str, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, split: str, record: Any) -> None:
        line = json_bytes(record) + b"\n"
        file = self._files.get(split)
        if file is None or (file.tell() and file.tell() + len(line) > self.file_bytes):
            file = self._next(split)
        file.write(line)

    def _next(self, split: str) -> BinaryIO:
        if split in self._files:
            self._files[split].close()
        number = self._numbers.get(split, -1) + 1
        name = f"{split}-{number:05}.jsonl" if number else f"{split}.jsonl"
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._stack.enter_context((self.folder / name).open("wb"))
        self._files[split], self._numbers[split] = file, number
        return file


def json_bytes(value: Any) -> bytes:
    """Compact JSON, with lone surrogates, which no UTF-8 file can hold, replaced."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(well_formed_json(msgspec.to_builtins(value)))


def json_text(value: Any) -> str:
    return json_bytes(value).decode()
