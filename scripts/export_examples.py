"""Write a small real export of the examples that trainers and validators are tried on.

`python -m scripts.export_examples FOLDER`: `sft`, `steps` and `preference` as `hf`, `trajectories` as `atif`.
The episodes are those of the tests, of every form that datasets meet.
"""

from __future__ import annotations

import sys
from pathlib import Path

from adp_assets.curation.formats.atif import ATIF
from adp_assets.curation.formats.hf import HF
from tests.adp_assets.curation.episodes import differing, many_sided
from tests.adp_assets.curation.formats.written import preferred, recorded, replies, whole
from tests.adp_assets.curation.rows import STAMP


def main() -> None:
    folder = Path(sys.argv[1])
    episodes = [many_sided(), *differing()]
    exports = (
        (HF, "sft", whole(*episodes)),
        (HF, "steps", replies(*episodes)),
        (HF, "preference", preferred()),
        (ATIF, "trajectories", recorded(*episodes)),
    )
    for format, shape, examples in exports:
        into = folder / shape
        into.mkdir(parents=True, exist_ok=True)
        format.write(shape, examples, into, STAMP)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
