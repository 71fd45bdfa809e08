"""How much of what MiniWoB's tasks ask for an agent could act on: the share of elements shown with a ref."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.web.oracles import ORACLES, Act
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.miniwob.site import MiniwobSite, task_url
from runtimes.web.observation.observer import Observer
from runtimes.web.observation.supplement import ENGINE

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, Locator, Page

MOST = 5
"""Elements counted of one selector, so that a page full of like ones does not outweigh the others."""

_ACT_MS = 10_000
_REF = re.compile(r"\[ref=(e\d+|x\d+)\]")
_REACHED = """([target, shown]) => {
  target.scrollIntoView({block: 'nearest'});
  return shown.some(element => {
    if (element === target) return true;
    const {x, y, width, height} = element.getBoundingClientRect();
    const hit = document.elementFromPoint(x + width / 2, y + height / 2);
    return hit !== null && target.contains(hit) && (element.contains(target) || target.contains(element));
  });
}"""
"""Whether one of the shown elements is the target, or a click at its centre would land in the target."""


@dataclass
class Reach:
    """How many elements were looked for, and those that were not shown: task, seed, selector, tag."""

    tried: int = 0
    misses: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The share that is shown, 0 to 1."""
        return 1 - len(self.misses) / self.tried if self.tried else 0.0


async def reachability(
    oracles: Mapping[str, tuple[Act, ...]] = ORACLES, seeds: Iterable[int] = (0,)
) -> Reach:
    """Walk each task's oracle over its pages in a browser of its own, and look for every element it acts on.

    Raises a group of what `BrowserPool` raises, and of Playwright's TimeoutError where an oracle's selector
    finds nothing: it would count for nothing.
    """
    async with BrowserPool(sites=[MiniwobSite()]) as pool, asyncio.TaskGroup() as walks:
        walking = [  # all at once: the pool lets few be open at a time
            walks.create_task(_walk(pool, name, seed, acts))
            for seed in seeds
            for name, acts in oracles.items()
        ]
    reached = [walk.result() for walk in walking]
    return Reach(sum(reach.tried for reach in reached), [miss for reach in reached for miss in reach.misses])


async def _walk(pool: BrowserPool, name: str, seed: int, acts: tuple[Act, ...]) -> Reach:
    async with pool.grading_page() as page:
        return await _walk_over(page, name, seed, acts)


async def _walk_over(page: Page, name: str, seed: int, acts: tuple[Act, ...]) -> Reach:
    reach = Reach()
    observer = Observer(page.context)
    await observer.install()
    await page.goto(task_url(name, seed))
    for state in _states(acts):
        found = [page.locator(act.selector).locator("visible=true") for act in state]
        for elements in found:  # icons are nothing before their picture has come
            await elements.first.wait_for(timeout=_ACT_MS)
        shown = await _shown(page, observer)
        for act, elements in zip(state, found, strict=True):
            for target in (await elements.element_handles())[:MOST]:
                reach.tried += 1
                if not await page.evaluate(_REACHED, [target, shown]):
                    tag = await target.evaluate("element => element.outerHTML.slice(0, 80)")
                    reach.misses.append(f"{name} {seed} {act.selector}: {tag}")
        if state[-1].do:
            await _do(found[-1].first, state[-1].do)
    return reach


def _states(acts: Iterable[Act]) -> Iterator[list[Act]]:
    """The acts of one state after the other; each ends with the one that leads on."""
    state: list[Act] = []
    for act in acts:
        state.append(act)
        if act.do:
            yield state
            state = []
    if state:
        yield state


async def _shown(page: Page, observer: Observer) -> list[ElementHandle]:
    """The elements an agent may name by a ref of what it is shown now."""
    observation = await observer.observe(page, tabs=[page], notices=[])
    # Before the first empty line stands what changed, also what is there no more.
    _, _, body = observation.text.partition("\n\n")
    handles = []
    for ref in dict.fromkeys(_REF.findall(body)):
        engine = "aria-ref" if ref.startswith("e") else ENGINE
        handles.append(await page.locator(f"{engine}={ref}").element_handle(timeout=_ACT_MS))
    return handles


async def _do(element: Locator, what: str) -> None:
    if what == "click":
        # Some pages fetch another picture for the element under the mouse, and a click at once goes astray.
        await element.hover(timeout=_ACT_MS)
        await element.page.wait_for_load_state("networkidle")
        await element.click(timeout=_ACT_MS)
    elif what == "hover":
        await element.hover(timeout=_ACT_MS)
    else:
        await element.press_sequentially(what, timeout=_ACT_MS)
