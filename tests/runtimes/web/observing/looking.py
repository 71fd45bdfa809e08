"""A page under observation, as tests look at it and act on it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.async_api import Page

from runtimes.web.observation.observer import Observation, Observer
from runtimes.web.observation.targets import Target, find_target


@dataclass
class Sites:
    """Pages by path; the same ones are on `url` and, for a browser another site, on `other`."""

    port: int = 0
    pages: dict[str, tuple[str | bytes, str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def other(self) -> str:
        return f"http://localhost:{self.port}/"


@dataclass
class Looking:
    page: Page
    observer: Observer

    async def observe(self) -> Observation:
        return await self.observer.observe(self.page, tabs=[self.page], notices=[])

    async def text(self) -> str:
        return (await self.observe()).text

    async def ref(self, element: str) -> str:
        """The ref of the line that begins so, as the page is now."""
        return ref_in(await self.text(), element)

    async def target(self, element: str) -> Target:
        return await find_target(self.page, self.observer, await self.ref(element))


def ref_in(text: str, element: str) -> str:
    found = re.search(rf"^ *- '?{re.escape(element)}.*?\[ref=(\w+)\]", text, re.MULTILINE)
    assert found, f"no {element} in\n{text}"
    return found[1]
