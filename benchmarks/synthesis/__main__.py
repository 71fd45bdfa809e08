"""Synthesis' figures: `make bench-synthesis`; `--quick` only shows that it works.

Five rounds from the 36 example tasks by `adp run`, with the built-in teacher behind a local server of 500 ms
a reply, and the novelty index over 100,000 tasks. `BARS` has the bars; null is what nothing was there for.
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.measure import describe_machine
from benchmarks.synthesis import novelty, rounds

BARS = {
    "feedback_processed": "share of eligible trajectories that gave an essence: >= 0.99",
    "seconds_per_task": "wall time of distillation and mutation / accepted tasks, 64 in flight: < 2",
    "accepted_success": "accepted tasks solved at least once in the round that took them: >= 0.90",
    "tasks_per_day": "accepted tasks a day, from as many as were really accepted: >= 5,000 from >= 1,000",
    "near_duplicate_rate": "share of them whose 3-grams are 0.7 or more those of another's: <= 0.02",
    "novelty_ms": "checking one task against 100,000, milliseconds: <= 5",
    "index_tasks_per_second": "building the index over these: >= 10,000",
    "pass_rate_min": "the lowest pass rate of a round: >= 0.3",
    "pass_rate_max": "the highest: <= 0.9",
    "entropy_change": "domain entropy of the last round / that of the first, less 1: >= -0.1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure synthesis.")
    parser.add_argument("--quick", action="store_true", help="little of everything: the figures mean nothing")
    quick = parser.parse_args().quick
    described = describe_machine()
    tasks, checks = (1_000, 100) if quick else (novelty.TASKS, novelty.CHECKS)
    figures = {**novelty.measure(tasks, checks), **rounds.measure(quick=quick)}
    print("\n".join(f"{name}: {figures[name]} ({bar})" for name, bar in BARS.items()), file=sys.stderr)
    told = {name: figures[name] for name in BARS}
    print(json.dumps({**told, "accepted": figures["accepted"], "machine": described}))


if __name__ == "__main__":
    main()
