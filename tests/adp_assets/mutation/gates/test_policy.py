"""Policy: forbidden sites, hosts beyond the parents', addresses of machines, secrets."""

from __future__ import annotations

from typing import Any

import pytest

from adp_assets.mutation.gates.policy import PolicyGate
from adp_assets.mutation.reach import OFFLINE
from runtimes.contracts import TaskSpec, Verifier
from runtimes.secrets import Redactor
from tests.adp_assets.mutation.candidates import said
from tests.adp_assets.tasks import task

SECRET = "correct-horse-battery-7"
SHOP = {"start_url": "http://shop.test/"}
GATE = PolicyGate(["evil.test", "*.bad.example", "münchen.de"], Redactor([("MY_KEY", SECRET)]))


def web(description: str = "Buy tea.", constraints: dict[str, Any] = SHOP, **fields: Any) -> TaskSpec:
    return task("new", task_type="web", description=description, constraints=constraints, **fields)


@pytest.mark.parametrize(
    "description",
    [
        "Open http://evil.test/login and read it.",
        "Go to EVIL.test.",
        "打开evil.test首页",
        "Read www.evil.test/a, then stop.",
        "Open http://evil%2Etest/",
        "Open ｅｖｉｌ．ｔｅｓｔ and evil\u200b.test.",
        "Look at sub.bad.example",
        "Open https://evil\u3002test/ now.",
        "打开evil\uff61test,读一读。",
        "Open http://evil%EF%BD%A1test/",
        "Open http://evil.te\tst/ or http://evil.\r\ntest/.",
        "Go to xn--mnchen-3ya.de.",
        "Go to MÜNCHEN.de.",
        "打开sub.münchen\u3002de。",
    ],
)
async def test_a_forbidden_site_is_found_however_it_is_written(description: str) -> None:
    finding = await said(GATE, task(description=description))
    assert "forbidden site" in finding.reason


@pytest.mark.parametrize(
    "description",
    [
        "Is devil.test a name?",
        "evil.testing",
        "evil.test.org is another.",
        "What is evil.\ntest it, and see http://good.example/\ntest too.",
        "Is evil。 test 是什么?",
    ],
)
async def test_a_name_that_only_looks_like_a_forbidden_one_passes(description: str) -> None:
    assert (await said(GATE, task(description=description))).passed


async def test_a_forbidden_site_in_a_verifier_or_in_constraints_is_refused() -> None:
    page = Verifier("page_state", {"url": "http://evil.test/", "script": "1", "expected": 1})
    assert "evil.test" in (await said(GATE, task(verifier=page))).reason
    assert "evil.test" in (await said(GATE, web(constraints={"allowed_domains": ["evil.test"]}))).reason


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://169.254.169.254/latest/meta-data", "private or local"),
        ("http://127.0.0.1:8000/", "private or local"),
        ("http://[::1]/", "private or local"),
        ("http://localhost/admin", "private or local"),
        ("http://0x7f000001/", "canonical"),
        ("http://93.184.216.34/", "address of numbers"),
        ("file:///etc/passwd", "only http and https"),
        ("ftp://files.test/a", "only http and https"),
        ("http://shop.test/_world/state.json", "graders only"),
    ],
)
async def test_addresses_that_no_agent_should_be_sent_to_are_refused(url: str, named: str) -> None:
    finding = await said(GATE, web(f"Open {url}, and tell what is there."), parent=web())
    assert named in finding.reason


async def test_a_host_that_the_parents_were_not_granted_is_refused() -> None:
    bounded = web(constraints={**SHOP, "allowed_domains": ["docs.test"]})
    same = dict(bounded.constraints)
    asked = "Open http://news.test/ and http://docs.test/a."
    finding = await said(GATE, web(asked, same), parent=bounded)
    assert "http://news.test/" in finding.reason
    assert (await said(GATE, web("Open http://api.docs.test/a", same), parent=bounded)).passed
    partner = web(constraints={**SHOP, "allowed_domains": ["news.test"]})
    assert (await said(GATE, web(asked, same), parent=bounded, partner=partner)).passed


@pytest.mark.parametrize(
    ("made", "parents", "named"),
    [
        (
            {**SHOP, "allowed_domains": ["docs.test", "10.0.0.7"]},
            {"allowed_domains": ["docs.test"]},
            "10.0.0.7",
        ),
        (SHOP, {**SHOP, "allowed_domains": ["docs.test"]}, "any host"),
    ],
)
async def test_constraints_that_open_more_than_the_parents_are_refused(
    made: dict[str, Any], parents: dict[str, Any], named: str
) -> None:
    finding = await said(GATE, web(constraints=made), parent=web(constraints=parents))
    assert named in finding.reason


async def test_code_that_reaches_nothing_may_speak_of_any_address_but_gets_no_host() -> None:
    about = "Write is_private(url): http://127.0.0.1/ and http://10.0.0.1/ are, file:///tmp is none."
    sealed = task(description=about, expected_tools=["python_executor"])
    assert (await said(GATE, sealed)).passed
    opened = task(description="Fetch it.", constraints={"allowed_domains": ["pypi.test"]})
    assert "its parents reach nothing" in (await said(GATE, opened)).reason


@pytest.mark.parametrize(
    ("tools", "constraints", "named"),
    [
        (["python_executor", "browser"], {}, "may open any host"),
        (["python_executor", "web_search"], {}, "web_search"),
        (["python_executor", "web_search"], {"allowed_domains": []}, "web_search"),
        (["crm_lookup"], {}, "crm_lookup"),
    ],
)
async def test_a_tool_that_opens_addresses_is_no_way_out_for_children_of_tasks_that_open_none(
    tools: list[str], constraints: dict[str, Any], named: str
) -> None:
    parent = task("seed", expected_tools=["python_executor"])
    finding = await said(GATE, task(expected_tools=tools, constraints=constraints), parent=parent)
    assert named in finding.reason
    assert "its parents reach nothing" in finding.reason


async def test_pages_that_are_bound_to_the_shop_are_within_the_reach_of_any_parent() -> None:
    parent = task("seed", expected_tools=["python_executor"])
    shop: dict[str, Any] = {
        "expected_tools": ["python_executor", "browser"],
        "constraints": {"allowed_domains": []},
    }
    assert (await said(GATE, task(description="Look at http://shop.test/.", **shop), parent=parent)).passed
    astray = task(description="Open https://attacker.example/x first.", **shop)
    assert "https://attacker.example/x" in (await said(GATE, astray, parent=parent)).reason


async def test_a_tool_that_heeds_no_hosts_is_for_children_of_those_that_have_it_or_may_open_any() -> None:
    bounded = web(constraints={**SHOP, "allowed_domains": ["docs.test"]}, expected_tools=["browser"])
    searching = web(constraints=bounded.constraints, expected_tools=["browser", "web_search"])
    assert "web_search" in (await said(GATE, searching, parent=bounded)).reason
    assert (await said(GATE, searching, parent=searching)).passed
    assert (
        await said(GATE, web(expected_tools=["web_search"]), parent=web(expected_tools=["browser"]))
    ).passed


async def test_a_deployments_own_tools_that_open_nothing_are_no_reach() -> None:
    gate = PolicyGate([], Redactor(()), offline=OFFLINE | {"sudoku_solver"})
    made = task(expected_tools=["python_executor", "sudoku_solver"])
    assert (await said(gate, made, parent=task("seed", expected_tools=["python_executor"]))).passed


async def test_a_verifier_may_read_the_graders_pages_of_its_parents_site() -> None:
    page = Verifier("page_state", {"url": "http://shop.test/_world/state.json", "script": "1", "expected": 2})
    assert (await said(GATE, web(verifier=page), parent=web())).passed


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        "Use the key sk-proj-abcdEFGH1234ijklMNOP5678.",
        "ghp_" + "a1B2" * 9,
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ],
)
async def test_a_secret_is_refused_and_not_told(text: str) -> None:
    for made, reference in (
        (task(description=f"Log in. {text}"), ""),
        (task(verifier=Verifier("exact", {"expected": text})), ""),
        (task(), text),
    ):
        finding = await said(GATE, made, reference)
        assert not finding.passed
        assert text not in finding.reason


async def test_the_shops_own_passwords_are_no_secrets() -> None:
    assert (await said(GATE, web("Log in as alice with the password maple-river-41."), parent=web())).passed
