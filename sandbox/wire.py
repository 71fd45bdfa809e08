"""What host and driver say to each other: lists of byte strings over a socket, limits of a run among them.

Loaded on both sides. Not JSON, whose module alone takes as long to import as python takes to start.
"""

from __future__ import annotations

import os

WORKSPACE = "/tmp"


def pack(*fields: bytes) -> bytes:
    """One message: its length in eight bytes, then each field after its own length in four."""
    body = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return len(body).to_bytes(8, "big") + body


def unpack(body: bytes) -> list[bytes]:
    """The fields of a message whose eight bytes of length were read before.

    Raises ValueError if they do not fit.
    """
    fields = []
    at = 0
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4], "big")
        if end > len(body):
            raise ValueError("a field is longer than its message")
        fields.append(body[at + 4 : end])
        at = end
    return fields


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Bounds:
    """The limits of one request."""

    def __init__(
        self,
        wall_seconds: float,
        cpu_seconds: int,
        memory_mb: int,
        processes: int,
        file_mb: int,
        open_files: int,
        output_bytes: int,
    ) -> None:
        self.wall_seconds = wall_seconds
        self.cpu_seconds = cpu_seconds
        self.memory_mb = memory_mb
        self.processes = processes
        self.file_mb = file_mb
        self.open_files = open_files
        self.output_bytes = output_bytes

    def encode(self) -> bytes:
        return " ".join(map(str, self.__dict__.values())).encode()

    @classmethod
    def decode(cls, text: bytes) -> Bounds:
        wall_seconds, *others = text.split()
        return cls(float(wall_seconds), *map(int, others))
