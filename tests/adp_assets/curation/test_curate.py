"""Which rows a dataset has: every stage of the selection, and what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adp_assets.curation.curate import Curation
from runtimes.agent import CUT_OFF
from runtimes.contracts import Lineage, TaskSpec, Trajectory, Verifier
from runtimes.errors import ConfigurationError
from tests.adp_assets.curation.stored import curated, kept
from tests.adp_assets.tasks import solved, step, task

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")


def said(number: int, words: int = 40) -> str:
    """A text of its own for each number: no two share a run of three words."""
    return " ".join(f"{WORDS[(number + at) % len(WORDS)]}{number}x{at}" for at in range(words))


def episode(name: str, number: int | None = None, text: str | None = None, **fields: Any) -> Trajectory:
    """A success that thinks a text; that of its number is like no other's."""
    thought = said(int(name.strip("abcdefghijklmnopqrstuvwxyz-") or 0) if number is None else number)
    steps = [step(1, "complete_task", f'{{"answer": "{name}"}}', None, reasoning_content=text or thought)]
    return solved(name, **{"steps": steps, **fields})


def failed(name: str, number: int, **fields: Any) -> Trajectory:
    return episode(name, number, outcome="unsolved", success=False, reward=0.0, **fields)


def test_only_verified_successes_stay_and_the_funnel_tells_where_the_others_went(tmp_path: Path) -> None:
    found = curated(
        tmp_path,
        episode("good", 1),
        episode("copy", 2),
        episode("copy", 2, sample=1),
        failed("wrong", 3),
        episode("unverified", 4, outcome="unverified", verified=False, reward=None),
        episode("ours", 5, outcome="infrastructure_error"),
        episode("stopped", 6, outcome="cancelled"),
        episode("judged", 7, judged=True),
        episode("surplus", 8, surplus=True),
        episode("empty", steps=[]),
        episode("script", 9, teacher="builtin"),
        episode("moved", 10, metadata={"refs_moved": True}),
    )
    assert found.kept["task_id"].to_list() == ["good", "copy"]
    assert found.funnel == {
        "trajectories": 12,
        "finished": 10,
        "not the built-in teacher's": 9,
        "verified success": 7,
        "not judged alone": 6,
        "not surplus": 5,
        "renderable": 3,
        "not in circles": 3,
        "not cut off": 3,
        "not repetitive": 3,
        "without secrets": 3,
        "without personal data": 3,
        "each conversation once": 2,
        "no near duplicates": 2,
    }
    dropped = dict(found.rows.select("task_id", "dropped").iter_rows())
    assert dropped["wrong"] == "verified success"
    assert dropped["ours"] == "finished"
    assert dropped["good"] == ""


@pytest.mark.parametrize(
    ("recipe", "left"),
    [
        ({}, ["code1", "web2"]),
        ({"task_types": ["web"]}, ["web2"]),
        ({"task_types": "code"}, ["code1"]),
        ({"teachers": ["builtin"]}, ["script3"]),
        ({"builtin": True}, ["code1", "script3", "web2"]),
        ({"models": ["m2"]}, ["web2"]),
        ({"judged": True}, ["code1", "judged4", "web2"]),
        ({"unverified": True}, ["code1", "unverified6", "web2"]),
        ({"min_reward": 0.5}, ["code1", "half5", "web2"]),
        ({"difficulty": [0.5, None]}, ["web2"]),
        ({"difficulty": [None, 0.4]}, ["code1"]),
        ({"steps": [2, None]}, []),
        ({"max_characters": 10}, []),
        ({"max_tokens": 100}, []),
        ({"errors": "only"}, []),
    ],
)
def test_a_recipe_chooses(tmp_path: Path, recipe: dict[str, Any], left: list[str]) -> None:
    found = curated(
        tmp_path,
        episode("code1"),
        episode("web2", task_type="web", model="m2"),
        episode("script3", teacher="builtin"),
        episode("judged4", judged=True),
        episode("half5", outcome="unsolved", success=False, reward=0.5),
        episode("unverified6", outcome="unverified", verified=False, verifier="", reward=None),
        difficulties={"code1": 0.3, "web2": 0.6},
        **recipe,
    )
    assert sorted(found.kept["task_id"]) == left


def test_errors_that_were_mended_can_be_asked_for_or_left_out(tmp_path: Path) -> None:
    slip = step(1, "python_executor", '{"code": "1/0"}', "ZeroDivisionError", reasoning_content=said(9))
    slip.success = False
    mended = solved("mended", steps=[slip, *solved().steps])
    assert kept(tmp_path, mended, episode("clean1"), errors="only") == ["mended"]
    assert kept(tmp_path, mended, episode("clean1"), errors="drop") == ["clean1"]
    assert kept(tmp_path, mended, episode("clean1")) == ["mended", "clean1"]


def test_circles_cut_off_replies_and_repetition_stay_out(tmp_path: Path) -> None:
    turn = [step(number, "browser", "{}", "the same page") for number in range(1, 4)]
    for each in turn:
        each.action_params = {"action": "reload"}
    cut = step(1, "", "{}", CUT_OFF, tool_calls=None)
    found = [
        solved("circling", steps=[*turn, *solved().steps]),
        solved("cut", steps=[cut, *solved().steps]),
        episode("babbling", text="so it goes on and on " * 30),
        episode("plain1"),
    ]
    assert kept(tmp_path, *found) == ["plain1"]
    freely = {"max_loops": None, "truncated": "keep", "max_repetition": None}
    assert len(kept(tmp_path, *found, **freely)) == 4


@pytest.mark.parametrize(
    ("text", "key"),
    [("my key is AKIAIOSFODNN7ABCDEFG", "secrets"), ("ask maria.lopez@gmail.com", "personal_data")],
)
@pytest.mark.parametrize("where", ["prompt", "thought", "call", "observation"])
def test_secrets_and_personal_data_stay_out_wherever_they_are(
    tmp_path: Path, text: str, key: str, where: str
) -> None:
    found = episode("t1")
    if where == "prompt":
        found.prompt = [{"role": "user", "content": text}]
    elif where == "thought":
        found = episode("t1", text=text)
    else:
        asked = f'{{"query": "{text}"}}' if where == "call" else "{}"
        seen = text if where == "observation" else "nothing"
        found.steps = [step(1, "search", asked, seen), *solved().steps]
    assert kept(tmp_path, found) == []
    assert kept(tmp_path, found, **{key: "keep"}) == ["t1"]


def test_of_near_copies_the_best_stays(tmp_path: Path) -> None:
    text = said(1, 100)
    slip = episode("slip", text=text + " one")
    slip.steps[0].success = False
    found = curated(
        tmp_path,
        slip,
        episode("young", text=text + " two"),
        episode("old", text=text + " three"),
        episode("other2"),
        tasks={
            name: task(name, description="The same.", lineage=Lineage(root_id=name, generation=generation))
            for name, generation in {"slip": 0, "young": 1, "old": 0, "other2": 0}.items()
        },
    )
    assert found.kept["task_id"].to_list() == ["old", "other2"]
    assert found.funnel["no near duplicates"] == 2
    clusters = dict(found.rows.select("task_id", "cluster").iter_rows())
    assert clusters["slip"] == clusters["young"] == clusters["old"] != clusters["other2"]


def test_duplicates_across_rounds_are_found_and_the_first_rounds_stays(tmp_path: Path) -> None:
    found = curated(
        tmp_path, *(episode("t1", round=name) for name in ("round-0003", "round-0001", "round-0002"))
    )
    assert found.kept["round"].to_list() == ["round-0001"]


def families(tmp_path: Path, count: int, **recipe: Any) -> Curation:
    """So many successes, in families of three: a seed and two tasks made from it."""
    tasks: dict[str, TaskSpec] = {}
    for number in range(count):
        lineage = Lineage(root_id=f"seed-{number // 3}", generation=number % 3)
        tasks[f"t{number}"] = task(f"t{number}", lineage=lineage)
    return curated(tmp_path, *map(episode, tasks), tasks=tasks, **recipe)


def test_relatives_are_never_in_two_splits(tmp_path: Path) -> None:
    found = families(tmp_path, 150, splits={"train": 0.6, "validation": 0.2, "test": 0.2})
    splits = found.kept.group_by("root_id").agg(pl.col("split").n_unique())
    assert splits["split"].to_list() == [1] * 50
    assert set(found.kept["split"]) == {"train", "validation", "test"}


@pytest.mark.parametrize("threshold", [None, 0.7, 0.8, 0.99, 1.0])
def test_near_copies_of_two_seeds_share_a_split_however_like_they_may_be(
    tmp_path: Path, threshold: float | None
) -> None:
    names = [f"{side}{number}" for number in range(8) for side in ("left", "right")]
    found = curated(
        tmp_path,
        *(episode(name, text=f"{said(int(name[-1]), 100)} {name[0]}") for name in names),
        tasks={name: task(name, description="The same.") for name in names},
        near_duplicates=threshold,
        splits={"train": 0.5, "test": 0.5},
    )
    kept_rows = {row["task_id"]: row for row in found.rows.iter_rows(named=True)}
    assert found.kept.height == (8 if threshold in (0.7, 0.8) else 16)
    for number in range(8):
        left, right = kept_rows[f"left{number}"], kept_rows[f"right{number}"]
        assert left["family"] == right["family"] == f"left{number}"
        assert left["split"] == right["split"]
    assert set(found.kept["split"]) == {"train", "test"}


def test_a_root_whose_row_was_the_same_as_anothers_is_of_its_family(tmp_path: Path) -> None:
    copies = [episode(name, number, sample=0, prompt=[]) for number in range(8) for name in ("a", "b")]
    for number, each in enumerate(copies):
        each.task_id = f"{each.task_id}{number // 2}"
        each.steps[0].message["tool_calls"][0]["function"]["arguments"] = "{}"  # type: ignore[index]
    others = [episode(f"b{number}", 100 + number, sample=1) for number in range(8)]
    found = curated(tmp_path, *copies, *others, splits={"train": 0.5, "test": 0.5})
    assert found.funnel["each conversation once"] == 16
    by_root = found.rows.group_by("root_id").agg(pl.col("family").first(), pl.col("split").first())
    rows = {row["root_id"]: row for row in by_root.iter_rows(named=True)}
    for number in range(8):
        assert rows[f"a{number}"]["split"] == rows[f"b{number}"]["split"]
        assert rows[f"b{number}"]["family"] == f"a{number}"


@pytest.mark.parametrize("where", ["tool", "last observation", "task"])
def test_what_only_other_shapes_tell_is_searched_for_secrets_too(tmp_path: Path, where: str) -> None:
    found, about = episode("t1"), task("t1")
    if where == "tool":
        function = {"name": "f", "description": "call with AKIAIOSFODNN7ABCDEFG", "parameters": {}}
        found.tools = [{"type": "function", "function": function}]
    elif where == "task":
        about = task("t1", verifier=Verifier("exact", {"expected": "AKIAIOSFODNN7ABCDEFG"}))
    else:
        found.steps[-1].observation = "AKIAIOSFODNN7ABCDEFG"
    assert curated(tmp_path, found, tasks={"t1": about}).kept.is_empty()


def test_a_cap_takes_of_each_task_of_a_root_before_it_takes_a_second(tmp_path: Path) -> None:
    tasks = {f"t{n}": task(f"t{n}", lineage=Lineage(root_id=f"seed-{n % 2}")) for n in range(6)}
    samples = [episode(name, int(name[1:]) * 10 + at, sample=at) for name in tasks for at in range(3)]
    found = curated(tmp_path, *samples, tasks=tasks, per_root=3)
    assert found.kept.group_by("root_id").len().sort("root_id").rows() == [("seed-0", 3), ("seed-1", 3)]
    assert found.kept["task_id"].n_unique() == 6
    again = curated(tmp_path, *samples, tasks=tasks, per_root=3)
    assert again.kept["id"].to_list() == found.kept["id"].to_list()
    other = curated(tmp_path, *samples, tasks=tasks, per_root=3, seed=1)
    assert other.kept["id"].to_list() != found.kept["id"].to_list()


def test_a_mixture_takes_as_many_as_its_weights_allow(tmp_path: Path) -> None:
    found = [episode(f"c{n}") for n in range(12)] + [
        episode(f"w{n}", 100 + n, task_type="web") for n in range(3)
    ]
    mixed = curated(tmp_path, *found, mixture={"code": 2, "web": 1})
    assert sorted(mixed.kept["task_type"].to_list()) == ["code"] * 6 + ["web"] * 3
    few = curated(tmp_path, *found, mixture={"code": 2, "web": 1}, max_rows=3)
    assert sorted(few.kept["task_type"].to_list()) == ["code", "code", "web"]
    assert curated(tmp_path, *found, max_rows=4).kept.height == 4


def test_a_mixture_of_what_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="web, of which no row is left"):
        curated(tmp_path, episode("c1"), mixture={"code": 1, "web": 1})


def test_failures_for_pairs_are_those_a_verifier_found_wrong(tmp_path: Path) -> None:
    found = curated(
        tmp_path,
        episode("t1"),
        failed("t1", 2, sample=1),
        failed("t1", 3, sample=2, judged=True),
        episode("t1", 4, sample=3, outcome="unverified", verified=False, reward=None),
        episode("t1", 5, sample=4, outcome="infrastructure_error"),
        failed("t1", 6, sample=5, teacher="builtin"),
        failed("t1", 7, sample=6, steps=[step(1, "f", '{"key": "AKIAIOSFODNN7ABCDEFG"}', None)]),
        failed("alone", 8),
        shapes=["preference"],
    )
    assert found.failures.select("task_id", "sample").rows() == [("t1", 1)]


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    found = curated(tmp_path)
    assert found.kept.is_empty()
    assert set(found.funnel.values()) == {0}
