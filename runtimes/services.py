"""What runtimes and graders of one process share: the model and its metering, the sandboxes, the browser."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from runtimes.llm.base import Account, ChatModel
from runtimes.llm.metered import Metering
from runtimes.web.browser.pool import BrowserPool
from sandbox import Limits, SandboxPool


@dataclass
class Services:
    """The scarce things of one machine. An async context manager; both pools open lazily.

    `limits` hold for every run of an episode's code, `seed` is what sampling seeds derive from. `search_url`
    is where `web_search` asks; empty where nobody set one up. `traces` is the folder that keeps the browser's
    traces of episodes not solved; None where none are taken. `model` is the shared model, whose calls nobody
    counts: whoever makes one asks for it by `model_for`.
    """

    model: ChatModel
    sandboxes: SandboxPool
    browsers: BrowserPool
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    search_url: str = ""
    traces: Path | None = None
    metering: Metering = field(default_factory=Metering)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Services:
        await self._stack.enter_async_context(self.sandboxes)
        await self._stack.enter_async_context(self.browsers)
        self._stack.push_async_callback(self.metering.aclose)
        self._stack.push_async_callback(self.model.aclose)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def model_for(self, account: Account) -> ChatModel:
        """The model as one caller's own: cached, counted and limited as the settings want it."""
        return self.metering.model_for(self.model, account)
