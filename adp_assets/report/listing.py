"""The list of trajectories: a row each with what it is found, filtered and sorted by."""

from __future__ import annotations

from typing import Any

from adp_assets.report.encoding import Category, short

CATEGORIES = ("round", "outcome", "error_type", "verifier", "teacher", "split", "dropped")
ERROR_CHARACTERS = 300


class Listing:
    """Rows in the order in which they are added; each names its task by number."""

    def __init__(self) -> None:
        self.errors = Category()
        self._categories = {name: Category() for name in CATEGORIES}
        self._numbers: dict[str, list[float | int | None]] = {
            name: [] for name in ("task", "sample", "reward", "steps", "tokens", "cost", "seconds", "created")
        }

    def add(self, row: dict[str, Any], task: int) -> None:
        """Take a row of `rows.conformed`, of the task with this number."""
        for name, category in self._categories.items():
            category.add(row[name])
        self.errors.add((row["error_message"] or "")[:ERROR_CHARACTERS])
        values = {
            "task": task,
            "sample": row["sample"],
            "reward": short(row["reward"], 3),
            "steps": row["steps"],
            "tokens": (row["prompt_tokens"] or 0) + (row["completion_tokens"] or 0),
            "cost": short(row["cost_usd"], 6),
            "seconds": short(row["total_duration"], 1),
            "created": short(row["created_at"], 0),
        }
        for name, value in values.items():
            self._numbers[name].append(value)

    def __len__(self) -> int:
        return len(self._numbers["task"])

    def columns(self) -> dict[str, Any]:
        """Every column as the page reads it."""
        return {
            **self._numbers,
            **{name: category.encoded() for name, category in self._categories.items()},
        }
