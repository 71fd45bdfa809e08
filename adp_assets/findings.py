"""What a check saw: the shape of every verdict on rows, whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`said` is for people, `faults` are the first offending values; `stops` whether work may not go on."""

    passed: bool
    said: str
    faults: tuple[str, ...] = ()
    stops: bool = True
