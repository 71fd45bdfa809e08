"""Files are replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from adp_resources.files import replacing, replacing_folder, write_atomically
from runtimes.errors import ConfigurationError
from tests.adp_resources.disks import small_disk


def test_a_file_is_written_with_the_folders_it_needs(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b" / "数.json", b"new")
    assert (tmp_path / "a" / "b" / "数.json").read_bytes() == b"new"


def test_a_name_as_long_as_a_file_system_allows_can_be_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "数" * 66 + ".json"):
        write_atomically(tmp_path / name, b"new")
        assert (tmp_path / name).read_bytes() == b"new"


def test_until_the_block_ends_a_reader_sees_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fail_midway() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyError("midway")

    with pytest.raises(KeyError):
        fail_midway()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("f", b"old")]


def test_a_place_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "f", Path("/proc/none/f")):
        with pytest.raises(ConfigurationError, match=str(path)) as failed:
            write_atomically(path, b"new")
        assert "OUTPUT_DIR" in failed.value.remedy


def test_a_full_disk_is_named_and_the_old_file_stands(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=64) as disk:
        write_atomically(disk / "f", b"old")
        with pytest.raises(ConfigurationError, match="No space left"):
            write_atomically(disk / "f", b"x" * 100_000)
        assert [(p.name, p.read_bytes()) for p in disk.iterdir()] == [("f", b"old")]


def test_a_folder_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").touch()
    with replacing_folder(tmp_path / "f") as temporary:
        (temporary / "new").touch()
        assert [path.name for path in (tmp_path / "f").iterdir()] == ["old"]
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_folder_whose_block_fails_stays_and_nothing_is_beside(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").touch()

    def fail_midway() -> None:
        with replacing_folder(tmp_path / "f") as temporary:
            (temporary / "half").touch()
            raise OSError(28, "No space left on device")

    with pytest.raises(ConfigurationError, match="No space left on device"):
        fail_midway()
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
