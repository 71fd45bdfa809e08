"""What runtimes and graders of one process share: the model, the sandboxes, the browser."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from runtimes.llm.base import ChatModel
from runtimes.secrets import Redactor
from runtimes.web.browser.pool import BrowserPool
from sandbox import Limits, SandboxPool


@dataclass
class Services:
    """The scarce things of one machine. An async context manager; both pools open lazily.

    `limits` hold for every run of an episode's code, `seed` is what sampling seeds derive from. `search_url`
    is where `web_search` asks; empty where nobody set one up. `traces` is the folder that keeps the browser's
    traces of episodes not solved; None where none are taken. `redactor` knows what no trajectory may hold.
    """

    model: ChatModel
    sandboxes: SandboxPool
    browsers: BrowserPool
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    search_url: str = ""
    traces: Path | None = None
    redactor: Redactor = field(default_factory=Redactor)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Services:
        await self._stack.enter_async_context(self.sandboxes)
        await self._stack.enter_async_context(self.browsers)
        self._stack.push_async_callback(self.model.aclose)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()
