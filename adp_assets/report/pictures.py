"""Screenshots put into a report: those that its trajectories name, each once."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from runtimes.web.page.screenshots import FOLDER, ScreenshotStore

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Pictures:
    """Puts pictures of `store` into `<folder>/screenshots`, as links where the file system can."""

    def __init__(self, folder: Path, store: Path | None) -> None:
        self._placed: set[str] = set()
        self._to = ScreenshotStore(folder / FOLDER)
        self._from = None if store is None else ScreenshotStore(store)

    def put(self, digest: str) -> bool:
        """Whether the picture is in the report now. One that is named and not kept is not."""
        if digest in self._placed:
            return True
        if self._from is None or not _DIGEST.fullmatch(digest):
            return False
        kept, target = self._from.path(digest), self._to.path(digest)
        if not kept.is_file():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_or_copy(kept, target)
        self._placed.add(digest)
        return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, target)
