"""The web runtime's figures: `make bench-web`; `--quick` only shows that it works.

Times are medians of samples taken in turns, given as ratios; `BARS` has the bars. null is what cannot be
measured here; stderr says why.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import describe_machine
from benchmarks.web import browsers, episodes, speed
from benchmarks.web.pages import pages
from runtimes.web.browser.chromium import EXECUTABLES

BARS = {
    "browsergym_ratio": "steps a second / BrowserGym 0.14 with its waits off: >= 3",
    "browsergym_default_ratio": "the same / BrowserGym as it comes: >= 10",
    "floor_ratio_1": "time of a raw click, tree and supplement / of a step: >= 0.60",
    "floor_ratio_8": "the same, eight at a time: >= 0.40",
    "big_page_ratio": "BrowserGym's time to observe 500 rows / ours: >= 5",
    "reachable": "share of oracle actions on MiniWoB that an agent could take: >= 0.99",
    "tier1_solved": "share of 36 MiniWoB tasks, 3 seeds, solved through the runtime: 1",
    "context_memory_mb": "PSS of one context more: <= 40",
    "memory_growth": "growth of the browser's PSS from episode 20 to 120: <= 0.05",
    "crash_detect_ms": "from the browser's death to the failed step: <= 200",
    "crash_recover_ms": "from there to a page in another browser: <= 1000",
    "episodes_lost": "episodes that were not tried again after it: 0",
    "orphans": "processes left of browsers: 0",
    "egress_leaks": "ways to a forbidden address that reached it: 0",
    "replay_held": "share of recorded steps that held by their locators: >= 0.95",
    "overhead_ratio": "time of a step / the same work by hand: <= 1.10",
}
ROUNDS, QUICK_ROUNDS = 8, 1


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the web runtime.")
    parser.add_argument("--quick", action="store_true", help="one round: the figures mean nothing")
    asyncio.run(measure(quick=parser.parse_args().quick))


async def measure(*, quick: bool) -> None:
    described = describe_machine()
    browser = next(filter(None, map(shutil.which, EXECUTABLES)))
    with TemporaryDirectory(prefix="adp-bench-") as folder, pages() as url:
        figures = {
            **await speed.measure(browser, url, Path(folder), QUICK_ROUNDS if quick else ROUNDS),
            **await browsers.measure(url, quick=quick),
            **await episodes.measure(quick=quick),
        }
    print("\n".join(f"{name}: {figures[name]} ({bar})" for name, bar in BARS.items()), file=sys.stderr)
    print(json.dumps({**{name: figures[name] for name in BARS}, "machine": described}))


if __name__ == "__main__":
    main()
