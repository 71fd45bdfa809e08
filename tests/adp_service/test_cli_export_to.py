"""`adp export --to`: a release that also lies on a store elsewhere, or gets there later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adp_assets.curation.stored import stored
from tests.adp_assets.tasks import solved
from tests.adp_service.command import adp, project
from tests.s3_server import RunningS3, s3_server

HOW = ("--set", "near_duplicates=null", "--split", "train=1")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningS3]:
    with s3_server() as running:
        running.client().create_bucket(Bucket="bucket")
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


def test_a_release_goes_to_a_bucket_and_where_that_failed_it_gets_there_later(
    s3: RunningS3, tmp_path: Path
) -> None:
    folder = project(tmp_path / "p")
    stored(folder / "output/assets/training_rows", *(solved(f"t{n}", str(n)) for n in range(4)))

    made = adp(folder, "export", "v1", *HOW, "--to", "s3://bucket/sets")
    assert made.code == 0, made.said
    manifest = json.loads(s3.read("bucket", "sets/v1/manifest.json"))
    assert {f"sets/v1/{name}" for name in manifest["files"]} | {"sets/v1/manifest.json"} == set(
        s3.keys("bucket")
    )

    failed = adp(folder, "export", "v2", *HOW, "--to", "s3://absent")
    assert failed.code == 1
    assert "s3://absent/v2: The specified bucket does not exist" in failed.said
    assert adp(folder, "release", "verify", "v2").code == 0
    later = adp(folder, "push", "v2", "--to", "s3://bucket", "--really")
    assert later.code == 0, later.said
    assert "v2/manifest.json" in s3.keys("bucket")
