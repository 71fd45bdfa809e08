"""Secrets are taken out of what is written down, in every spelling, and nothing else is touched."""

from __future__ import annotations

import base64
import html
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web

from runtimes.builtin import CodeRuntime, WebRuntime
from runtimes.contracts import ExecutionStep, Trajectory, Verifier, WebRecord, trajectory_to_json
from runtimes.errors import ModelUnavailable
from runtimes.perform import REDACTED_ANSWER, perform
from runtimes.secrets import Redactor, secret_values, session_values
from tests.runtimes.scripted import ScriptedModel, Turn, call, code_task, finishes, runs, says, services
from tests.runtimes.web.episodes import web_task

KEY = 'sk-pl4nted/"quoted"+\\back&<é>='
PLAIN = "ghp_0123456789abcdefGHIJ"
REDACTOR = Redactor([("OPENAI_API_KEY", KEY), ("GH_TOKEN", PLAIN)])


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        json.dumps({"key": KEY}),
        json.dumps({"key": KEY}, ensure_ascii=False),
        json.dumps({"arguments": json.dumps({"key": KEY})}),
        json.dumps({"key": KEY}).replace("/", "\\/"),
        repr({"key": KEY}),
        html.escape(f"<p>{KEY}</p>"),
        f"https://example.com/?key={quote(KEY)}",
        f"https://example.com/?key={quote(KEY, safe='')}",
        f"key={quote_plus(KEY)}",
        *(base64.b64encode(b"u" * before + KEY.encode() + b":rest").decode() for before in range(3)),
        *(base64.urlsafe_b64encode(b"u" * before + KEY.encode()).decode() for before in range(3)),
    ],
)
def test_a_secret_is_found_in_every_spelling(written: str) -> None:
    redacted = REDACTOR.text(f"before {written} after")
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert "[redacted:OPENAI_API_KEY]" in redacted
    assert "pl4nted" not in redacted
    assert base64.b64encode(b"pl4nted")[2:8].decode() not in redacted


def test_json_stays_json_of_the_same_shape() -> None:
    arguments = json.dumps({"code": f"print({KEY!r})", PLAIN: 1})
    redacted = REDACTOR.json({"arguments": arguments, PLAIN: (PLAIN, 1.5, None)})
    assert json.loads(str(redacted["arguments"])).keys() == {"code", "[redacted:GH_TOKEN]"}
    assert redacted["[redacted:GH_TOKEN]"] == ("[redacted:GH_TOKEN]", 1.5, None)


@pytest.mark.parametrize("depth", [50, 600, 2000])
def test_however_deep_a_secret_lies_it_is_found(depth: int) -> None:
    value: Any = {"key": KEY}
    for _ in range(depth):
        value = [value]
    found = REDACTOR.json(value)
    for _ in range(50):
        (found,) = found
    assert KEY not in str(found)
    assert "redacted" in str(found)


def test_what_holds_no_secret_is_given_back_as_it_is() -> None:
    trajectory = a_trajectory()
    assert REDACTOR.json(trajectory) is trajectory
    assert Redactor().json(trajectory) is trajectory


def test_ids_and_digests_stay_and_everything_around_them_is_cleaned() -> None:
    web = WebRecord(snapshot=PLAIN, screenshot=PLAIN, url_after=f"http://shop.test/?t={PLAIN}")
    step = ExecutionStep(
        step_id=1, action_type="browser_action", success=True, action_params={"snapshot": PLAIN}, web=web
    )
    trajectory = a_trajectory(task_id=PLAIN, prompt_hash=PLAIN, steps=[step], metadata={PLAIN: [PLAIN]})
    cleaned = REDACTOR.json(trajectory)
    assert (cleaned.task_id, cleaned.prompt_hash) == (PLAIN, PLAIN)
    record = cleaned.steps[0].web
    assert record is not None
    assert (record.snapshot, record.screenshot) == (PLAIN, PLAIN)
    assert record.url_after == "http://shop.test/?t=[redacted:GH_TOKEN]"
    assert cleaned.steps[0].action_params == {"snapshot": "[redacted:GH_TOKEN]"}
    assert cleaned.metadata == {"[redacted:GH_TOKEN]": ["[redacted:GH_TOKEN]"]}
    assert trajectory.steps[0].web is web
    assert web.url_after.endswith(PLAIN)


def test_text_that_is_not_unicode_is_searched_all_the_same() -> None:
    assert REDACTOR.json({"said": f"\ud800 {PLAIN}"}) == {"said": "\ud800 [redacted:GH_TOKEN]"}


def test_a_secret_of_several_lines_is_found_however_it_is_indented() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----"
    redacted = Redactor([("DEPLOY_KEY", key)]).text(key.replace("\n", "\r\n      "))
    assert "MIIEvQ" not in redacted
    assert "AQEFAA" not in redacted


def test_a_secret_within_another_leaves_nothing_of_either() -> None:
    longer = f"{PLAIN}-and-more"
    redacted = Redactor([("SHORT", PLAIN), ("LONG", longer)]).text(f"{longer} {PLAIN}")
    assert redacted == "[redacted:LONG] [redacted:SHORT]"


def test_errors_and_their_causes_lose_the_secrets_in_their_words() -> None:
    error = ModelUnavailable(f"refused {PLAIN}", f"try another than {PLAIN}")
    error.__cause__ = ValueError(f"no such key: {PLAIN}")
    REDACTOR.error(error)
    assert str(error) == "refused [redacted:GH_TOKEN] try another than [redacted:GH_TOKEN]"
    assert error.args == ("refused [redacted:GH_TOKEN]",)
    assert str(error.__cause__) == "no such key: [redacted:GH_TOKEN]"


def test_secrets_of_an_environment_are_told_by_name_and_address() -> None:
    environment = {
        "OPENAI_API_KEY": "sk-0123456789",
        "HF_TOKEN": "hf_abcdefgh",
        "PGPASSWORD": "hunter-2hunter",
        "DATABASE_PATH": "postgresql+psycopg2://adp:p%40ssw0rd!@db/adp",
        "REDIS_URL": "redis://:r3dis-pass@cache:6379/0",
        "HTTPS_PROXY": "http://ghp_0123456789abcdefGHIJ@proxy:3128",
        "SEARCH_URL": "http://search/?api_key=s34rch-key",
        "MCP_SECRETS": '{"GITHUB": "ghp-in-json-0123"}',
        "BAD_SECRETS": '{"not json',
        "PWD": "/home/someone/project-1",
        "SSH_AUTH_SOCK": "/tmp/agent.1",
        "TOKEN_URL": "https://auth.example/token",
        "KEYBOARD": "us-intl-104",
        "VLLM_URL": "http://localhost:8000",
        "BROKEN": "http://[broken",
    }
    found = set(secret_values(environment))
    assert {value for _, value in found if value} == {
        "sk-0123456789",
        "hf_abcdefgh",
        "hunter-2hunter",
        "p%40ssw0rd!",
        "p@ssw0rd!",
        "r3dis-pass",
        "ghp_0123456789abcdefGHIJ",
        "s34rch-key",
        "ghp-in-json-0123",
        environment["MCP_SECRETS"],
        environment["BAD_SECRETS"],
    }
    assert ("REDIS_URL", "r3dis-pass") in found


@pytest.mark.parametrize("value", ["", "true", "password", "changeme", "100000000", "a-b-1"])
def test_words_and_numbers_that_are_no_secrets_stay(value: str) -> None:
    text = f"the {value} is true: 100000000, password, changeme, a-b-1"
    assert Redactor([("SECRET", value)]).text(text) == text


def test_a_browser_is_asked_for_what_proves_who_one_is_and_for_nothing_else() -> None:
    state = {
        "cookies": [
            {"name": "sid", "value": "5d41402abc", "httpOnly": False},
            {"name": "state", "value": "opaque-1", "httpOnly": True},
            {"name": "visitor", "value": "9f86d081884c7d659a2feaa0", "httpOnly": False},
            {"name": "last_seen", "value": "mechanical-keyboards", "httpOnly": False},
        ],
        "origins": [
            {
                "origin": "http://shop.test",
                "localStorage": [
                    {"name": "access_token", "value": "abc-123-def"},
                    {"name": "cart", "value": '[{"id": "lamp-3"}]'},
                ],
            }
        ],
    }
    assert {value for _, value in session_values(state)} == {
        "5d41402abc",
        "opaque-1",
        "9f86d081884c7d659a2feaa0",
        "abc-123-def",
    }
    assert list(session_values(None)) == []


async def performed(*turns: Turn, verifier: Verifier | None = None) -> Trajectory:
    model = ScriptedModel(*turns)
    async with services(model) as opened:
        opened.redactor = REDACTOR
        task = code_task(description=f"Say {PLAIN}.", verifier=verifier)
        return await perform(task, CodeRuntime(opened), opened, sample=0, round="r")


async def test_no_part_of_a_trajectory_that_leaves_perform_holds_a_secret() -> None:
    code = f"import base64\nkey = {KEY!r}\nprint(key, base64.b64encode(key.encode()))\nopen(key + 'x/y')"
    trajectory = await performed(
        says(f"I think of {PLAIN}.", call("python_executor", {"code": code}), reasoning_content=PLAIN),
        says(None, call("python_executor", {PLAIN: KEY})),
        finishes(PLAIN),
        verifier=Verifier("exact", {"expected": f"not {PLAIN}"}),
    )
    document = trajectory_to_json(trajectory).decode()
    assert "pl4nted" not in document
    assert base64.b64encode(b"pl4nted")[2:8].decode() not in document
    assert PLAIN not in document
    assert "[redacted:OPENAI_API_KEY]" in trajectory.steps[0].observation
    assert trajectory.final_result == "[redacted:GH_TOKEN]"


async def test_the_verdict_is_of_what_the_agent_really_answered() -> None:
    trajectory = await performed(finishes(PLAIN), verifier=Verifier("exact", {"expected": PLAIN}))
    assert trajectory.outcome == "solved"
    assert PLAIN not in trajectory_to_json(trajectory).decode()
    assert trajectory.metadata[REDACTED_ANSWER] is True
    plain = await performed(finishes("42"), verifier=Verifier("exact", {"expected": "42"}))
    assert REDACTED_ANSWER not in plain.metadata


async def test_a_failure_of_the_platform_is_told_without_secrets() -> None:
    trajectory = await performed(ModelUnavailable(f"the proxy said: bad key {PLAIN}"))
    assert trajectory.outcome == "infrastructure_error"
    assert trajectory.error_message == "the proxy said: bad key [redacted:GH_TOKEN]"


async def test_the_hosts_environment_is_not_the_sandboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_API_KEY", PLAIN)
    look = "import os\nprint(dict(os.environ))\nprint(open('/proc/self/environ').read())"
    model = ScriptedModel(runs(look), finishes())
    async with services(model) as opened:
        trajectory = await perform(code_task(), CodeRuntime(opened), opened, sample=0, round="r")
    assert "PLANTED" not in trajectory.steps[0].observation
    assert PLAIN not in trajectory.steps[0].observation


async def test_cookies_of_the_episodes_browser_stay_in_it(tellers_site: str) -> None:
    task = web_task(start_url=tellers_site, allowed_domains=["127.0.0.1"])
    model = ScriptedModel(says(None, call("reload")), finishes())
    async with services(model) as opened:
        trajectory = await perform(task, WebRuntime(opened), opened, sample=0, round="r")
    document = trajectory_to_json(trajectory).decode()
    shown = str(trajectory.prompt) + str(trajectory.steps[0].observation)
    assert "Visit 1: sid=[redacted:cookie_sid]" in shown
    assert "Visit 2: sid=[redacted:cookie_sid]" in shown
    assert "session-of-visit" not in document
    assert "theme=dark" in shown


@pytest_asyncio.fixture
async def tellers_site() -> AsyncIterator[str]:
    """A site that gives a new session at each visit, and shows it, as scripts can read it, too."""
    visits = itertools.count(1)

    async def visit(request: web.Request) -> web.Response:
        number = next(visits)
        sid = f"session-of-visit-{number}"
        page = web.Response(
            text=f"<title>T</title><p>Visit {number}: sid={sid}</p><p id=p></p>"
            "<script>p.textContent = document.cookie; alert(document.cookie)</script>",
            content_type="text/html",
        )
        page.set_cookie("sid", sid)
        page.set_cookie("theme", "dark")
        return page

    app = web.Application()
    app.router.add_get("/", visit)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


def a_trajectory(**fields: object) -> Trajectory:
    return msgspec.structs.replace(Trajectory(task_id="t", runtime_id="r"), **fields)
