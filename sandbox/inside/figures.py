"""Pictures of the matplotlib figures that a program left open: written where the host looks for them."""

from __future__ import annotations

import os
import sys

FIGURES = ".figures"
MOST_FIGURES = 20


def forget_figures(workspace: str) -> None:
    """Remove the pictures of the run before, which the host has by now."""
    folder = f"{workspace}/{FIGURES}"
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")


def save_figures(workspace: str) -> None:
    """Write each open figure as a PNG and close it; a figure that cannot be drawn is reported on stderr."""
    folder = f"{workspace}/{FIGURES}"
    pyplot = sys.modules.get("matplotlib.pyplot")
    numbers: list[int] = getattr(pyplot, "get_fignums", list)()
    for number in numbers[:MOST_FIGURES]:
        try:
            os.makedirs(folder, exist_ok=True)
            name = f"{len(os.listdir(folder)):03d}.png"
            pyplot.figure(number).savefig(f"{folder}/{name}", format="png", dpi=100)  # type: ignore[union-attr]
        except Exception as error:
            sys.stderr.write(f"figure {number} could not be drawn: {error}\n")
    if numbers:
        pyplot.close("all")  # type: ignore[union-attr]
