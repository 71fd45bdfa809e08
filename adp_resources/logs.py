"""The log file: warnings and faults of this process, kept beside the output they belong to."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from runtimes.secrets import Redactor

MAX_BYTES = 20_000_000
BACKUPS = 3
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
OURS = ("runtimes", "sandbox", "adp_resources", "adp_assets", "adp_service")


class RedactingFormatter(logging.Formatter):
    """Writes records without secrets: a formatter, since only it sees the words of a traceback, too."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(FORMAT)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.text(super().format(record))


def log_to_file(folder: Path, level: str, redactor: Redactor) -> None:
    """Send this platform's log records of `level` and above to `<folder>/adp.log`, and nowhere else.

    Safe to call again. A folder that cannot be written leaves logging as it was: a log is no reason to stop.
    """
    path = folder / "adp.log"
    existing = logging.getLogger(OURS[0]).handlers
    if any(getattr(handler, "baseFilename", None) == str(path) for handler in existing):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8")
    except OSError:
        return
    handler.setFormatter(RedactingFormatter(redactor))
    # Of the handler alone: others listen at the same loggers, `adp run` for what its user should know.
    handler.setLevel(level.upper())
    for name in OURS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
