"""Releases on other stores: a real S3 server, a folder, a full disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adp_assets.curation.release.manifest import changed_files, read_manifest, write_manifest
from adp_assets.curation.release.remote import check_place, put_release
from runtimes.errors import ConfigurationError
from tests.adp_resources.disks import small_disk
from tests.s3_server import RunningS3, s3_server

BIG = 40_000_000
"""Bytes of a file that S3 takes in parts."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningS3]:
    with s3_server() as running:
        yield running


@pytest.fixture
def s3(server: RunningS3, monkeypatch: pytest.MonkeyPatch) -> RunningS3:
    server.reset()
    server.client().create_bucket(Bucket="bucket")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    _forget_clients()
    return server


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A whole release of three files and a manifest."""
    folder = tmp_path / "releases" / "first"
    for name, data in {
        "data/split=train/part-0.parquet": bytes(BIG),
        "data/split=test/part-0.parquet": b"test",
        "README.md": b"# first\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    write_manifest(folder, {"name": "first"})
    return folder


def test_a_release_is_whole_in_a_bucket(s3: RunningS3, release: Path) -> None:
    assert put_release(release, "s3://bucket/sets/") == "s3://bucket/sets/first"
    for path in release.rglob("*.*"):
        assert s3.read("bucket", f"sets/first/{path.relative_to(release)}") == path.read_bytes()


def test_a_release_is_never_written_over(s3: RunningS3, release: Path) -> None:
    check_place("first", "s3://bucket")
    put_release(release, "s3://bucket")
    for again in (lambda: put_release(release, "s3://bucket"), lambda: check_place("first", "s3://bucket")):
        with pytest.raises(ConfigurationError, match="never changed"):
            again()


def test_what_a_killed_copy_left_is_written_over(s3: RunningS3, release: Path) -> None:
    put_release(release, "s3://bucket")
    s3.client().delete_object(Bucket="bucket", Key="first/manifest.json")
    put_release(release, "s3://bucket")
    assert s3.read("bucket", "first/manifest.json")


def test_other_files_are_left_alone(release: Path, tmp_path: Path) -> None:
    mine = tmp_path / "there" / "first" / "data" / "mine.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(ConfigurationError, match=r"holds other files, such as mine\.parquet"):
        put_release(release, str(tmp_path / "there"))
    assert [path for path in (tmp_path / "there").rglob("*") if path.is_file()] == [mine]


def test_a_missing_bucket_is_named_and_not_made(s3: RunningS3, release: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"s3://absent/sets/first: .*does not exist") as raised:
        put_release(release, "s3://absent/sets")
    assert "Create the bucket" in raised.value.remedy
    assert "adp push first --to s3://absent/sets --really" in raised.value.remedy
    assert [each["Name"] for each in s3.client().list_buckets()["Buckets"]] == ["bucket"]


def test_missing_credentials_are_told(
    s3: RunningS3, release: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    _forget_clients()
    with pytest.raises(ConfigurationError, match="credentials") as raised:
        put_release(release, "s3://bucket")
    assert "AWS_ACCESS_KEY_ID" in raised.value.remedy


def test_refused_credentials_are_told(s3: RunningS3, release: Path) -> None:
    s3.allow(0)
    with pytest.raises(ConfigurationError, match="s3://bucket/first") as raised:
        put_release(release, "s3://bucket")
    s3.allow(1_000_000)
    assert "credentials" in raised.value.remedy
    assert not s3.keys("bucket")


def test_what_was_written_is_taken_back_when_a_later_file_fails(release: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", BIG // 2_000) as disk:
        with pytest.raises(ConfigurationError, match="No space left") as raised:
            put_release(release, f"file://{disk}")
        assert not (disk / "first").exists()
    assert "Free space" in raised.value.remedy


def test_a_folder_holds_the_release_as_it_is(release: Path, tmp_path: Path) -> None:
    there = tmp_path / "there" / "first"
    assert put_release(release, str(tmp_path / "there")) == str(there)
    assert not list(changed_files(there, read_manifest(there)))


def test_the_memory_store_serves_too(release: Path) -> None:
    import fsspec

    put_release(release, "memory://sets")
    assert fsspec.filesystem("memory").cat("/sets/first/README.md") == b"# first\n"


def test_an_unknown_protocol_a_missing_package_and_half_a_release_are_told(release: Path) -> None:
    with pytest.raises(ConfigurationError, match="Protocol not known: nowhere"):
        put_release(release, "nowhere://user:secret@host/x")
    with pytest.raises(ConfigurationError, match="gcsfs") as raised:
        put_release(release, "gs://bucket")
    assert "[s3]" in raised.value.remedy
    (release / "manifest.json").unlink()
    with pytest.raises(ConfigurationError, match="no release"):
        put_release(release, "memory://sets")


def test_a_password_in_an_address_is_not_told(release: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        put_release(release, "nowhere://user:secret@host/x")
    assert "secret" not in str(raised.value)


def _forget_clients() -> None:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
