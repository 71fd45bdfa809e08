"""`adp replay` on an episode that `adp run` recorded, and what it says to what cannot be replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adp_service.cli.main import main
from tests.adp_service.command import Ended, adp, project

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
SUM = {"task_id": "sum", "task_type": "code", "description": "How much is 2 + 3?"}

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the built-in teacher has run a task of the shop and one of no page."""
    folder = project(tmp_path_factory.mktemp("replay"), TEACHER_ERROR_RATE=0)
    (folder / "tasks.jsonl").write_text(json.dumps(CART) + "\n" + json.dumps(SUM) + "\n")
    ran = adp(folder, "run", "tasks.jsonl", "--model", "builtin")
    assert ran.code == 0, ran.said
    return folder


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
    monkeypatch.chdir(done)
    monkeypatch.setenv("DAGSTER_HOME", "")  # the command sets it; this undoes that afterwards

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["adp", "replay", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return Ended(int(ended.value.code or 0), output.out, output.err)

    return run


def rows(ended: Ended) -> list[list[str]]:
    """The table's lines, each by its words."""
    table = ended.output.split("\n\n")[0]
    return [text.split() for text in table.splitlines()[1:]]


def test_an_episode_of_the_shop_holds_in_a_fresh_process(done: Path) -> None:
    steps = json.loads((done / "output/trajectories/cart.json").read_text())["steps"]
    ended = adp(done, "replay", "output/trajectories/cart.json")
    assert ended.code == 0, ended.output + ended.said
    table = rows(ended)
    assert [row[0] for row in table] == [str(number) for number in range(len(steps))]
    assert table[0][1:] == ["start", "yes"]
    assert all(row[2] == "yes" for row in table)
    assert "(100%)" in ended.output
    assert "solved, recorded as solved" in ended.output


def test_a_task_is_named_by_its_id_and_the_findings_come_as_json(done: Path) -> None:
    ended = adp(done, "replay", "cart", "--sample", 0, "--json")
    assert ended.code == 0, ended.output + ended.said
    found = json.loads(ended.output)
    assert (found["task_id"], found["held"], found["outcome"]) == ("cart", 1.0, "solved")
    assert {step["verdict"] for step in found["steps"]} == {"same"}


def test_a_broken_step_is_told_with_its_reason_and_exits_1(done: Path) -> None:
    def break_two(plain: dict[str, Any]) -> None:
        plain["steps"][1]["web"]["locator"] = 'internal:role=link[name="Gone"i]'
        plain["steps"][2]["web"]["locator"] = "internal:role=link[["

    ended = adp(done, "replay", edited(done, "broken", break_two))
    assert ended.code == 1, ended.output + ended.said
    table = rows(ended)
    assert table[2][2:4] == ["not", "found"]
    assert table[3][2] == "error"
    assert "No element is that any more." in ended.output
    assert "unsolved, recorded as solved" in ended.output


def test_a_name_that_names_nothing_is_answered_with_those_that_do(said: Callable[..., Ended]) -> None:
    for arguments in (("car",), ("cart", "--sample", 7)):
        ended = said(*arguments)
        assert ended.code == 2
        assert "There is no trajectory" in ended.said
        assert "cart" in ended.said.split("try:")[1]
    ended = said("nothing.json")
    assert (ended.code, "There is no file nothing.json" in ended.said) == (2, True)


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
