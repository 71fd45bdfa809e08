"""A process with a browser of its own, to be killed: `python -m tests.runtimes.web.host [reaps]`.

It prints a line of JSON once a page is open, and ends when its standard input does. `reaps` makes it the
parent of all whose parents die, and has it lose its driver at the end.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys

import psutil

from runtimes.web.browser.pool import BrowserPool

from .episodes import SHOP, web_task
from .processes import browsers

_PR_SET_CHILD_SUBREAPER = 36


async def main() -> None:
    if "reaps" in sys.argv:  # as the first process of a container does
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    async with BrowserPool(start_url=SHOP) as pool, pool.page(web_task()):
        (browser,) = browsers()
        family = [browser, *browser.parents(), *browser.children(recursive=True)]
        own = psutil.Process()
        pids = [p.pid for p in family if own in p.parents()]
        print(json.dumps({"browser": browser.pid, "pids": pids}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        if "reaps" in sys.argv:
            next(p for p in browser.parents() if p.ppid() == own.pid).kill()
    left = [p.pid for p in psutil.Process().children(recursive=True)]
    print(json.dumps({"left": left}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
