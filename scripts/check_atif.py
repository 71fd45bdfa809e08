"""Validate ATIF exports with Harbor's own validator: `python scripts/check_atif.py FILE.jsonl...`.

`make check-atif` runs it in an environment of its own, for Harbor needs a newer Python than the platform.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harbor.utils.trajectory_validator import TrajectoryValidator


def main() -> None:
    checked = 0
    for path in map(Path, sys.argv[1:]):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            validator = TrajectoryValidator()
            if not validator.validate(json.loads(line)):
                sys.exit(f"{path}, line {number}: {'; '.join(validator.get_errors())}")
            checked += 1
    if not checked:
        sys.exit("No document was given.")
    print(f"{checked} documents are valid ATIF")


if __name__ == "__main__":
    main()
