"""Trajectories in files of a size that a browser loads at once, each file holding neighbours in the list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adp_assets.report.episode import Shown
from adp_assets.report.scripts import literal, script

FOLDER = "trajectories"
CHARACTERS = 256_000
"""Of a file, about; one trajectory that is larger has a file of its own."""

SHARED = ("prompt", "tools")


class Chunks:
    """Writes `<folder>/trajectories/<number>.js` as trajectories are added, one file's worth in memory.

    `starts` are the rows with which the files begin. What many trajectories share is in a file once: each row
    is a pair of what is its own and, for each of SHARED, the places of its parts.
    """

    def __init__(self, folder: Path) -> None:
        self.starts: list[int] = []
        self._folder = folder / FOLDER
        self._folder.mkdir(parents=True)
        self._rows = 0
        self._clear()

    def add(self, shown: Shown) -> None:
        """Take the next row's trajectory."""
        own = literal({name: value for name, value in shown.items() if name not in SHARED})
        if self._waiting and self._size + len(own) > CHARACTERS:
            self.flush()
        places = literal({name: [self._place(value) for value in shown.get(name, [])] for name in SHARED})
        self._waiting.append(f"[{own},{places}]")
        self._size += len(own)
        self._rows += 1

    def flush(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        name = f"{FOLDER}/{len(self.starts):04}"
        spelled = f'{{"shared":[{",".join(self._shared)}],"rows":[{",".join(self._waiting)}]}}'
        (self._folder / f"{len(self.starts):04}.js").write_bytes(script(name, spelled))
        self.starts.append(self._rows - len(self._waiting))
        self._clear()

    def _clear(self) -> None:
        self._waiting: list[str] = []
        self._shared: list[str] = []
        self._places: dict[str, int] = {}
        self._size = 0

    def _place(self, value: Any) -> int:
        spelled = literal(value)
        if spelled not in self._places:
            self._places[spelled] = len(self._shared)
            self._shared.append(spelled)
            self._size += len(spelled)
        return self._places[spelled]
