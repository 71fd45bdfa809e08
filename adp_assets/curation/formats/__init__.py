"""Formats: each one way to lay a dataset's examples down in files, by name.

Add one with the entry point group `adp.formats`, its name the format's, its value a `Format`.
"""

from __future__ import annotations

from collections.abc import Iterable

from adp_assets.curation.formats.base import Format
from runtimes import plugins
from runtimes.errors import ConfigurationError

GROUP = "adp.formats"


def formats_of(names: Iterable[str]) -> dict[str, Format]:
    """The formats of these names. Raises ConfigurationError where there is none of a name."""
    known: dict[str, Format] = plugins.load(GROUP)
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"There is no format {name!r}.", f"Known formats: {', '.join(sorted(known))}."
            )
    return {name: known[name] for name in names}
