"""MiniWoB's problems as the platform's tasks, each with the page's own reward as its verifier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from difflib import get_close_matches

from runtimes.contracts import Lineage, TaskSpec, Verifier
from runtimes.errors import ConfigurationError, InfrastructureError
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.miniwob.site import HOST, task_names, task_url

LICENCE = "MIT"
MAX_STEPS = 20
TIMEOUT = 180
"""Seconds; the page itself gives up after 1,000."""

TASKS = (
    "click-test",
    "click-test-2",
    "click-test-transfer",
    "click-button",
    "click-button-sequence",
    "click-dialog",
    "click-dialog-2",
    "click-tab",
    "click-collapsible-nodelay",
    "click-checkboxes",
    "click-checkboxes-large",
    "click-checkboxes-transfer",
    "click-option",
    "choose-list",
    "click-scroll-list",
    "click-widget",
    "enter-text",
    "enter-text-2",
    "enter-text-dynamic",
    "enter-password",
    "login-user",
    "login-user-popup",
    "enter-date",
    "enter-time",
    "focus-text",
    "focus-text-2",
    "find-word",
    "read-table",
    "read-table-2",
    "simple-arithmetic",
    "simple-algebra",
    "text-transform",
    "copy-paste-2",
    "form-sequence-2",
    "search-engine",
    "unicode-test",
)
"""The tasks a page's text and its elements' refs suffice for: scripted policies solve every seed of them."""

_READY = "() => WOB_TASK_READY && core.ept0 !== null"
_INSTRUCTION = "() => { const said = core.getUtterance(); return said.utterance ?? said; }"
_REWARDED = "() => WOB_DONE_GLOBAL && WOB_RAW_REWARD_GLOBAL > 0"
"""Not WOB_REWARD_GLOBAL: that one decays while the agent thinks."""


def check_names(names: Iterable[str]) -> None:
    """Raise ConfigurationError naming the first that is no task of MiniWoB, and what it may have meant."""
    known = task_names()
    for name in names:
        if name not in known:
            near = get_close_matches(name, known) or TASKS[:3]
            raise ConfigurationError(f"MiniWoB has no task {name!r}.", f"Such as: {', '.join(near)}.")


async def read_tasks(
    pool: BrowserPool, names: Sequence[str], seeds: Sequence[int]
) -> AsyncIterator[TaskSpec]:
    """A task for every name and seed, in this order; the same arguments give the same tasks.

    Their instructions are read off the pages, which `pool` must know the site of. Raises
    InfrastructureError where a page does not open or begin.
    """
    from playwright.async_api import Error

    async with pool.grading_page(allowed_domains=(HOST,)) as page:
        for name in names:
            for seed in seeds:
                url = task_url(name, seed)
                try:
                    await page.goto(url)
                    await page.wait_for_function(_READY)
                    instruction = await asyncio.wait_for(page.evaluate(_INSTRUCTION), 10)
                except (Error, TimeoutError) as error:
                    raise InfrastructureError(
                        "browser_error", f"{url} did not begin: {error}", "Run it again."
                    ) from error
                yield make_task(name, seed, str(instruction))


def make_task(name: str, seed: int, instruction: str) -> TaskSpec:
    """Problem `seed` of a task; solved when the agent ends on its page and the page gave a reward."""
    url = task_url(name, seed)
    task_id = f"miniwob-{name}-{seed}"
    checks = [
        {"at": "last_page", "read": "url", "expected": url},
        {"at": "last_page", "script": _REWARDED, "expected": True},
    ]
    return TaskSpec(
        task_id=task_id,
        task_type="web",
        description=instruction,
        expected_tools=["browser"],
        constraints={"start_url": url, "allowed_domains": [HOST]},
        max_steps=MAX_STEPS,
        timeout=TIMEOUT,
        verifier=Verifier("page_state", {"checks": checks}),
        lineage=Lineage(root_id=task_id, source="miniwob"),
        metadata={
            "task": name,
            "seed": seed,
            "dataset": "miniwob",
            "licence": LICENCE,
            "source": "miniwob",
            "source_row": seed,
        },
    )
