"""The LLM client's and the agent loop's figures: `make bench-llm`; `--quick` only shows that it works.

All against a local server of 50 ms a reply, a process of its own whose CPU is not counted. Calls a second and
shares are medians of samples taken in turns; `BARS` has the bars. null is what cannot be measured here;
stderr says why.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from benchmarks.llm import calls, episodes, rival
from benchmarks.measure import describe_machine

BARS = {
    "throughput_ratio": "calls a second at 256 in flight / the bare openai client over aiohttp: >= 0.9",
    "cpu_ms_per_step": "CPU of this process (client, bookkeeping, journal) a step of an episode: <= 4",
    "calls_lost": "calls without a reply from a server that takes 48 at once: 0",
    "share_429": "share of its answers that were refusals: <= 0.02",
    "goodput_ratio": "replies a second from it / the same client told to have 48 in flight: >= 0.95",
    "peak_memory_mb": "PSS while 1,000 tasks run, 256 at a time: <= 600",
    "inspect_ai_ratio": "code tasks a second, 3 turns each / inspect_ai in its local sandbox: >= 2",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the LLM client and the agent loop.")
    parser.add_argument("--quick", action="store_true", help="little of everything: the figures mean nothing")
    quick = parser.parse_args().quick
    described = describe_machine()
    figures = {
        **asyncio.run(calls.measure(quick=quick)),
        **episodes.measure(quick=quick),
        **rival.measure(quick=quick),
    }
    print("\n".join(f"{name}: {figures[name]} ({bar})" for name, bar in BARS.items()), file=sys.stderr)
    print(json.dumps({**{name: figures[name] for name in BARS}, "machine": described}))


if __name__ == "__main__":
    main()
