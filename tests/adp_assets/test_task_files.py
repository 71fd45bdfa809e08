"""Task files: every line becomes a task, a duplicate or a reject, once, whatever happens to the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adp_assets.intake.assets import read_task_files
from adp_assets.intake.pool import TaskPool
from adp_assets.intake.task_files import CHUNK_LINES, HEAD_BYTES, IntakeReport, TaskFiles
from adp_resources.resources import DatabaseResource
from adp_resources.settings import load_settings
from adp_resources.settings_resource import SettingsResource
from runtimes.errors import ConfigurationError


def line(task_id: str, **fields: Any) -> str:
    plain = {"task_id": task_id, "task_type": "code", "description": f"Write {task_id}.", **fields}
    return json.dumps(plain, ensure_ascii=False) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.jsonl"


@pytest.fixture
def reader(pool: TaskPool, tmp_path: Path) -> TaskFiles:
    return TaskFiles(pool, tmp_path / "rejected", default_timeout=77)


def kept(report: IntakeReport) -> list[bytes]:
    assert report.rejects_file is not None
    return report.rejects_file.read_bytes().splitlines()


def pool_ids(pool: TaskPool) -> list[str]:
    with pool.database.read() as connection:
        found = connection.execute(sa.text("SELECT task_id FROM pool_tasks ORDER BY task_id"))
        return list(found.scalars())


def test_each_line_becomes_a_task_that_knows_its_file(reader: TaskFiles, pool: TaskPool, path: Path) -> None:
    path.write_text(line("a", timeout=5) + "\n  \n" + line("b", description="写一个函数", priority=9))
    report = reader.read(path)
    assert report.accepted == ["a", "b"]
    first, second = pool.get("a"), pool.get("b")
    assert first is not None
    assert second is not None
    assert (first.lineage.source, first.lineage.root_id, first.timeout) == (str(path), "a", 5)
    assert (second.description, second.priority, second.timeout) == ("写一个函数", 9, 77)
    assert report.rejects_file is None


def test_the_default_timeout_is_for_lines_that_name_none(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    path.write_text(line("a", constraints={"timeout": 5, "on": "timeout"}))
    reader.read(path)
    task = pool.get("a")
    assert task is not None
    assert task.timeout == 77


BAD = [
    ("{not json", "not a task"),
    (line("x", task_type="audio"), "'audio' has no runtime"),
    (line("x", priority="high"), r"$.priority"),
    (line("../x"), "path separator"),
    (json.dumps({"task_type": "code"}), "description"),
    ("[1, 2]", "not a task"),
    (line("x", verifier={"kind": "magic"}), "no verifier of kind 'magic'"),
    (line("x", verifier={"kind": "numeric", "spec": {"expected": "?"}}), "numeric"),
    (line("x", constraints={"limits": {"memory": 5}}), "memory_mb"),
    (line("x", constraints={"limits": {"memory_mb": 64.5}}), "memory_mb is 64.5. Give a whole number"),
    (line("x", constraints={"allowed_domains": "shop.test"}), "list of host names"),
    (line("x", constraints={"allowed_domains": ["http://shop.test/"]}), "is not HOST or HOST:PORT"),
    (line("x", task_type="web", constraints={"allowed_domains": ["http://shop.test/"]}), "is not HOST"),
    (line("x", metadata={"domain": "a\0b"}), "or NUL. No database can hold that"),
    ('{"task_type": "code", "description": "a\\ud800"}', "not a task"),
    (line("x", lineage={"generation": 1}), "without the root_id of another task"),
    (line("x", lineage={"generation": 1, "root_id": "x"}), "without the root_id of another task"),
]


def test_bad_lines_are_told_by_number_and_reason_and_kept_while_the_others_are_taken(
    reader: TaskFiles, path: Path
) -> None:
    bad = [text.rstrip("\n") for text, _ in BAD]
    path.write_text("\n".join(part for n, text in enumerate(bad) for part in (text, line(f"t{n}").rstrip())))
    report = reader.read(path)
    assert report.accepted == [f"t{n}" for n in range(len(BAD))]
    assert [number for number, _ in report.rejected] == list(range(1, 2 * len(BAD), 2))
    for (_, reason), (_, named) in zip(report.rejected, BAD, strict=True):
        assert named in reason
    assert kept(report) == [text.encode() for text in bad]


def test_words_about_nul_are_no_nul(reader: TaskFiles, path: Path) -> None:
    path.write_text(line("a", description=r"Replace \u0000 by a space."))
    assert reader.read(path).accepted == ["a"]


def test_the_file_of_rejects_can_be_mended_and_read_itself(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    path.write_text(line("a") + line("b", priority=0))
    rejects = reader.read(path).rejects_file
    assert rejects is not None
    rejects.write_text(rejects.read_text().replace('"priority": 0', '"priority": 1'))
    assert reader.read(rejects).accepted == ["b"]
    assert pool_ids(pool) == ["a", "b"]


def test_a_line_that_names_the_seed_it_was_made_from_is_a_task(reader: TaskFiles, path: Path) -> None:
    path.write_text(line("a", lineage={"generation": 1, "root_id": "seed"}))
    assert reader.read(path).accepted == ["a"]


def test_a_second_task_of_the_same_id_is_skipped_and_told(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    path.write_text(line("a") + line("b") + line("a", description="Another."))
    report = reader.read(path)
    assert (report.accepted, report.duplicates) == (["a", "b"], [(3, "a")])
    other = path.with_name("other.jsonl")
    other.write_text(line("b") + line("c"))
    report = reader.read(other)
    assert (report.accepted, report.duplicates) == (["c"], [(1, "b")])
    task = pool.get("a")
    assert task is not None
    assert task.description == "Write a."


def test_two_equal_lines_without_an_id_are_one_task(reader: TaskFiles, path: Path) -> None:
    path.write_text(line("") + line(""))
    report = reader.read(path)
    assert (len(report.accepted), len(report.duplicates)) == (1, 1)


def test_lines_read_before_are_not_read_again_and_appended_ones_are(reader: TaskFiles, path: Path) -> None:
    path.write_text(line("a") + "bad\n")
    reader.read(path)
    again = reader.read(path)
    assert (again.accepted, again.duplicates, again.rejected) == ([], [], [])
    with path.open("a") as file:
        file.write(line("b") + "worse\n")
    report = reader.read(path)
    assert (report.accepted, [number for number, _ in report.rejected]) == (["b"], [4])
    assert kept(report) == [b"bad", b"worse"]


def test_a_line_appended_after_a_last_one_without_newline_has_its_true_number(
    reader: TaskFiles, path: Path
) -> None:
    path.write_text(line("a").rstrip("\n"))
    assert reader.read(path).accepted == ["a"]
    with path.open("a") as file:
        file.write("\n" + "bad\n" + line("b"))
    report = reader.read(path)
    assert (report.accepted, [number for number, _ in report.rejected]) == (["b"], [2])


def test_a_half_written_last_line_is_read_when_it_is_complete(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    whole = line("b", description="二" * 50).encode()
    path.write_bytes(line("a").encode() + whole[:70])
    report = reader.read(path)
    assert (report.accepted, [number for number, _ in report.rejected]) == (["a"], [2])
    path.write_bytes(line("a").encode() + whole + line("c").encode())
    report = reader.read(path)
    assert (report.accepted, report.duplicates, report.rejected) == (["b", "c"], [], [])
    assert pool_ids(pool) == ["a", "b", "c"]


def test_a_rewritten_file_is_read_from_its_beginning(reader: TaskFiles, path: Path) -> None:
    path.write_text(line("a") + line("b"))
    reader.read(path)
    path.write_text(line("c") + line("b") + line("d"))
    report = reader.read(path)
    assert (report.accepted, report.duplicates) == (["c", "d"], [(2, "b")])


@pytest.mark.parametrize("mended", ['"priority": 1, ', '"priority": 10,'])
def test_a_line_mended_in_place_is_taken_wherever_it_stands(
    reader: TaskFiles, path: Path, mended: str
) -> None:
    """Also behind the part of a file that one looks at to know it again, and if its length stays the same."""
    before = "".join(line(f"a{n:03}") for n in range(HEAD_BYTES // 40))
    after = "".join(line(f"b{n:03}") for n in range(HEAD_BYTES // 40))
    bad = '{"task_id": "mended", "priority": 0, "task_type": "code", "description": "x"}\n'
    path.write_text(before + bad + after)
    assert len(reader.read(path).rejected) == 1
    path.write_text(before + bad.replace('"priority": 0, ', mended) + after)
    assert reader.read(path).accepted == ["mended"]
    assert reader.read(path).duplicates == []


def test_a_file_that_shrank_is_read_anew(reader: TaskFiles, path: Path) -> None:
    path.write_text(line("a") + line("b") * 100)
    reader.read(path)
    path.write_text(line("a") + line("c"))
    assert reader.read(path).accepted == ["c"]


def test_a_line_of_ten_megabytes_is_rejected_and_the_next_is_taken(reader: TaskFiles, path: Path) -> None:
    path.write_text(line("a") + line("long", description="x" * 10_000_000) + line("b"))
    report = reader.read(path)
    assert report.accepted == ["a", "b"]
    ((number, reason),) = report.rejected
    assert number == 2
    assert "longer than" in reason
    again = reader.read(path)
    assert (again.accepted, again.rejected) == ([], [])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(
    reader: TaskFiles, pool: TaskPool, path: Path, newline: str, mark: bytes
) -> None:
    text = line("数一", description="一加一") + "bad\n" + line("b")
    path.write_bytes(mark + text.replace("\n", newline).encode())
    report = reader.read(path)
    assert report.accepted == ["数一", "b"]
    assert kept(report) == [b"bad"]
    task = pool.get("数一")
    assert task is not None
    assert task.description == "一加一"


def test_bytes_that_are_not_utf_8_are_a_bad_line(reader: TaskFiles, path: Path) -> None:
    path.write_bytes(line("a").encode() + line("b", description="é").encode("latin-1") + b"\xff\xfe\n")
    report = reader.read(path)
    assert (report.accepted, [number for number, _ in report.rejected]) == (["a"], [2, 3])
    assert kept(report) == path.read_bytes().splitlines()[1:]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "is empty"), (b"\x7fELF\0\0\1", "is binary"), ("folder", "is a folder")],
)
def test_what_is_no_task_file_is_told_with_what_one_looks_like(
    reader: TaskFiles, path: Path, content: bytes | str | None, said: str
) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with pytest.raises(ConfigurationError, match=said) as failed:
        reader.read(path)
    assert str(path) in failed.value.message
    assert failed.value.remedy


def test_one_bad_file_of_several_does_not_keep_the_others_out(pool: TaskPool, path: Path) -> None:
    settings = load_settings(project_root=str(path.parent), database_url=pool.database.url)
    database = DatabaseResource(settings=SettingsResource(overrides={"project_root": str(path.parent)}))
    empty, gone = path.with_name("empty.jsonl"), path.with_name("gone.jsonl")
    path.write_text(line("a"))
    empty.touch()
    (report,) = read_task_files(TaskPool(database.get()), settings, [empty, path, gone])
    assert report.accepted == ["a"]
    with pytest.raises(ConfigurationError, match="is empty"):
        read_task_files(TaskPool(database.get()), settings, [empty, gone])


def test_a_crash_between_chunks_loses_no_task_and_doubles_none(
    reader: TaskFiles, pool: TaskPool, path: Path
) -> None:
    ids = [f"t{n:05}" for n in range(2 * CHUNK_LINES + 500)]
    path.write_text("".join(map(line, ids)))
    with pool.database.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TRIGGER crash BEFORE INSERT ON pool_tasks WHEN NEW.task_id = 't01500' "
                "BEGIN SELECT RAISE(ABORT, 'the machine stops here'); END"
            )
        )
    with pytest.raises(sa.exc.IntegrityError, match="the machine stops here"):
        reader.read(path)
    assert pool_ids(pool) == ids[:CHUNK_LINES]
    with pool.database.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER crash"))
    report = reader.read(path)
    assert (report.accepted, report.duplicates) == (ids[CHUNK_LINES:], [])
    assert pool_ids(pool) == ids
