"""Init for a slot whose walls nsjail built around this python, and left the rights to keep it up."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket

from sandbox.inside import init, kernel
from sandbox.inside.zygote import READ_ONLY, Config, ZygoteJail, harden, hide


def start(control: int, values: tuple) -> None:  # type: ignore[type-arg]
    """Finish the walls, then become init."""
    config = Config(*values)
    control_socket = _socket.socket(fileno=control)
    # Should nsjail be killed, so are we.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, _signal.SIGKILL)
    for _, shown_at in config.mounts:
        # nsjail leaves what is mounted below a folder as writable as it is on the host.
        kernel.set_mount_attributes(shown_at, READ_ONLY | kernel.MOUNT_ATTR_NODEV, below=True)
    for hidden in config.hidden:
        hide(*hidden)
    harden(config)
    init.serve(control_socket, ZygoteJail(config), config.listen_on)
