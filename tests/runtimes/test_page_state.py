"""Grading by the state of pages, through whole episodes of web tasks in the real browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Error, Page

from runtimes import perform as performing
from runtimes.builtin import ReasoningRuntime, WebRuntime
from runtimes.contracts import Message, TaskSpec, Trajectory, Verifier
from runtimes.errors import InfrastructureError
from runtimes.grading import page_reading
from runtimes.grading.base import check_verifier, grade
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.page import page
from runtimes.world import World
from sandbox import SandboxPool

from .scripted import ScriptedModel, Turn, call, finishes, reasoning_task, runs, says

CATALOGUE = "http://shop.test/_world/catalogue.json"
COUNT = "() => JSON.parse(document.body.innerText).length"
DESK = """<title>Desk</title>
<p id="total">Total:   <b>$37.50</b></p>
<p class="row">one</p><p class="row">two</p><p id="unseen" style="display:none">unseen</p>
<input id="city" value="Kyoto"><a id="more" href="/more?page=2">More</a>
<p id="late"></p><script>setTimeout(() => { late.textContent = 'here at last' }, 300)</script>
<button autofocus onclick="document.title = 'Pressed'; window.pressed = true;
  history.replaceState(null, '', '/desk/done?b=2&a=1#here')">Press</button>
<script>
  // A page that lies to scripts about its texts.
  Object.defineProperty(HTMLElement.prototype, 'innerText', {get: () => 'a lie'});
</script>"""

OPENING = "<button autofocus onclick='window.open(\"/closing\")'>Press</button>"
CLOSING = "<title>Closing</title><script>setTimeout(() => window.close(), 2000)</script>"
SPINNING = "<button autofocus onclick='setTimeout(() => { for (;;) {} }, 1000)'>Press</button>"
LEAVING = "<title>Leaving</title><script>setTimeout(() => { location = '/desk' }, 1000)</script>"
PAGES = {"/desk": DESK, "/leaving": LEAVING, "/opening": OPENING, "/closing": CLOSING, "/spinning": SPINNING}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browsers() -> AsyncIterator[BrowserPool]:
    """A browser with one place, so that an episode that keeps it stops the next one."""
    async with BrowserPool(max_contexts=1, navigation_seconds=3) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_host() -> AsyncIterator[str]:
    """`host:port` of a site on 127.0.0.1, which only a task that names it may open."""

    async def stock(request: web.Request) -> web.Response:
        return web.json_response({"stock": 7})

    async def desk(request: web.Request) -> web.Response:
        return web.Response(text=PAGES[request.path], content_type="text/html")

    async def failing(request: web.Request) -> web.Response:
        return web.Response(status=503)

    app = web.Application()
    app.router.add_get("/", stock)
    app.router.add_get("/failing", failing)
    for path in PAGES:
        app.router.add_get(path, desk)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def played(browsers: BrowserPool, spec: dict[str, Any], *turns: Turn, **constraints: Any) -> Trajectory:
    """What becomes of an agent that makes these turns, judged by a page_state verifier."""
    task = TaskSpec(
        task_type="web",
        description="How many products are there?",
        constraints={"start_url": "http://shop.test/", **constraints},
        verifier=Verifier("page_state", spec),
    ).named()
    assert task.verifier is not None
    check_verifier(task.verifier)
    services = Services(ScriptedModel(*turns), SandboxPool(slots=1), browsers)
    async with asyncio.timeout(60):
        return await perform(task, WebRuntime(services), services, sample=0, round="r")


async def graded(
    browsers: BrowserPool, answer: str, constraints: dict[str, Any] | None = None, **spec: Any
) -> Trajectory:
    """What becomes of an agent that answers at once, judged by the shop's catalogue."""
    return await played(
        browsers, {"url": CATALOGUE, "script": COUNT, **spec}, finishes(answer), **(constraints or {})
    )


async def at_the_desk(
    browsers: BrowserPool, local_host: str, *checks: dict[str, Any], press: bool = False, answer: str = ""
) -> Trajectory:
    """An agent that starts at the desk, perhaps presses its button, and answers."""
    pressing = [says(None, call("press", {"key": "Enter"}))] if press else []
    return await played(
        browsers,
        {"checks": list(checks)},
        *pressing,
        finishes(answer),
        start_url=f"http://{local_host}/desk",
        allowed_domains=[local_host],
    )


async def test_the_page_says_what_the_right_answer_is(browsers: BrowserPool) -> None:
    right = await graded(browsers, "There are 40.", compare="numeric")
    wrong = await graded(browsers, "There are 41.", compare="numeric")
    assert (right.outcome, wrong.outcome) == ("solved", "unsolved")


async def test_the_page_must_be_in_the_expected_state(browsers: BrowserPool) -> None:
    assert (await graded(browsers, "", expected=40)).outcome == "solved"
    assert (await graded(browsers, "", expected=True)).outcome == "unsolved"


@pytest.mark.parametrize("reading", [{"script": "() => {"}, {"locator": "p >> nowhere=["}])
async def test_a_verifier_that_could_read_no_page_leaves_the_episode_unverified(
    browsers: BrowserPool, reading: dict[str, Any]
) -> None:
    trajectory = await played(browsers, {"url": CATALOGUE, **reading, "expected": 40}, finishes("40"))
    assert trajectory.outcome == "unverified"
    assert "cannot be read" in trajectory.grade_reason
    assert trajectory.final_result == "40"


@pytest.mark.parametrize(
    "script", ["() => { throw new Error('crashed') }", "() => { for (;;) {} }", "JSON.parse('{')"]
)
async def test_a_script_that_fails_on_what_it_finds_is_a_state_that_is_not_the_expected_one(
    browsers: BrowserPool, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reading, "READING_SECONDS", 1.0)
    trajectory = await graded(browsers, "40", script=script, expected=40)
    assert (trajectory.outcome, trajectory.reward) == ("unsolved", 0.0)
    assert "verifier's script" in trajectory.grade_reason


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_grading_page_whose_name_nobody_has_leaves_the_episode_unverified(
    browsers: BrowserPool, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver(monkeypatch, socket.EAI_NONAME)
    trajectory = await graded(browsers, "40", url=f"{scheme}://nowhere.invalid/", expected=40)
    assert trajectory.outcome == "unverified"
    assert f"The grading page {scheme}://nowhere.invalid/ did not open" in trajectory.grade_reason
    assert "mend the address" in trajectory.grade_reason


async def test_a_resolver_that_gives_no_answer_is_our_failure(
    browsers: BrowserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver(monkeypatch, socket.EAI_AGAIN)
    trajectory = await graded(browsers, "40", url="http://nowhere.invalid/", expected=40)
    assert (trajectory.outcome, trajectory.error_type) == ("infrastructure_error", "network_error")
    assert "nowhere.invalid" in (trajectory.error_message or "")


async def test_a_grading_page_whose_server_fails_or_is_gone_is_our_failure(
    browsers: BrowserPool, local_host: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        gone = f"127.0.0.1:{once.getsockname()[1]}"
    for host, path, cause in (
        (gone, "", "cannot be reached"),
        (local_host, "failing", "its server answered 503"),
    ):
        trajectory = await graded(
            browsers, "40", {"allowed_domains": [host]}, url=f"http://{host}/{path}", expected=40
        )
        assert (trajectory.outcome, trajectory.error_type) == ("infrastructure_error", "network_error")
        assert cause in (trajectory.error_message or "")


async def test_a_bundled_site_that_does_not_answer_is_our_failure_though_no_resolver_knows_it() -> None:
    async with BrowserPool(navigation_seconds=0.001) as hurried:
        trajectory = await graded(hurried, "40", expected=40)
    assert (trajectory.outcome, trajectory.error_type) == ("infrastructure_error", "network_error")
    assert "Timeout" in (trajectory.error_message or "")


async def test_what_a_site_does_not_have_is_a_state_of_it_like_any_other(
    browsers: BrowserPool, local_host: str
) -> None:
    gone = {"url": f"http://{local_host}/no/such/page", "locator": "#total", "read": "count"}
    trajectory = await at_the_desk(browsers, local_host, {**gone, "expected": 0})
    assert trajectory.outcome == "solved", trajectory.grade_reason


def resolver(monkeypatch: pytest.MonkeyPatch, says: int) -> None:
    """Have this machine's resolver give this answer, an EAI error, for names under `.invalid`."""
    asked = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(says, "planned by a test")
        return asked(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def test_the_grader_opens_the_private_host_that_the_task_allows(
    browsers: BrowserPool, local_host: str
) -> None:
    url, stock = f"http://{local_host}/", "() => JSON.parse(document.body.innerText).stock"
    allowed = {"start_url": url, "allowed_domains": [local_host]}
    trajectory = await graded(browsers, "7", allowed, url=url, script=stock, expected=7)
    assert trajectory.outcome == "solved", trajectory.error_message
    for refused in (url, url.replace("http:", "https:")):
        trajectory = await graded(browsers, "7", url=refused, script=stock, expected=7)
        assert trajectory.outcome == "unverified"
        assert "allowed_domains" in trajectory.grade_reason


HOLDS: list[dict[str, Any]] = [
    {"locator": "#total", "expected": "Total: $37.50"},
    {"locator": "#total", "contains": "$37"},
    {"locator": "#total", "matches": r"\$\d+\.50$"},
    {"locator": "#total", "at_least": 37},
    {"locator": "#total", "compare": "numeric"},
    {"locator": "#city", "read": "value", "compare": "exact"},
    {"locator": ".row", "read": "count", "expected": 2},
    {"locator": "#unseen", "read": "visible", "expected": False},
    {"locator": "#more", "attribute": "href", "expected": "/more?page=2"},
    {"locator": "#nothing", "attribute": "href", "expected": None},
    {"locator": "#late", "contains": "at last"},
    {"script": "[1, {}, 'x']", "contains": {}},
    {"script": "document.querySelectorAll('.row').length", "at_least": 2},
]
FAILS: list[dict[str, Any]] = [
    {"locator": "#total", "expected": "$37.50"},
    {"locator": "#total", "at_least": 38},
    {"locator": "#total", "matches": "^37"},
    {"locator": ".row", "read": "count", "expected": 3},
    {"locator": "#unseen", "read": "visible", "expected": True},
    {"locator": "#nothing", "contains": ""},
    {"script": "true", "at_least": 1},
    {"locator": "#nothing", "compare": "exact"},
    {"locator": "#late", "compare": "numeric"},
]


@pytest.mark.parametrize("where", ["fresh page", "last page"])
async def test_every_kind_of_reading_and_expectation_holds_or_fails(
    browsers: BrowserPool, local_host: str, where: str
) -> None:
    place = {"url": f"http://{local_host}/desk"} if where == "fresh page" else {"at": "last_page"}
    held = await at_the_desk(
        browsers, local_host, *({**place, **check} for check in HOLDS[:5]), answer="37.5"
    )
    assert (held.outcome, held.grade_reason) == ("solved", "all 5 checks hold")
    # An agent that waits, as one that looks at the page does, sees what came late.
    rest = [{**place, **check} for check in HOLDS[5:]]
    late = {"at": "last_page", "script": "new Promise(done => setTimeout(() => done(1), 400))", "expected": 1}
    held = await at_the_desk(browsers, local_host, late, *rest, answer="Kyoto")
    assert held.outcome == "solved", held.grade_reason
    for check in FAILS if where == "last page" else FAILS[:1]:
        failed = await at_the_desk(browsers, local_host, {**place, **check}, answer="None")
        assert failed.outcome == "unsolved", check


async def test_all_checks_must_hold_and_the_reason_names_the_one_that_does_not(
    browsers: BrowserPool, local_host: str
) -> None:
    city = {"at": "last_page", "locator": "#city", "read": "value"}
    trajectory = await at_the_desk(
        browsers, local_host, {**city, "expected": "Kyoto"}, {**city, "expected": "Osaka"}
    )
    assert trajectory.outcome == "unsolved"
    assert trajectory.grade_reason.startswith("check 2 of 2: ")


async def test_a_locator_that_finds_several_elements_finds_not_what_it_should(
    browsers: BrowserPool, local_host: str
) -> None:
    trajectory = await at_the_desk(
        browsers, local_host, {"at": "last_page", "locator": ".row", "expected": "one"}
    )
    assert trajectory.outcome == "unsolved"
    assert "strict mode" in trajectory.grade_reason
    assert "\n" not in trajectory.grade_reason


async def test_what_could_not_be_read_is_told_without_the_log_of_how_it_was_come_to(
    browsers: BrowserPool, local_host: str
) -> None:
    check = {"at": "last_page", "locator": "#total", "read": "value", "expected": ""}
    trajectory = await at_the_desk(browsers, local_host, check)
    assert trajectory.outcome == "unsolved"
    assert "not an <input>" in trajectory.grade_reason
    assert "Call log" not in trajectory.grade_reason


async def test_what_only_the_agents_own_page_knows_is_seen_there_and_nowhere_else(
    browsers: BrowserPool, local_host: str
) -> None:
    pressed = {"script": "window.pressed === true", "expected": True}
    here, fresh = {"at": "last_page", **pressed}, {"url": f"http://{local_host}/desk", **pressed}
    assert (await at_the_desk(browsers, local_host, here, press=True)).outcome == "solved"
    assert (await at_the_desk(browsers, local_host, here)).outcome == "unsolved"
    assert (await at_the_desk(browsers, local_host, fresh, press=True)).outcome == "unsolved"


async def test_the_address_the_episode_ended_at_is_compared_whatever_its_spelling(
    browsers: BrowserPool, local_host: str
) -> None:
    ended = {"at": "last_page", "read": "url"}
    there = f"HTTP://{local_host}/x/../desk/done?a=1&b=2"
    for expectation in ({"expected": there}, {"matches": r"/desk/done\?a=1&b=2#here$"}, {"contains": "a=1"}):
        reached = await at_the_desk(browsers, local_host, {**ended, **expectation}, press=True)
        assert reached.outcome == "solved", reached.grade_reason
    elsewhere = await at_the_desk(browsers, local_host, {**ended, "expected": there})
    assert elsewhere.outcome == "unsolved"
    assert elsewhere.grade_reason.endswith("/desk")


async def test_a_page_that_goes_on_once_its_address_was_taken_is_not_read(
    browsers: BrowserPool, local_host: str
) -> None:
    """As one can that another window opened: its address is one site's, what is read another's."""
    meanwhile = {"url": f"http://{local_host}/desk", "script": "new Promise(r => setTimeout(r, 1500, 1))"}
    checks = [
        {"at": "last_page", "read": "url", "matches": "/leaving$"},
        {**meanwhile, "expected": 1},
        {"at": "last_page", "locator": "title", "read": "count", "expected": 1},
    ]
    told = {"start_url": f"http://{local_host}/leaving", "allowed_domains": [local_host]}
    trajectory = await played(browsers, {"checks": checks}, finishes(), **told)
    assert trajectory.outcome == "unsolved"
    assert "went on to" in trajectory.grade_reason
    unpinned = await played(browsers, {"checks": checks[1:]}, finishes(), **told)
    assert unpinned.outcome == "solved"


@pytest.mark.parametrize(
    ("script", "seconds", "outcome"),
    [
        ("true", 60.0, "solved"),
        ("false", 60.0, "unsolved"),
        ("nobody.knows", 60.0, "unsolved"),
        ("nobody knows", 60.0, "unverified"),
        ("new Promise(() => {})", 0.5, "infrastructure_error"),
    ],
)
async def test_whatever_the_verdict_the_last_page_gives_its_place_back(
    browsers: BrowserPool,
    local_host: str,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    seconds: float,
    outcome: str,
) -> None:
    monkeypatch.setattr(performing, "GRADING_SECONDS", seconds)
    check = {"at": "last_page", "script": script, "expected": True}
    trajectory = await at_the_desk(browsers, local_host, check)
    assert trajectory.outcome == outcome
    await next_page(browsers)


async def test_a_fresh_page_that_crashes_is_our_failure(browsers: BrowserPool) -> None:
    async def crash(page: Page) -> None:
        with suppress(Error):
            await page.goto("chrome://crash")

    class Crashing:
        @asynccontextmanager
        async def grading_page(self, *args: Any, **options: Any) -> AsyncIterator[Page]:
            async with browsers.grading_page(*args, **options) as page:
                page.on("domcontentloaded", crash)
                yield page

    services = Services(ScriptedModel(finishes()), SandboxPool(slots=1), cast("BrowserPool", Crashing()))
    trajectory = Trajectory(task_id="t", runtime_id="r", final_result="40")
    verifier = Verifier("page_state", {"url": CATALOGUE, "script": "new Promise(() => {})", "expected": 40})
    with pytest.raises(InfrastructureError, match="crashed"):
        await grade(verifier, trajectory, services, World())


async def test_a_page_that_closes_itself_while_it_is_judged_is_no_fault_of_ours(
    browsers: BrowserPool, local_host: str
) -> None:
    trajectory = await played(
        browsers,
        {"at": "last_page", "script": "new Promise(() => {})", "expected": True},
        says(None, call("press", {"key": "Enter"})),
        finishes(),
        start_url=f"http://{local_host}/opening",
        allowed_domains=[local_host],
    )
    assert trajectory.outcome == "unsolved"
    assert "closed" in trajectory.grade_reason
    await next_page(browsers)


async def test_an_episode_that_ends_on_a_page_that_hangs_is_not_solved(
    browsers: BrowserPool, local_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "OBSERVE_SECONDS", 2.0)

    async def later() -> Message:
        await asyncio.sleep(1)  # the page begins to hang when nobody acts on it
        return finishes()

    trajectory = await played(
        browsers,
        {"at": "last_page", "script": "true", "expected": True},
        says(None, call("press", {"key": "Enter"})),
        later,
        start_url=f"http://{local_host}/spinning",
        allowed_domains=[local_host],
    )
    assert (trajectory.outcome, trajectory.error_type) == ("unsolved", "timeout")
    await next_page(browsers)


async def test_an_episode_cancelled_while_it_is_judged_gives_its_place_back(
    browsers: BrowserPool, local_host: str
) -> None:
    asked = asyncio.Event()

    async def tell(request: web.Request) -> web.Response:
        asked.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/asked", tell)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/asked"
    script = f"fetch('{url}', {{mode: 'no-cors'}}).then(() => new Promise(() => {{}}))"
    judged = asyncio.ensure_future(
        played(
            browsers,
            {"at": "last_page", "script": script, "expected": True},
            finishes(),
            start_url=f"http://{local_host}/desk",
            allowed_domains=["127.0.0.1"],
        )
    )
    await asyncio.wait_for(asked.wait(), 30)
    judged.cancel()
    with pytest.raises(asyncio.CancelledError):
        await judged
    await runner.cleanup()
    await next_page(browsers)


async def test_the_sandbox_is_given_back_while_the_last_page_stays_open(browsers: BrowserPool) -> None:
    async with SandboxPool(slots=1) as sandboxes:
        services = Services(ScriptedModel(runs("print(1)"), finishes()), sandboxes, browsers)
        task = reasoning_task(constraints={"start_url": "http://shop.test/"})
        async with ReasoningRuntime(services).episode(task, keep_page=True) as (trajectory, world):
            assert trajectory.steps[0].success
            assert world.last_page is not None
            assert "Welcome to The Shop" in await world.last_page.title()
            async with asyncio.timeout(20), sandboxes.session():
                pass
        assert world.last_page.is_closed()


async def test_an_episode_that_no_verifier_looks_at_keeps_no_page(browsers: BrowserPool) -> None:
    services = Services(ScriptedModel(finishes()), SandboxPool(slots=1), browsers)
    task = TaskSpec(task_type="web", description="Look.", constraints={"start_url": "http://shop.test/"})
    async with WebRuntime(services).episode(task.named()) as (_, world):
        assert world.last_page is None
        assert world.last_url == "http://shop.test/"
        await next_page(browsers)


async def next_page(browsers: BrowserPool) -> None:
    """The pool's only place is free."""
    task = TaskSpec(task_type="web", description="Look.", constraints={"start_url": "http://shop.test/"})
    async with asyncio.timeout(20), browsers.page(task) as page:
        assert "Welcome" in await page.observe()
