"""What an episode leaves to its verifier: a value, no behaviour. Nobody may store it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtimes.secrets import Secret

if TYPE_CHECKING:
    from playwright.async_api import Page


@dataclass(frozen=True)
class World:
    """The end of one episode, beyond its trajectory; all of it empty for an episode that opened no page.

    `storage_state` holds the cookies and local storage, as `BrowserPool.grading_page` takes them, and
    `allowed_domains` the hosts that were allowed (None: any). `last_url` is the address the episode ended
    at. `last_page` is the page the agent had there, open until the verdict where somebody asked for that;
    the agent no longer acts on it. `session` is what of the cookies no trajectory may hold. `trace` is the
    file of the browser's trace where one was taken, `user` whose task it was.
    """

    storage_state: dict[str, Any] | None = None
    allowed_domains: tuple[str, ...] | None = None
    last_url: str = ""
    last_page: Page | None = None
    session: tuple[Secret, ...] = ()
    trace: Path | None = None
    user: str = ""
