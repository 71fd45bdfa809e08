"""Addresses an agent may not open, by whatever way it tries."""

from __future__ import annotations

import pytest
from playwright.async_api import Error

from runtimes.contracts import TaskSpec
from runtimes.errors import ToolError
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.egress.guard import Guard

from .episodes import SHOP, ref_of, web_task

pytestmark = pytest.mark.asyncio(loop_scope="module")


FORBIDDEN = (
    "http://shop.test/_world/state.json",
    "http://shop.test//_world/state.json",
    "http://shop.test/%5Fworld/state.json",
    "http://shop.test/category/../_world/state.json",
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://[::ffff:127.0.0.1]/",
    "http://localhost:8000/",
    "http://169.254.169.254/latest/meta-data/",
    "http://192.168.1.1/",
)


async def test_an_agent_is_refused_the_graders_part_and_private_networks(pool: BrowserPool) -> None:
    async with pool.page(web_task(start_url=SHOP)) as page:
        for url in FORBIDDEN:
            with pytest.raises(ToolError, match="may not be opened") as raised:
                await page.goto(url)
            assert raised.value.error_type == "system_error", url
        assert len(page.blocked) == len(FORBIDDEN)
        assert "Welcome to The Shop" in await page.observe()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "javascript:alert(1)", "view-source:http://shop.test/"]
)
async def test_an_agent_is_refused_everything_but_http(pool: BrowserPool, url: str) -> None:
    async with pool.page(web_task(start_url=SHOP)) as page:
        with pytest.raises(ToolError, match="cannot be opened") as raised:
            await page.goto(url)
        assert raised.value.error_type == "system_error"


async def test_only_allowed_domains_and_the_shop_are_opened(pool: BrowserPool, awkward_site: str) -> None:
    async with pool.page(web_task(start_url=SHOP, allowed_domains=["example.com"])) as page:
        with pytest.raises(ToolError, match="not among the task's allowed_domains"):
            await page.goto("http://example.org/")
        with pytest.raises(ToolError, match="private or local network"):
            await page.goto(awkward_site)
        assert page.blocked == ["http://example.org/", awkward_site]


async def test_a_link_that_leads_outside_leaves_the_page_and_is_told(
    pool: BrowserPool, awkward_task: TaskSpec
) -> None:
    async with pool.page(awkward_task) as page:
        seen = await page.click(ref_of(await page.observe(), 'link "Elsewhere"'))
        assert "http://elsewhere.example/ was not opened" in seen
        assert "Title: Awkward" in seen


async def test_nothing_is_shown_of_a_forbidden_address_a_redirect_led_to(
    pool: BrowserPool, awkward_task: TaskSpec, awkward_site: str
) -> None:
    async with pool.page(awkward_task) as page:
        link = ref_of(await page.observe(), 'link "To the graders')
        with pytest.raises(ToolError, match="graders only"):
            await page.click(link)
        with pytest.raises(ToolError, match="private or local network"):
            await page.goto(f"{awkward_site}to-local")
        assert page.blocked[0] == "http://shop.test/_world/state.json"
        assert "secret" not in await page.observe()


async def test_a_frame_at_a_forbidden_address_is_emptied_and_the_page_around_it_stays(
    pool: BrowserPool, awkward_task: TaskSpec, awkward_site: str
) -> None:
    async with pool.page(awkward_task) as page:
        seen = await page.goto(f"{awkward_site}framing")
        assert "around" in seen
        assert "A frame was emptied: http://localhost:" in seen
        assert "secret" not in seen.partition("\n\n")[2]
        assert "private or local" not in seen.partition("\n\n")[2]
        assert "around" in await page.observe()


async def test_the_graders_part_of_the_shop_needs_the_key_too(pool: BrowserPool) -> None:
    async with pool.page(web_task(start_url=SHOP)), pool.grading_page() as page:
        await page.goto(f"{SHOP}_world/accounts.json")
        assert "alice" in await page.inner_text("body")
        assert "maple-river-41" not in await page.inner_text("body")
        await page.unroute_all()
        response = await page.request.get(f"http://127.0.0.1:{pool.shop_port}/_world/accounts.json")
        assert response.status == 403


@pytest.mark.parametrize(
    ("url", "allowed", "refused"),
    [
        ("https://example.com/", None, False),
        ("https://docs.example.com/", ("example.com",), False),
        ("https://badexample.com/", ("example.com",), True),
        ("http://127.0.0.1:8000/", ("127.0.0.1:8000",), False),
        ("http://127.0.0.1:8001/", ("127.0.0.1:8000",), True),
        ("http://10.0.0.8/", ("example.com",), True),
        ("http://[::1]/", None, True),
        ("http://metadata.google.internal/", None, True),
        ("https://example.com/", (), True),
        ("http://shop.test/cart", (), False),
        ("http://shop.test./cart", (), False),
        ("https://shop.test/cart", None, True),
        ("http://shop.test:22/", None, True),
        ("http://shop.test:80/", None, False),
        ("http://a.shop.test/", (), True),
        ("https://example.com:8443/", None, False),
        ("https://example.com:8443/", ("example.com",), False),
        ("https://a.example.com:8443/", ("example.com:8443",), True),
        ("http://example.com:25/", None, True),
        ("http://example.com:6667/", ("example.com",), True),
        ("http://[2606:4700::1111]/", None, False),
        ("http://[::1]:8000/", ("::1",), False),
        ("http://[::1]:8000/", ("[::1]:8000",), False),
        ("http://[::1]:8001/", ("[::1]:8000",), True),
        ("http://[::ffff:127.0.0.1]/", None, True),
        ("http://2130706433/", None, True),
        ("http://0x7f.1/", None, True),
        ("http://0177.0.0.1/", None, True),
        ("http://127.0.0.1./", None, True),
        ("http://0.0.0.0/", None, True),
        ("http://example.com@127.0.0.1/", None, True),
        ("http://127.0.0.1@example.com/", None, False),
        ("http://LOCALHOST/", None, True),
        ("http://a.localhost/", None, True),
        ("http://a.localhost/", ("a.localhost",), False),
        ("http://x.intranet.internal/", ("intranet.internal",), True),
        ("http://metadata.google.internal/", ("google.internal",), True),
        ("http://bücher.example/", ("xn--bcher-kva.example",), False),
        ("http://exаmple.com/", ("example.com",), True),  # a Cyrillic а
        ("http://example.com:99999/", None, True),
        ("http://[::1/", None, True),
        ("http:///", None, True),
        *(
            (url, None, True)
            for url in (
                *("ftp://example.com/", "file:///etc/passwd", "data:text/html,x", "about:blank", "blob:x"),
                *("chrome://version", "view-source:http://example.com/", "javascript:1", "ws://example.com/"),
                *("filesystem:http://example.com/x", "devtools://x", "chrome-extension://x/", "", "x"),
            )
        ),
    ],
)
async def test_what_a_guard_refuses(url: str, allowed: tuple[str, ...] | None, refused: bool) -> None:
    assert bool(Guard(allowed).refusal(url)) is refused


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://10.0.0.8/", False),
        ("http://10.0.0.9/", True),
        ("http://wiki.corp.internal/", False),
        ("http://corp.internal/", True),
        ("https://public.example/", True),
    ],
)
async def test_the_deployment_opens_private_hosts_and_grants_no_others(url: str, refused: bool) -> None:
    allow_private = ("10.0.0.8", "*.corp.internal", "public.example")
    allowed = ("10.0.0.8", "10.0.0.9.example", "wiki.corp.internal")
    assert bool(Guard(allowed, allow_private=allow_private).refusal(url)) is refused
    assert bool(Guard(None, allow_private=allow_private).refusal("http://10.0.0.8/")) is False
    assert bool(Guard((), allow_private=allow_private).refusal("http://10.0.0.8/")) is True


async def test_a_star_among_the_allowed_domains_stands_for_every_public_host() -> None:
    guard = Guard.of_task(web_task(allowed_domains=["*"]))
    assert guard.refusal("https://example.org/") == ""
    assert "private" in guard.refusal("http://127.0.0.1/")


async def test_allowed_domains_that_are_no_list_fail_the_task_with_the_way_out(pool: BrowserPool) -> None:
    with pytest.raises(ToolError, match="must be a list of host names"):
        async with pool.page(web_task(allowed_domains="example.com")):
            pass


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("https://evil.test/", True),
        ("http://a.b.evil.test:8080/", True),
        ("http://evil\u3002test/", True),
        ("http://xn--mnchen-3ya.de/", True),
        ("http://münchen.de/", True),
        ("http://8.8.4.4/", True),
        ("https://devil.test/", False),
        ("https://evil.test.org/", False),
        ("http://shop.test/", False),
    ],
)
@pytest.mark.parametrize("allowed", [None, ("test", "evil.test", "org", "de", "8.8.4.4")])
async def test_what_the_deployment_forbids_is_closed_also_to_tasks_that_name_it(
    url: str, refused: bool, allowed: tuple[str, ...] | None
) -> None:
    forbidden = ("evil.test", "xn--mnchen-3ya.de", "8.8.4.4")
    reason = Guard(allowed, allow_private=("evil.test",), forbidden=forbidden).refusal(url)
    assert reason == ("its host is forbidden here" if refused else "")


async def test_no_page_of_an_episode_or_a_grader_opens_a_forbidden_domain(awkward_site: str) -> None:
    host = "127.0.0.1"
    async with BrowserPool(forbidden=(host,)) as pool:
        async with pool.page(web_task(start_url=SHOP, allowed_domains=[host])) as page:
            with pytest.raises(ToolError, match="forbidden here"):
                await page.goto(awkward_site)
        async with pool.grading_page(allowed_domains=(host,)) as page:
            with pytest.raises(Error, match="ERR_BLOCKED_BY_CLIENT"):
                await page.goto(awkward_site)


async def test_a_frame_whose_address_python_cannot_read_is_no_fault() -> None:
    assert Guard().may_show("data://[x")
    assert not Guard().may_show("http://[x")
