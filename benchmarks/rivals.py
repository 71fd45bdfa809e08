"""What benchmarks are compared with, each in a virtual environment of its own, made when first needed."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import ROOT


class Unavailable(Exception):
    """A rival cannot be installed or run here; the text says why."""


def install(name: str, folder: str, requirements: Sequence[str]) -> Path:
    """The Python, in `folder` below `.venv`, that has what the rival `name` requires. Raises Unavailable."""
    place = ROOT / ".venv" / folder
    python, done = place / "bin" / "python", place / "installed"
    wanted = "\n".join(requirements)
    if not done.exists() or done.read_text() != wanted:
        venv.create(place, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *requirements]
        installing = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
        if installing.returncode != 0:
            raise Unavailable(f"{name} cannot be installed: {installing.stderr.strip()[-300:]}")
        done.write_text(wanted)
    return python
