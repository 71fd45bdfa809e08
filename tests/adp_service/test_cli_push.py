"""`adp push`: nothing is sent unless it is meant, and then what was shown, by the Hub's own client."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from adp_assets.curation.release.manifest import HITS, LINEAGE, write_manifest
from tests.adp_service.command import Ended, adp, project
from tests.hub_server import Hub, hub_server

TOKEN = "hf_0123456789abcdefghij"
CARD = "---\nlicense: mit\n---\n"
SENT = {"README.md", "manifest.json", "split=train/part-00000.parquet"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Path]]:
    """A Hub, and a project that knows it."""
    with hub_server(TOKEN) as hub:
        yield hub, project(tmp_path_factory.mktemp("push"), HF_TOKEN=TOKEN, HF_ENDPOINT=hub.url)


@pytest.fixture
def hub(running: tuple[Hub, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """The Hub with an empty repository."""
    # Its newer way of sending, Xet, is a protocol of its own, which falls back to this one.
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    hub, _ = running
    hub.reset(TOKEN)
    return hub


@pytest.fixture
def folder(running: tuple[Hub, Path], hub: Hub) -> Iterator[Path]:
    """The project with a release `v1`."""
    _, folder = running
    environment = (folder / ".env").read_bytes()
    made(folder / "output" / "releases" / "v1", "gsm8k")
    yield folder
    shutil.rmtree(folder / "output" / "releases")
    (folder / ".env").write_bytes(environment)


def made(release: Path, source: str, card: str = CARD, **said: object) -> None:
    """A release of one row, with a report, lineage and hits."""
    texts = {"README.md": f"{card}\n# v1\n", "report/index.html": "<html>"}
    for name, text in texts.items():
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        (release / name).write_text(text)
    kept = pl.DataFrame({"task_id": ["a"], "dropped": [""], "source": [source], "user": ["ann"]})
    for name in (LINEAGE, HITS, "split=train/part-00000.parquet"):
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        kept.write_parquet(release / name)
    plain = {"teachers": {"gemini / g": 1}, "recipe": {}, "evaluation": {"items": 1}, "made_by": "run"}
    write_manifest(release, {"name": "v1", "splits": {"train": 1}, **plain, **said})


def plain(ended: Ended) -> dict[str, object]:
    assert ended.code == 0, ended.said
    return dict(json.loads(ended.output))


def test_a_dry_run_shows_what_would_be_sent_and_asks_nobody(folder: Path, hub: Hub) -> None:
    shown = plain(adp(folder, "push", "v1", "--to", "me/set", "--json"))
    assert set(shown["files"]) == SENT  # type: ignore[call-overload]
    assert shown["private"] is True
    assert shown["licence"] == "mit"
    said = adp(folder, "push", "v1", "--to", "me/set")
    assert "private if it is new" in said.output
    assert "Nothing was sent" in said.said
    assert hub.requests == []


def test_what_was_shown_is_sent_in_one_commit(folder: Path, hub: Hub) -> None:
    ended = adp(folder, "push", "v1", "--to", "me/set", "--really")
    assert ended.code == 0, ended.said
    assert set(hub.files) == SENT
    release = folder / "output" / "releases" / "v1"
    assert all(hub.files[name] == (release / name).read_bytes() for name in SENT)
    assert hub.commits == ["Release v1"]
    assert hub.created[0]["visibility"] == "private"
    assert TOKEN not in ended.output + ended.said


def test_a_later_release_takes_the_place_of_the_one_before(folder: Path, hub: Hub) -> None:
    hub.files = {".gitattributes": b"kept", "split=train/part-00007.parquet": b"of another release"}
    assert adp(folder, "push", "v1", "--to", "me/set", "--really", "--public").code == 0
    assert set(hub.files) == {*SENT, ".gitattributes"}
    assert hub.created[0]["visibility"] == "public"


def test_users_and_what_was_left_out_are_sent_only_when_asked_for(folder: Path, hub: Hub) -> None:
    said = adp(folder, "push", "v1", "--to", "me/set").output
    assert "provenance/: it names users" in said
    assert "report/: it shows what filters left out" in said
    asked = adp(folder, "push", "v1", "--to", "me/set", "--provenance", "--report", "--really")
    assert asked.code == 0, asked.said
    assert {LINEAGE, HITS, "report/index.html"} < set(hub.files)


def test_what_speaks_against_sending_it_is_said(folder: Path) -> None:
    keeps = {"secrets": "keep", "unverified": True}
    teachers = {"builtin / builtin-teacher-1": 3, "gemini / g": 1}
    release = folder / "output/releases/v2"
    made(release, "/home/ann/tasks.jsonl", card="", teachers=teachers, recipe=keeps, evaluation=None)
    warnings = " ".join(map(str, plain(adp(folder, "push", "v2", "--to", "me/set", "--json"))["warnings"]))  # type: ignore[call-overload]
    for said in (
        "3 rows are the built-in teacher's",
        "licences",
        "contamination was not checked",
        "keeps secrets",
        "no verifier judged",
        "/home/ann/tasks.jsonl",
        "what its checks said is not known",
    ):
        assert said in warnings


def test_a_release_that_was_changed_is_not_sent(folder: Path, hub: Hub) -> None:
    (folder / "output/releases/v1/split=train/part-00000.parquet").write_bytes(b"other")
    ended = adp(folder, "push", "v1", "--to", "me/set", "--really")
    assert ended.code == 1
    assert "part-00000.parquet was changed" in ended.said
    assert hub.requests == []


def test_a_token_that_may_not_write_is_told_of(folder: Path, hub: Hub) -> None:
    hub.token = "another"
    ended = adp(folder, "push", "v1", "--to", "me/set", "--really")
    assert ended.code == 1
    assert "refused me/set" in ended.said, ended.said
    assert "HF_TOKEN" in ended.said
    assert hub.files == {}


def test_without_a_token_it_is_said_how_to_get_one(folder: Path, hub: Hub) -> None:
    env = folder / ".env"
    env.write_text(env.read_text().replace(f"HF_TOKEN={TOKEN}", "HF_TOKEN="))
    ended = adp(folder, "push", "v1", "--to", "me/set", "--really")
    assert ended.code == 1
    assert "no token" in ended.said
    assert "hf auth login" in ended.said
    assert adp(folder, "push", "v1", "--to", "me/set").code == 0


def test_a_wrong_repository_and_an_unknown_release_are_told_of(folder: Path) -> None:
    assert "OWNER/NAME" in adp(folder, "push", "v1", "--to", "set").said
    assert "Releases: v1." in adp(folder, "push", "v9", "--to", "me/set").said


def test_an_address_gets_the_whole_folder(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "store"
    assert adp(folder, "push", "v1", "--to", f"file://{there}").code == 0
    assert not there.exists()
    ended = adp(folder, "push", "v1", "--to", f"file://{there}", "--really")
    assert ended.code == 0, ended.said
    assert (there / "v1" / LINEAGE).exists()
    assert (there / "v1" / "manifest.json").exists()
