"""What the host and the processes inside say to each other: byte strings and descriptors over Unix sockets.

Loaded on both sides. Not JSON, whose module alone takes as long to import as python takes to start.
"""

from __future__ import annotations

import _socket
import os
import sys

WORKSPACE = "/tmp"
SHARED_MEMORY_FOLDER = ".shm"
"""The folder of the workspace that /dev/shm points to."""
INLINE_BYTES = 1 << 16
"""A larger message travels in a file in memory, handed over with it: a packet must fit a socket's buffer."""
IN_MEMORY_FILE = b"\0"
DESCRIPTOR_BYTES = 4


def pack(*fields: bytes) -> bytes:
    """The fields, each after its own length in four bytes."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def unpack(message: bytes) -> list[bytes]:
    """The fields of a message. Raises ValueError if they do not fit."""
    fields = []
    at = 0
    while at < len(message):
        end = at + 4 + int.from_bytes(message[at : at + 4], "big")
        if end > len(message):
            raise ValueError("a field is longer than its message")
        fields.append(message[at + 4 : end])
        at = end
    return fields


def send(socket: _socket.socket, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
    """Send one packet and copies of `descriptors` with it. Raises OSError."""
    if not descriptors:
        socket.send(message)
        return
    handed = b"".join(number.to_bytes(DESCRIPTOR_BYTES, sys.byteorder) for number in descriptors)
    socket.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handed)])


def receive(socket: _socket.socket) -> tuple[bytes, list[int]]:
    """The next packet and the descriptors handed over with it; an empty one when the other side is gone.

    Raises OSError, BlockingIOError where the socket does not block and nothing is there.
    """
    space = _socket.CMSG_SPACE(8 * DESCRIPTOR_BYTES)
    message, ancillary, flags, _ = socket.recvmsg(INLINE_BYTES, space, _socket.MSG_CMSG_CLOEXEC)
    descriptors = []
    for level, kind, data in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            for at in range(0, len(data) - len(data) % DESCRIPTOR_BYTES, DESCRIPTOR_BYTES):
                descriptors.append(int.from_bytes(data[at : at + DESCRIPTOR_BYTES], sys.byteorder))
    if flags & _socket.MSG_CTRUNC:
        for descriptor in descriptors:
            os.close(descriptor)
        raise OSError("not all descriptors that were handed over could be taken")
    return message, descriptors


def send_request(socket: _socket.socket, fields: list[bytes], descriptors: tuple[int, ...]) -> None:
    """Send fields of any size and copies of `descriptors`. Raises OSError."""
    message = pack(*fields)
    if len(message) <= INLINE_BYTES:
        send(socket, message, descriptors)
        return
    body = memory_file(message)
    try:
        send(socket, IN_MEMORY_FILE, (*descriptors, body))
    finally:
        os.close(body)


def receive_request(socket: _socket.socket) -> tuple[list[bytes], list[int]]:
    """The other side of `send_request`; no fields when it is gone."""
    message, descriptors = receive(socket)
    if message == IN_MEMORY_FILE:
        body = descriptors.pop()
        message = read_all(body)
        os.close(body)
    return unpack(message), descriptors


def memory_file(data: bytes) -> int:
    """A descriptor of a file in memory that holds `data`, to be read from its start."""
    descriptor = os.memfd_create("sandbox", os.MFD_CLOEXEC)
    write_all(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def read_all(descriptor: int) -> bytes:
    chunks = []
    while chunk := os.read(descriptor, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Bounds:
    """The limits of one run that its own process takes on."""

    def __init__(
        self,
        cpu_seconds: int,
        memory_mb: int,
        processes: int,
        file_mb: int,
        open_files: int,
    ) -> None:
        self.cpu_seconds = cpu_seconds
        self.memory_mb = memory_mb
        self.processes = processes
        self.file_mb = file_mb
        self.open_files = open_files

    def encode(self) -> bytes:
        return b"%d %d %d %d %d" % (
            self.cpu_seconds,
            self.memory_mb,
            self.processes,
            self.file_mb,
            self.open_files,
        )

    @classmethod
    def decode(cls, text: bytes) -> Bounds:
        return cls(*map(int, text.split()))
