"""Init for a slot whose walls another program built around this python, for one run or one session."""

from __future__ import annotations

import _socket
import os
import sys

from sandbox.inside import init
from sandbox.inside.jail import Jail


def start(control: int, listen_on: int, paths: list[str]) -> None:
    """Become init, with the packages of the folders `paths`. Nothing is imported ahead for a single run."""
    control_socket = _socket.socket(fileno=control)
    sys.path += paths
    # What bwrap adds to the environment that the host chose.
    os.environ.pop("PWD", None)
    init.serve(control_socket, Jail(), listen_on)
