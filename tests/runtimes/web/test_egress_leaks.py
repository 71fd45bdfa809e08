"""What leaves a browser besides its requests: look-ups, datagrams, and where names lead to later.

In a network namespace, where every packet is counted: `leaks.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest

NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--mount")


async def seen(walls: str) -> dict[str, Any]:
    probe = await asyncio.create_subprocess_exec(*NAMESPACE, "true", stderr=subprocess.DEVNULL)
    if await probe.wait():
        pytest.skip("this machine makes no network namespace")
    process = await asyncio.create_subprocess_exec(
        *(*NAMESPACE, sys.executable, "-m", f"{__package__}.leaks", walls),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return dict(json.loads(out))


async def test_only_the_proxy_looks_names_up_and_nothing_is_sent_but_over_it() -> None:
    free, walled = await asyncio.gather(seen("none"), seen("walls"))

    assert free["quic"] > 0
    assert {
        "169.254.169.254/",
        "169.254.169.254/latest/meta-data/",
        "127.0.0.1/again",
        "93.184.216.1/own",
    } <= set(free["requests"])

    assert walled["quic"] == walled["other_datagrams"] == 0
    assert walled["names"] == ["metadata.test", "public.test", "rebind.test", "secure.localhost"]
    assert walled["requests"] == ["127.0.0.1/", "93.184.216.34/", "93.184.216.34/again"]
    assert walled["blocked"] == [
        "169.254.169.254:80 refused: it is on a private or local network",
        "metadata.test:80 resolves to 169.254.169.254, a cloud metadata address",
        "93.184.216.1:80 is an address of this machine, "
        "which is reached only where allow_private names the host",
    ]
