"""An S3 of the test's own (moto), as a process on 127.0.0.1 that ends with the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3


@dataclass(frozen=True)
class RunningS3:
    """A server that answers at `url`."""

    url: str

    def environment(self) -> dict[str, str]:
        """By what clients find it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self) -> Any:
        """A client of the makers' own."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )

    def keys(self, bucket: str) -> list[str]:
        """What a bucket has."""
        found = self.client().list_objects_v2(Bucket=bucket)
        return [each["Key"] for each in found.get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        return bytes(self.client().get_object(Bucket=bucket, Key=key)["Body"].read())

    def allow(self, requests: int) -> None:
        """Let so many requests through, and after these none whose key nobody gave out."""
        self._tell("reset-auth", str(requests).encode())

    def reset(self) -> None:
        """Let it have nothing."""
        self._tell("reset", b"")

    def _tell(self, what: str, data: bytes) -> None:
        headers = {"Content-Type": "text/plain"}
        address = f"{self.url}/moto-api/{what}"
        urllib.request.urlopen(urllib.request.Request(address, data, headers)).close()


@contextmanager
def s3_server() -> Iterator[RunningS3]:
    """A server with nothing in it."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "Running on " in line:
                    yield RunningS3(line.split("Running on ")[1].split()[0])
                    break
            else:
                raise RuntimeError(f"moto ended with {process.wait()}")
        finally:
            process.terminate()
