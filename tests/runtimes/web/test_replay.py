"""A recorded episode done again in a fresh browser holds, and says where it no longer does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web

from runtimes.contracts import Trajectory, Verifier, WebRecord, trajectory_from_json
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.replay.recorded import RecordedPages
from runtimes.web.replay.replay import NotReplayable, recorded_actions

from .episodes import SHOP, web_task
from .recording import BUY_TEA, TEA_IN_CART, Said, again, record, verdicts

pytestmark = pytest.mark.asyncio(loop_scope="module")


BUY_TEA_AND_LOOK: list[Said] = [
    *BUY_TEA,
    ("goto", "", {"url": "/orders"}),
    ("select", 'combobox "Status"', {"value": "Cancelled"}),
    ("click", 'button "Filter"', {}),
    ("extract", "table", {}),
    ("back", "", {}),
]
SEND: list[Said] = [("fill", 'textbox "Name"', {"text": "Ada"}), ("click", 'button "Send"', {})]
PAGE = """<title>{title}</title><h1>{title}</h1>{above}
<form action="{action}"><label>Name <input name="name" {field}></label>{button}</form>{below}"""
BUTTON = "<button>Send</button>"
LATE = f"setTimeout(() => document.forms[0].insertAdjacentHTML('beforeend', '{BUTTON}'), 500)"
VERSIONS: dict[str, dict[str, str]] = {
    "original": {},
    "moved": {"above": "<p>News</p>", "button": f"<div><p>{BUTTON}</p></div>"},
    "renamed": {"button": "<button>Submit</button>"},
    "removed": {"button": ""},
    "doubled": {"button": BUTTON + BUTTON},
    "disabled": {"button": "<button disabled>Send</button>"},
    "elsewhere": {"action": "/other"},
    "late": {"button": "", "below": f"<script>{LATE}</script>"},
}


class Form:
    """A site of one form whose page is of the `version` that a test says."""

    def __init__(self) -> None:
        self.version = "original"
        self.url = ""

    async def page(self, request: web.Request) -> web.Response:
        parts = {"title": "Form", "above": "", "action": "/sent", "field": "", "button": BUTTON, "below": ""}
        return _html(PAGE.format(**{**parts, **VERSIONS[self.version]}))

    async def sent(self, request: web.Request) -> web.Response:
        return _html(f"<title>Sent</title><p>Thank you, {request.query['name']}.</p>")


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def form() -> AsyncIterator[Form]:
    form = Form()
    app = web.Application()
    app.router.add_get("/", form.page)
    app.router.add_get("/sent", form.sent)
    app.router.add_get("/other", form.sent)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    form.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield form
    await runner.cleanup()


async def test_an_episode_in_the_shop_holds_in_a_fresh_browser_and_is_graded_again(
    pool: BrowserPool, recorded_pages: RecordedPages
) -> None:
    task = msgspec.structs.replace(web_task(start_url=SHOP), verifier=TEA_IN_CART)
    trajectory = await record(pool, task, BUY_TEA_AND_LOOK)
    assert trajectory.outcome == "solved"
    for step in trajectory.steps:  # nothing but the locators may be of use
        if "ref" in step.action_params:
            step.action_params["ref"] = "e99999"
    found = await again(recorded_pages, trajectory, task)
    assert verdicts(found) == ["same"] * (1 + len(BUY_TEA_AND_LOOK)), found.steps
    assert found.held == 1.0
    assert (found.outcome, found.recorded_outcome) == ("solved", "solved")
    assert found.all_held
    assert [step.action for step in found.steps] == ["start", *(tool for tool, _, _ in BUY_TEA_AND_LOOK)]
    assert found.steps[4].url == f"{SHOP}cart"


async def test_without_its_task_an_episode_is_repeated_but_not_graded(
    pool: BrowserPool, recorded_pages: RecordedPages
) -> None:
    task = msgspec.structs.replace(web_task(start_url=SHOP), verifier=TEA_IN_CART)
    found = await again(recorded_pages, await record(pool, task, BUY_TEA))
    assert found.outcome == "unverified"
    assert "not in the pool" in found.grade_reason
    assert found.all_held


async def test_a_changed_answer_is_graded_anew(pool: BrowserPool, recorded_pages: RecordedPages) -> None:
    exact = Verifier(kind="exact", spec={"expected": "42"})
    task = msgspec.structs.replace(web_task(start_url=SHOP), verifier=exact)
    trajectory = await record(pool, task, BUY_TEA[:1], answer="41")
    assert (trajectory.outcome, (await again(recorded_pages, trajectory, task)).outcome) == ("unsolved",) * 2
    trajectory.final_result = "42"
    found = await again(recorded_pages, trajectory, task)
    assert found.outcome == "solved"
    assert found.held == 1.0
    assert not found.all_held


@pytest.mark.parametrize(
    ("version", "expected", "told"),
    [
        ("original", ["same", "same", "same"], ""),
        ("moved", ["page_differs", "page_differs", "same"], "new: - paragraph"),
        ("renamed", ["page_differs", "page_differs", "not_found"], '- button "Submit"'),
        ("removed", ["page_differs", "page_differs", "not_found"], "No element is that any more."),
        ("doubled", ["page_differs", "page_differs", "ambiguous"], "2 elements are that now."),
        ("disabled", ["page_differs", "page_differs", "error"], "not enabled"),
        ("elsewhere", ["same", "same", "url_differs"], "/other?name=Ada"),
    ],
)
async def test_a_changed_page_is_told_step_by_step(
    pool: BrowserPool,
    recorded_pages: RecordedPages,
    form: Form,
    version: str,
    expected: list[str],
    told: str,
) -> None:
    task = web_task(start_url=form.url, allowed_domains=["127.0.0.1"])
    form.version = "original"
    trajectory = await record(pool, task, SEND)
    form.version = version
    found = await again(recorded_pages, trajectory, task)
    assert verdicts(found) == expected, found.steps
    assert told in " ".join(step.said for step in found.steps)
    assert found.held == expected.count("same") / 3
    assert found.all_held == (version == "original")


async def test_an_element_that_comes_a_moment_later_is_waited_for(
    pool: BrowserPool, recorded_pages: RecordedPages, form: Form
) -> None:
    task = web_task(start_url=form.url, allowed_domains=["127.0.0.1"])
    form.version = "original"
    trajectory = await record(pool, task, SEND)
    form.version = "late"
    assert verdicts(await again(recorded_pages, trajectory, task))[-1] == "same"


async def test_a_failed_step_is_repeated_only_where_it_changed_something(
    pool: BrowserPool, recorded_pages: RecordedPages, form: Form
) -> None:
    form.version = "original"
    task = web_task(start_url=form.url, allowed_domains=["127.0.0.1"])
    trajectory = await record(
        pool, task, [("click", r"(heading)", {}), ("click", 'button "Send"', {}), ("back", "", {})]
    )
    assert [step.success for step in trajectory.steps] == [False, True, True, True]
    found = await again(recorded_pages, trajectory, task)
    assert verdicts(found) == ["same", "skipped", "same", "same"]
    assert found.held == 1.0
    assert "when recorded" in found.steps[1].said
    trajectory.steps[1].success = False  # as a click whose time ran out after the page had gone on
    assert verdicts(await again(recorded_pages, trajectory, task)) == ["same", "skipped", "same", "same"]


async def test_a_page_that_no_longer_opens_and_a_host_that_is_refused_are_told(
    pool: BrowserPool, recorded_pages: RecordedPages, form: Form
) -> None:
    form.version = "original"
    task = web_task(start_url=form.url, allowed_domains=["127.0.0.1"])
    trajectory = await record(pool, task, [("click", 'button "Send"', {})])
    found = await again(recorded_pages, trajectory)  # without the task nothing allows that host
    assert verdicts(found) == ["error", "not_found"]
    assert not found.all_held


async def test_what_cannot_be_replayed_is_told_with_its_reason() -> None:
    plain = Trajectory(task_id="t", runtime_id="r")
    with pytest.raises(NotReplayable, match="no web trajectory"):
        recorded_actions(plain)
    step = {"step_id": 1, "action_type": "browser_action", "success": True, "tool_name": "click"}
    old = trajectory_from_json(msgspec.json.encode({**msgspec.to_builtins(plain), "steps": [step]}))
    with pytest.raises(NotReplayable, match="older version") as raised:
        recorded_actions(old)
    assert "adp run" in raised.value.remedy
    half = {"url_before": 7}
    with pytest.raises(NotReplayable, match="url_before"):
        recorded_actions(msgspec.structs.replace(plain, metadata={"start_page": half}))
    start = msgspec.to_builtins(WebRecord(url_after=SHOP))
    assert recorded_actions(msgspec.structs.replace(plain, metadata={"start_page": start}))[1] == []
