"""Replay finds again what is in frames and shadow roots, has no name or no role, or is one of several."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from runtimes.web.browser.pool import BrowserPool
from runtimes.web.replay.recorded import RecordedPages
from runtimes.web.replay.replay import recorded_mode

from .episodes import web_task
from .recording import Said, again, record, verdicts

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = {
    "/": """<!doctype html><title>Odd</title>
<p id="out"></p><p id="clock"></p><h1>Odd things</h1>
<div id="plain" style="width:90px;height:20px">Plain div</div>
<iframe src="/frame" title="frame"></iframe>
<div id="host"></div>
<ul><li>One <button onclick="out.textContent='one'">Pick</button>
<li>Two <button onclick="out.textContent='two'">Pick</button></ul>
<label><input type="checkbox" onchange="out.textContent='ticked'"> Agree</label>
<select aria-label="Size"><option>S<option>M</select>
<button onclick="out.textContent=confirm('Sure?')">Ask</button>
<input aria-label="Word" onkeydown="out.textContent+=event.key[0]">
<button draggable="true" ondragstart="event.dataTransfer.setData('text','x')">Card</button>
<div role="region" aria-label="Goal" style="height:40px" ondragover="event.preventDefault()"
 ondrop="out.textContent='dropped';event.preventDefault()">Goal</div>
<a href="/other" target="_blank">Window</a>
<script>
plain.addEventListener('click', () => out.textContent = 'plain clicked');
host.attachShadow({mode: 'open'}).innerHTML =
  '<button onclick="document.getElementById(\\'out\\').textContent=\\'from the shadow\\'">Shadow</button>';
clock.textContent = new Date().toISOString() + ' ' + crypto.randomUUID();
</script>""",
    "/frame": """<button onclick="this.textContent='pushed'">Push</button>
<iframe src="/inner" title="inner"></iframe>""",
    "/inner": """<p id="o">inner</p><div id="i">Inner div</div>
<script>i.addEventListener('click', () => o.textContent = 'hit')</script>""",
    "/other": "<title>Other</title><a href='/'>To the odd things</a>",
}
DONE: list[Said] = [
    ("click", r"\[ref=(\w+)\] \[clickable\]: Plain div", {}),
    ("click", 'button "Push"', {}),
    ("click", r"\[ref=(\w+)\] \[clickable\]: Inner div", {}),
    ("click", 'button "Shadow"', {}),
    ("click", r'Two\s+- button "Pick" \[ref=(\w+)', {}),
    ("check", 'checkbox "Agree"', {}),
    ("select", 'combobox "Size"', {"value": "M"}),
    ("click", 'button "Ask"', {}),
    ("type", 'textbox "Word"', {"text": "abc"}),
    ("press", 'textbox "Word"', {"key": "Backspace"}),
    ("drag", 'button "Card"', {"to_ref": 'region "Goal"'}),
    ("hover", 'link "Window"', {}),
    ("extract", 'heading "Odd things"', {}),
    ("screenshot", "", {}),
    ("new_tab", "", {}),
    ("tabs", "", {}),
    ("switch_tab", "", {"tab": 0}),
    ("goto", "", {"url": "/other"}),
    ("back", "", {}),
    ("reload", "", {}),
    ("close_tab", "", {"tab": 1}),
]
SHOWN = [
    "plain clicked",
    "pushed",
    "hit",
    "from the shadow",
    "two",
    "ticked",
    "[selected]",
    "true",
    "trueabc",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def odd_site() -> AsyncIterator[str]:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGES[request.path], content_type="text/html")

    app = web.Application()
    app.add_routes([web.get(path, page) for path in PAGES])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_every_kind_of_action_on_odd_elements_holds(
    pool: BrowserPool, recorded_pages: RecordedPages, odd_site: str
) -> None:
    task = web_task(start_url=odd_site, allowed_domains=["127.0.0.1"])
    trajectory = await record(pool, task, DONE)
    assert [(s.tool_name, s.error_message) for s in trajectory.steps if not s.success] == []
    for step, shown in zip(trajectory.steps, SHOWN, strict=False):
        assert shown in step.observation
    assert "dropped" in trajectory.steps[10].observation
    found = await again(recorded_pages, trajectory, task)
    assert verdicts(found) == ["same"] * (len(DONE) + 1), [s for s in found.steps if s.said]


async def test_an_episode_that_was_shown_changes_only_holds_where_it_is_shown_alike(odd_site: str) -> None:
    task = web_task(start_url=odd_site, allowed_domains=["127.0.0.1"])
    async with BrowserPool(observation="diff") as pool:
        trajectory = await record(pool, task, DONE[:1] + DONE[4:6])
    assert recorded_mode(trajectory) == "diff"
    async with RecordedPages(observation="diff") as recorded_pages:
        found = await again(recorded_pages, trajectory, task)
    assert verdicts(found) == ["same"] * 4, [s for s in found.steps if s.said]
