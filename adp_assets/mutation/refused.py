"""The refusal of a candidate: an answer of the stage, with its reason, and no failure of it."""

from __future__ import annotations

from runtimes.text import readable


class Refused(Exception):
    """No task comes of a proposal; the message says why, for the table of candidates."""

    def __init__(self, reason: str) -> None:
        super().__init__(readable(reason))
