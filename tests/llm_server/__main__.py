"""The process: options in, one line `{"port": N}` out, and an end when told or when nobody is left."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import signal
import stat
import sys
from pathlib import Path

from aiohttp import web

from tests.llm_server.app import LLMServer
from tests.llm_server.scripts import Down, FromModel, Hang, Refuse, Script
from tests.llm_server.steps import Steps
from tests.llm_server.word_problems import DEFAULT_MIX, WordProblems, parse_mix

SCRIPTS = ("gsm8k", "steps", "teacher", "refuse", "down", "hang")
_PR_SET_PDEATHSIG = 1


def main() -> None:
    options = _parser().parse_args()
    _end_with_parent()
    server = LLMServer(
        _script(options), options.delay_ms / 1000, cap=options.cap, retry_after=options.retry_after
    )
    asyncio.run(_serve(server, options.port))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.llm_server", description=__doc__)
    parser.add_argument("--script", choices=SCRIPTS, required=True)
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="wait before each chat completion")
    parser.add_argument("--cap", type=int, help="requests in flight; beyond it the answer is 429")
    parser.add_argument("--retry-after", default="", help="that header of a 429 beyond the cap")
    parser.add_argument("--answers", type=Path, help="gsm8k: JSON lines with question and answer")
    parser.add_argument("--mix", type=_mix, default=DEFAULT_MIX, help="gsm8k: weights of the kinds of reply")
    parser.add_argument("--turns", type=int, default=3, help="steps: tool calls before complete_task")
    parser.add_argument("--error-rate", type=float, default=0.0, help="teacher: share of tasks it gets wrong")
    return parser


def _mix(text: str) -> str:
    try:
        parse_mix(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _script(options: argparse.Namespace) -> Script:
    match options.script:
        case "gsm8k":
            if options.answers is None:
                raise SystemExit("--script gsm8k needs --answers FILE.jsonl")
            return WordProblems(options.answers, options.mix)
        case "steps":
            return Steps(options.turns)
        case "teacher":
            from runtimes.llm.teacher import Teacher

            return FromModel(Teacher(error_rate=options.error_rate))
        case "refuse":
            return Refuse()
        case "down":
            return Down()
        case _:
            return Hang()


def _end_with_parent() -> None:
    """Have the kernel end this process with its parent, on Linux; a test that is killed cannot clean up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _serve(server: LLMServer, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        loop.add_reader(0, _watch_stdin, loop, stop)
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Whoever holds the other end of the pipe is gone when it closes."""
    if not os.read(0, 4096):
        loop.remove_reader(0)
        stop.set()


if __name__ == "__main__":
    main()
