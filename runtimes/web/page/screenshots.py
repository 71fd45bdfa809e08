"""Pictures of pages, each stored once under the digest of its bytes, beside the trajectories that name it.

Taking pictures is the page's; which step a picture belongs to is said by the step's record alone.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path

from runtimes.errors import InfrastructureError

FOLDER = "screenshots"
"""The store's name in the folder of the trajectories."""


class ScreenshotStore:
    """A folder of JPEG files that any number of processes may write to at once; made with the first one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Where the picture with this digest is, if it was ever put."""
        return self.folder / digest[:2] / f"{digest}.jpg"

    def put(self, jpeg: bytes) -> str:
        """Keep a picture; gives its SHA-256 digest, hex, by which `path` finds it.

        Raises InfrastructureError for a full disk or a folder that cannot be written.
        """
        digest = hashlib.sha256(jpeg).hexdigest()
        path = self.path(digest)
        temporary = path.with_name(f".{digest}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            # By its size, too: a machine that lost power may have kept the name without the bytes.
            if path.is_file() and path.stat().st_size == len(jpeg):
                return digest
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(jpeg)
            os.replace(temporary, path)
        except OSError as error:
            raise InfrastructureError(
                "system_error",
                f"The screenshot {path} cannot be written: {error.strerror or error}.",
                "Free disk space or make the folder writable (OUTPUT_DIR), or set WEB_SCREENSHOTS=false.",
            ) from error
        finally:
            with suppress(OSError):  # what kept it from being written may keep it from being removed
                temporary.unlink(missing_ok=True)
        return digest
