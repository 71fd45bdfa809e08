"""Pictures are stored once, whole or not at all, whoever writes them."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from runtimes.errors import InfrastructureError
from runtimes.web.page.screenshots import ScreenshotStore
from tests.adp_resources.disks import small_disk

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400
DIGEST = hashlib.sha256(JPEG).hexdigest()

KILLED_IN_THE_MIDDLE = """
import resource, signal, sys
from pathlib import Path
from runtimes.web.page.screenshots import ScreenshotStore
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python takes it for an OSError else
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
ScreenshotStore(Path(sys.argv[1])).put(sys.stdin.buffer.read())
"""


def put_often(folder: Path) -> set[str]:
    return {ScreenshotStore(folder).put(JPEG + bytes([n % 5])) for n in range(50)}


def pictures(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_picture_is_found_by_the_digest_of_its_bytes(tmp_path: Path) -> None:
    store = ScreenshotStore(tmp_path / "screenshots")
    assert not store.folder.exists()
    assert store.put(JPEG) == DIGEST
    assert store.path(DIGEST) == tmp_path / "screenshots" / DIGEST[:2] / f"{DIGEST}.jpg"
    assert store.path(DIGEST).read_bytes() == JPEG


def test_the_same_picture_is_not_written_again(tmp_path: Path) -> None:
    store = ScreenshotStore(tmp_path)
    store.put(JPEG)
    before = store.path(DIGEST).stat()
    assert store.put(JPEG) == DIGEST
    assert store.path(DIGEST).stat().st_ino == before.st_ino
    assert pictures(tmp_path) == [store.path(DIGEST)]


def test_many_processes_write_the_same_pictures_and_each_is_there_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        named = list(processes.map(put_often, [tmp_path] * 4))
    assert all(digests == named[0] for digests in named)
    assert {path.stem for path in pictures(tmp_path)} == named[0]
    for path in pictures(tmp_path):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


def test_a_process_killed_while_writing_leaves_no_half_picture_under_its_name(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(tmp_path)], input=JPEG, check=False
    )
    assert ended.returncode == -signal.SIGXFSZ
    (half,) = pictures(tmp_path)
    assert half.stat().st_size == 4096
    assert half.suffix != ".jpg"
    store = ScreenshotStore(tmp_path)
    assert store.path(store.put(JPEG)).read_bytes() == JPEG


def test_a_name_whose_bytes_were_lost_is_written_anew(tmp_path: Path) -> None:
    store = ScreenshotStore(tmp_path)
    store.put(JPEG)
    store.path(DIGEST).write_bytes(b"")
    store.put(JPEG)
    assert store.path(DIGEST).read_bytes() == JPEG


def test_a_full_disk_is_our_failure_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        with pytest.raises(InfrastructureError, match="No space left") as raised:
            ScreenshotStore(disk / "screenshots").put(JPEG)
        assert raised.value.error_type == "system_error"
        assert "WEB_SCREENSHOTS" in raised.value.remedy
        assert pictures(disk) == []


def test_a_folder_that_cannot_be_made_is_our_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="cannot be written"):
        ScreenshotStore(tmp_path / "file").put(JPEG)
