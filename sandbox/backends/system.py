"""What of the host shows inside a jail, whoever builds it: programs, libraries, devices, a little of /etc."""

from __future__ import annotations

import glob
import os

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

# Nothing here tells who the host is.
ETC_FILES = {
    "/etc/passwd": "root:x:0:0:root:/:/bin/false\nsandbox:x:1000:1000:sandbox:/tmp:/bin/sh\n",
    "/etc/group": "root:x:0:\nsandbox:x:1000:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}

# Where the host's own packages are, for any python that it has.
PACKAGE_FOLDERS = (
    "/usr/lib*/python3*/dist-packages",
    "/usr/lib*/python3*/site-packages",
    "/usr/local/lib*/python3*/dist-packages",
    "/usr/local/lib*/python3*/site-packages",
)
PATHS_FILE = "sandbox.pth"
"""A file there by which every python of the jail finds the layers, after the standard library."""


def package_folders() -> list[str]:
    """The folders of the host's own python packages, each once, which the code is to find empty."""
    found = (os.path.realpath(path) for pattern in PACKAGE_FOLDERS for path in glob.glob(pattern))
    return sorted({path for path in found if path.startswith("/usr/") and os.path.isdir(path)})


def system_folders() -> tuple[list[str], list[tuple[str, str]]]:
    """The folders and files to show read-only where they are, and the links (path, target) to make.

    /bin and its like are links to /usr on most hosts, folders on some.
    """
    shown, links = ["/usr"], []
    for folder in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(folder):
            links.append((folder, os.readlink(folder)))
        elif os.path.isdir(folder):
            shown.append(folder)
    # What the loader, `update-alternatives`, the clock, TLS and fonts need.
    for path in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/ssl/certs", "/etc/fonts"):
        if os.path.exists(path):
            shown.append(path)
    return shown, links
