"""What runtimes and graders of one process share: the model and its metering, the sandboxes, the browser."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runtimes.llm.base import Account, ChatModel
from runtimes.llm.metered import Metering
from runtimes.secrets import Redactor
from runtimes.tools.toolbox import Toolbox
from runtimes.web.browser.pool import BrowserPool
from sandbox import Limits, SandboxPool

if TYPE_CHECKING:
    from runtimes.template_cache import TemplateCache


@dataclass
class Services:
    """The scarce things of one machine. An async context manager; both pools open lazily.

    `limits` hold for every run of an episode's code, `seed` is what sampling seeds derive from. `search_url`
    is where `web_search` asks; empty where nobody set one up. `context_tokens` is what the model takes at
    once; None where `context.window_of` is to say. `traces` is the folder that keeps the browser's traces of
    episodes not solved; None where none are taken. `toolbox` has the tools that tasks may name. `model` is
    the shared model, whose calls nobody counts: whoever makes one asks for it by `model_for`. `templates` are
    the solutions of repeated tasks. `redactor` knows what no trajectory may hold.
    """

    model: ChatModel
    sandboxes: SandboxPool
    browsers: BrowserPool
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    search_url: str = ""
    context_tokens: int | None = None
    traces: Path | None = None
    metering: Metering = field(default_factory=Metering)
    templates: TemplateCache | None = None
    toolbox: Toolbox = field(default_factory=Toolbox)
    redactor: Redactor = field(default_factory=Redactor)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Services:
        async with AsyncExitStack() as stack:  # what is open is closed where the next does not open
            await stack.enter_async_context(self.sandboxes)
            await stack.enter_async_context(self.browsers)
            stack.push_async_callback(self.metering.aclose)
            if self.templates is not None:
                stack.push_async_callback(self.templates.aclose)
            stack.push_async_callback(self.model.aclose)
            stack.push_async_callback(self.toolbox.aclose)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def model_for(self, account: Account) -> ChatModel:
        """The model as one caller's own: cached, counted and limited as the settings want it."""
        return self.metering.model_for(self.model, account)
