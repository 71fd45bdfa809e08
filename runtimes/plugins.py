"""How users add their own runtime, tool, verifier or operator: entry points, the built-in ones included."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points
from typing import Any

from runtimes.errors import ConfigurationError


@functools.cache
def load(group: str) -> dict[str, Any]:
    """Everything registered under a group, by name; a user's own replaces a built-in of its name.

    Raises ConfigurationError naming the package whose entry point does not import.
    """
    found: dict[str, Any] = {}
    points = sorted(entry_points(group=group), key=lambda point: not _is_builtin(point.value))
    for point in points:
        try:
            found[point.name] = point.load()
        except Exception as error:
            package = point.dist.name if point.dist else "an unknown package"
            raise ConfigurationError(
                f"{point.name!r} ({group}) of {package} does not import: {type(error).__name__}: {error}.",
                f"Mend {point.value} or uninstall {package}.",
            ) from error
    return found


@functools.cache
def names(group: str) -> tuple[str, ...]:
    """The names registered under a group, without importing what stands behind them."""
    return tuple(dict.fromkeys(point.name for point in entry_points(group=group)))


def _is_builtin(value: str) -> bool:
    return value.partition(".")[0] in {"runtimes", "adp_assets"}
