"""Columns as the page's list holds them: short to load, quick to filter."""

from __future__ import annotations

from typing import Any


class Category:
    """A column of few different texts: `values` once each, and a number a row. No text is -1."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._rows: list[int] = []

    def add(self, value: str | None) -> None:
        self._rows.append(self._codes.setdefault(value, len(self._codes)) if value else -1)

    def encoded(self) -> dict[str, Any]:
        return {"values": list(self._codes), "codes": self._rows}


def short(value: float | None, digits: int) -> float | int | None:
    """A number without digits that nobody reads; whole ones without a point."""
    if value is None:
        return None
    rounded = round(value, digits)
    return int(rounded) if rounded == rounded // 1 else rounded
