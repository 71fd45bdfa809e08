"""`adp replay` on an episode that `adp run` recorded, and what it says to what cannot be replayed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from runtimes.web.page.screenshots import ScreenshotStore
from runtimes.web.replay.replay import Verdict
from tests.adp_service.command import Ended, adp, in_this_process, project
from tests.llm_server.process import ROOT

CART = {
    "task_id": "cart",
    "task_type": "web",
    "description": "办公室采购:请在商店里加入2件无线鼠标和4件龙井绿茶,完成后说一声。",
    "constraints": {"start_url": "http://shop.test/"},
    "max_steps": 18,
    "verifier": {
        "kind": "page_state",
        "spec": {
            "url": "http://shop.test/_world/state.json",
            "script": "() => JSON.parse(document.body.innerText).cart",
            "expected": {"Wireless Mouse": 2, "Green Tea Longjing": 4},
        },
    },
}
LOST = {
    "task_id": "lost",
    "task_type": "web",
    "description": "Find what nobody has.",
    "constraints": {"start_url": "http://shop.test/"},
    "verifier": {"kind": "exact", "spec": {"expected": "x"}},
}
SUM = {"task_id": "sum", "task_type": "code", "description": "How much is 2 + 3?"}

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project where the built-in teacher has run a task of the shop, a hopeless one, and one of no page."""
    folder = project(tmp_path_factory.mktemp("replay"), TEACHER_ERROR_RATE=0, WEB_TRACE="failure")
    (folder / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in (CART, LOST, SUM)))
    ran = adp(folder, "run", "tasks.jsonl", "--model", "builtin")
    assert ran.code == 0, ran.said
    return folder


def test_show_tells_what_a_step_was_done_to_and_where_its_picture_is(done: Path) -> None:
    shown = adp(done, "show", "cart")
    assert shown.code == 0, shown.said
    told = [line.strip().partition(" ") for line in shown.output.splitlines()]
    picture = next(rest for name, _, rest in told if name == "picture")
    assert (done / "output/trajectories" / picture).read_bytes().startswith(b"\xff\xd8")
    assert "on internal:role=" in shown.output
    assert "led to http://shop.test/" in shown.output


def edited(folder: Path, name: str, edit: Edit) -> Path:
    """The recorded episode of the shop with something changed, in a file of its own."""
    plain = json.loads((folder / "output/trajectories/cart.json").read_text())
    edit(plain)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(plain))
    return path


@pytest.fixture
def said(done: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `adp replay` in this process, for what needs no browser."""
    return in_this_process("replay", done, monkeypatch, capsys)


def rows(ended: Ended) -> list[list[str]]:
    """The table's lines, each by its words."""
    table = ended.output.split("\n\n")[0]
    return [text.split() for text in table.splitlines()[1:]]


def test_pictures_and_traces_lie_beside_the_trajectories(done: Path) -> None:
    trajectories = done / "output" / "trajectories"
    assert sorted(path.name for path in trajectories.glob("*.json")) == ["cart.json", "lost.json", "sum.json"]
    store = ScreenshotStore(trajectories / "screenshots")
    steps = json.loads((trajectories / "cart.json").read_text())["steps"]
    named = {step["web"]["screenshot"] for step in steps if step["web"]}
    assert len(named) > 1
    for digest in named:
        assert hashlib.sha256(store.path(digest).read_bytes()).hexdigest() == digest
    assert [path.name for path in (done / "output" / "traces").rglob("*.zip")] == ["lost-0.zip"]


def test_an_episode_of_the_shop_holds_in_a_fresh_process(done: Path) -> None:
    steps = json.loads((done / "output/trajectories/cart.json").read_text())["steps"]
    ended = adp(done, "replay", "cart", "--sample", 0)
    assert ended.code == 0, ended.output + ended.said
    table = rows(ended)
    assert [row[0] for row in table] == [str(number) for number in range(len(steps))]
    assert table[0][1:] == ["start", "yes"]
    assert all(row[2] == "yes" for row in table)
    assert "(100%)" in ended.output
    assert "solved, recorded as solved" in ended.output


def test_a_broken_step_is_told_with_its_reason_and_exits_1(done: Path) -> None:
    def break_two(plain: dict[str, Any]) -> None:
        plain["steps"][1]["web"]["locator"] = 'internal:role=link[name="Gone"i]'
        plain["steps"][2]["web"]["locator"] = "internal:role=link[["

    ended = adp(done, "replay", edited(done, "broken", break_two), "--json")
    assert ended.code == 1, ended.output + ended.said
    found = json.loads(ended.output)
    assert [step["verdict"] for step in found["steps"][:4]] == ["same", "same", "not_found", "error"]
    assert found["steps"][2]["said"] == "No element is that any more."
    assert found["held"] < 1
    assert (found["outcome"], found["recorded_outcome"]) == ("unsolved", "solved")


def test_a_name_that_names_nothing_is_answered_with_those_that_do(said: Callable[..., Ended]) -> None:
    for arguments in (("car",), ("cart", "--sample", 7)):
        ended = said(*arguments)
        assert ended.code == 2
        assert "There is no trajectory" in ended.said
        assert "cart" in ended.said.split("try:")[1]
    ended = said("nothing.json")
    assert (ended.code, "There is no file nothing.json" in ended.said) == (2, True)


def test_a_folder_is_answered_with_the_trajectories_in_it(done: Path, said: Callable[..., Ended]) -> None:
    ended = said("output/trajectories")
    assert ended.code == 2
    assert "output/trajectories is a folder" in ended.said
    for task_id in ("cart", "lost", "sum"):
        assert f"output/trajectories/{task_id}.json" in ended.said
    (done / "nothing").mkdir()
    ended = said("nothing")
    assert (ended.code, "nothing is a folder" in ended.said, "It holds none" in ended.said) == (2, True, True)


def test_the_folder_of_the_name_of_a_task_does_not_hide_the_task(
    done: Path, said: Callable[..., Ended]
) -> None:
    (done / "sum").mkdir()
    assert "no web trajectory" in said("sum").said


def test_every_verdict_of_the_json_is_a_word_of_the_documentation() -> None:
    rows = (ROOT / "docs/replay.md").read_text(encoding="utf-8").splitlines()
    documented = {row.split("|")[2].strip(" `") for row in rows if row.count("|") == 4}
    assert set(get_args(Verdict)) == documented - {"verdict", "---"}
    assert all(word == word.lower() and word.isidentifier() for word in get_args(Verdict))


def test_a_trajectory_of_no_page_is_told(said: Callable[..., Ended]) -> None:
    ended = said("sum")
    assert ended.code == 2
    assert "no web trajectory" in ended.said


def test_a_file_that_is_no_whole_trajectory_is_told(done: Path, said: Callable[..., Ended]) -> None:
    whole = (done / "output/trajectories/cart.json").read_bytes()
    (done / "half.json").write_bytes(whole[: len(whole) // 2])
    (done / "other.json").write_text('{"name": "package"}')
    (done / "empty.json").touch()
    for name, cause in (("half", "no whole JSON"), ("empty", "no whole JSON"), ("other", "no trajectory")):
        ended = said(f"{name}.json")
        assert ended.code == 2
        assert cause in ended.said
        assert "try:" in ended.said


def test_a_trajectory_without_records_is_told_to_be_of_an_older_version(
    done: Path, said: Callable[..., Ended]
) -> None:
    def as_before(plain: dict[str, Any]) -> None:
        plain["metadata"].pop("start_page")
        for step in plain["steps"]:
            step.pop("web")

    ended = said(edited(done, "old", as_before))
    assert ended.code == 2
    assert "older version" in ended.said
    assert "adp run" in ended.said
