"""Screenshots of web episodes, each stored once under its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path


class ScreenshotStore:
    """A folder of JPEG pictures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, jpeg: bytes) -> str:
        """Keep a picture; its SHA-256 digest, hex."""
        digest = hashlib.sha256(jpeg).hexdigest()
        path = self.path(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg)
        return digest

    def path(self, digest: str) -> Path:
        """Where the picture of `digest` is."""
        return self._folder / digest[:2] / f"{digest}.jpg"
