"""`adp export` and `adp release`: a release from rows of rounds, declared, refused, shown and proved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from adp_assets.curation.release.manifest import read_manifest
from tests.adp_assets.curation.stored import stored
from tests.adp_assets.tasks import solved
from tests.adp_service.command import Ended, in_this_process, project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a round of twelve rows of a model, and two of the built-in teacher."""
    folder = project(tmp_path / "p")
    rows = folder / "output" / "assets" / "training_rows"
    found = [solved(f"t{n}", str(n), teacher="builtin" if n > 11 else "gemini") for n in range(14)]
    stored(rows, *found)
    return folder


@pytest.fixture
def export(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    return in_this_process("export", folder, monkeypatch, capsys)


@pytest.fixture
def release(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    return in_this_process("release", folder, monkeypatch, capsys)


def lines(ended: Ended) -> list[str]:
    return [" ".join(text.split()) for text in ended.output.splitlines()]


def test_the_built_in_teachers_rows_stay_out_unless_asked_for(
    folder: Path, export: Callable[..., Ended]
) -> None:
    ended = export("plain", "--set", "near_duplicates=null")
    assert ended.code == 0, ended.said
    assert "made by gemini / gemini-1: 12" in lines(ended)
    ended = export("all", "--builtin", "--set", "near_duplicates=null")
    assert "made by builtin / gemini-1: 2" in lines(ended)
    assert "gemini / gemini-1: 12" in lines(ended)
    assert "Built-in teacher" in (folder / "output/releases/all/README.md").read_text()


def test_a_recipe_in_a_file_is_taken_and_options_win(folder: Path, export: Callable[..., Ended]) -> None:
    recipe = folder / "r.yaml"
    recipe.write_text("near_duplicates: null\nmax_rows: 5\nsplits: {train: 1.0}\n")
    assert export("five", "--recipe", recipe).code == 0
    assert (
        export("three", "--recipe", recipe, "--set", "max_rows=3", "--shape", "sft", "--shape", "rl").code
        == 0
    )
    manifest = read_manifest(folder / "output/releases/three")
    assert manifest["splits"] == {"train": 3}
    assert manifest["recipe"]["max_rows"] == 3
    assert read_manifest(folder / "output/releases/five")["splits"] == {"train": 5}
    assert (folder / "output/releases/three/rl/split=train/part-00000.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "min_rewards=1"], "The release: there is no key min_rewards."),
        (["--set", "min_reward"], "--set min_reward: there is no '='."),
        (["--difficulty", "0.5"], "--difficulty 0.5: that is no range."),
        (["--difficulty", "0.9:0.1"], "the least, 0.9, is above the most, 0.1"),
        (["--split", "train=x"], "--split train=x: could not convert string to float"),
        (["--format", "parquet"], "There is no format 'parquet'."),
        (["--shape", "rl", "--format", "sharegpt"], "None of the formats sharegpt holds the shape rl."),
        (["--format", "atif"], "None of the formats atif holds the shape sft."),
        (["--recipe", "none.yaml"], "The recipe none.yaml cannot be read: No such file"),
        (["--round", "round-0009"], "There are no training_rows of round-0009."),
        (["--type", "web"], "Nothing is left for release one: none of 14 trajectories is"),
        (["--teacher", "builtin", "--set", "max_tokens=1"], "Nothing is left for release one"),
        (["--set", "evaluation=none"], "none"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_nothing_is_left_behind(
    folder: Path, export: Callable[..., Ended], arguments: list[str], said: str
) -> None:
    ended = export("one", *arguments)
    assert ended.code == 1
    assert said in " ".join(ended.said.split())
    assert not list((folder / "output").glob("releases/*"))


def test_a_name_that_is_taken_is_refused(export: Callable[..., Ended]) -> None:
    assert export("one", "--set", "near_duplicates=null").code == 0
    ended = export("one")
    assert (ended.code, "never changed" in ended.said) == (1, True)


@pytest.mark.parametrize("content", [b"", b"PAR1 half", None])
def test_rows_that_are_half_written_or_foreign_are_named(
    folder: Path, export: Callable[..., Ended], content: bytes | None
) -> None:
    path = folder / "output/assets/training_rows/round-0001.parquet"
    if content is None:
        pl.DataFrame({"id": ["a"], "text": ["b"]}).write_parquet(path)
    else:
        path.write_bytes(content)
    ended = export("one")
    assert ended.code == 1
    assert "round-0001.parquet" in ended.said
    assert ("of another version" if content is None else "cannot be read") in ended.said


def test_releases_are_listed_and_proved(
    folder: Path, export: Callable[..., Ended], release: Callable[..., Ended]
) -> None:
    assert "no release yet" in release("list").output
    assert export("one", "--set", "near_duplicates=null").code == 0
    assert any(line.startswith("one ") for line in lines(release("list")))
    proved = release("verify", "one", "--remake")
    assert proved.code == 0, proved.said
    assert "is whole" in proved.output
    assert "the same rows in the same splits" in proved.output
    stored(folder / "output/assets/training_rows", solved("t0"), solved("t1"))
    changed = release("verify", "one", "--remake")
    assert changed.code == 1
    assert "What changed: the trajectories of round-0001" in changed.said
    (folder / "output/releases/one/README.md").write_text("mine")
    broken = release("verify", "one")
    assert (broken.code, "README.md was changed" in broken.said) == (1, True)
    assert "There is no release two." in release("verify", "two").said
