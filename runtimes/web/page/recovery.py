"""What an episode has in its browser, so that another browser can go on where one died.

An episode is run again from its start unless its task says `"recovery": "resume"`: what the site itself keeps
(an order sent, a message written) stays done whatever happens to the browser.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runtimes.contracts import TaskSpec
from runtimes.errors import ToolError

if TYPE_CHECKING:
    from playwright.async_api import Page

    from runtimes.web.page.page import WebPage

MODES = ("restart", "resume")
STORAGE_SECONDS = 2.0

_RESTORE = """([origin, items]) => {
  if (location.origin === origin) for (const [name, value] of items) sessionStorage.setItem(name, value);
}"""


@dataclass(frozen=True)
class Checkpoint:
    """An episode's cookies and local storage, and the address and session storage of its current page."""

    url: str
    storage_state: dict[str, Any]
    session_storage: list[tuple[str, str]] = field(default_factory=list)


def resumes(task: TaskSpec) -> bool:
    """Whether another browser may go on with the episode. Raises ToolError for what is none of MODES."""
    mode = task.constraints.get("recovery") or MODES[0]
    if mode not in MODES:
        raise ToolError(
            "system_error",
            f"The task's constraints.recovery is {mode!r}.",
            f"It must be {' or '.join(map(repr, MODES))}.",
        )
    return bool(mode == "resume")


async def take_checkpoint(page: WebPage) -> Checkpoint:
    """What `page` has now. Raises what `WebPage.storage_state` raises."""
    storage_state = await page.storage_state()
    items: list[tuple[str, str]] = []
    if _is_web(page.url):
        items = await _session_storage(page.current)
    return Checkpoint(page.url if _is_web(page.url) else "", storage_state, items)


@asynccontextmanager
async def restored(page: Page, checkpoint: Checkpoint | None) -> AsyncIterator[None]:
    """Give each document of the checkpoint's site its session storage back, as long as this lasts."""
    from playwright.async_api import Error

    if checkpoint is None or not checkpoint.session_storage:
        yield
        return
    parts = urlsplit(checkpoint.url)
    saved = json.dumps([f"{parts.scheme}://{parts.netloc}", checkpoint.session_storage])
    script = await page.add_init_script(f"({_RESTORE})({saved})")
    try:
        yield
    finally:
        with suppress(Error, TimeoutError):
            async with asyncio.timeout(STORAGE_SECONDS), script:
                pass


async def _session_storage(page: Page) -> list[tuple[str, str]]:
    """As far as it can be read: a page may hang, or forbid storage."""
    from playwright.async_api import Error

    with suppress(Error, TimeoutError):
        async with asyncio.timeout(STORAGE_SECONDS):
            return [(item["name"], item["value"]) for item in await page.session_storage.items()]
    return []


def _is_web(url: str) -> bool:
    return urlsplit(url).scheme in {"http", "https"}
