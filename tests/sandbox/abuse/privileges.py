"""Ways to become somebody else or get rights back: user ids, capabilities, set-user-id programs, filters."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Probe

SYS_ADMIN = 1 << 21

IDS = (
    ("user id 0", "os.setuid(0)"),
    ("user id 0 in all three places", "os.setresuid(0, 0, 0)"),
    ("group id 0", "os.setgid(0)"),
    ("group id 0 in all three places", "os.setresgid(0, 0, 0)"),
    ("the groups of root", "os.setgroups([0])"),
    ("no groups at all", "os.setgroups([])"),
    ("another user's id", "os.setuid(4321)"),
)
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")

# Version 3 of the interface: effective, permitted, inheritable, low words first.
CAPSET = """
head, sets = struct.pack("Ii", 0x20080522, 0), struct.pack("6I", {bit}, {bit}, {bit}, 0, 0, 0)
with attempt():
    syscall("capset", head, sets)
    {then}
"""
HAS_CAPABILITIES = """
for line in open("/proc/self/status"):
    name, _, value = line.partition(":")
    if name in {sets!r} and int(value, 16): breach(line.strip())
blocked("none")
"""
FILE_CAPABILITY = """
open("program", "w").close()
with attempt(): os.setxattr("program", "security.capability", struct.pack("<5I", 0x02000001, {bit}, 0, 0, 0))
"""
# Made by us, so we have to give it away first: a set-user-id file of our own would gain nothing.
OWN_SETUID_PROGRAM = """
import shutil, subprocess
with attempt():
    shutil.copy("/usr/bin/id", "id")
    os.chown("id", 0, 0)
    os.chmod("id", 0o4755)
    become_nobody = lambda: os.setresuid(4321, 4321, 4321)
    said = subprocess.run(["./id", "-u"], stdout=subprocess.PIPE, preexec_fn=become_nobody)
    if said.stdout.strip() == b"0": breach("it ran as root")
    blocked("its owner did not count")
"""
# The loader tells what the kernel told it, except where the program has given the process more rights.
HOST_SETUID_PROGRAM = """
import shutil, subprocess
program = shutil.which({name!r}, path="/usr/bin:/bin:/usr/sbin:/sbin")
if not program or not os.stat(program).st_mode & 0o4000: blocked("it is not there")
with attempt():
    quiet = {{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}}
    said = subprocess.run([program, "--help"], env={{"LD_SHOW_AUXV": "1"}}, **quiet)
    if b"AT_SECURE" not in said.stdout: breach("the loader kept its mouth shut, as for root")
    blocked("it got no rights")
"""
PRCTL = """
with attempt():
    if LIBC.prctl({operation}, 0, 0, 0, 0) == 0: breach({what!r})
    blocked("it is on")
"""
# A second filter only narrows what the first lets through.
SECOND_FILTER = """
allow_all = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
program = struct.pack("HP", 1, ctypes.addressof(allow_all))
with attempt():
    if LIBC.prctl(38, 1, 0, 0, 0) or LIBC.prctl(22, 2, program, 0, 0): blocked("no filter was taken")
    syscall("keyctl", 0, -3, 0)
"""
AMBIENT = """if LIBC.prctl(47, 2, 21, 0, 0): raise OSError(ctypes.get_errno(), "")"""
SECURE_BITS = """
with attempt():
    if LIBC.prctl(28, 0x5, 0, 0, 0): raise OSError(ctypes.get_errno(), "")
"""
BOUNDING_SET = """
with attempt():
    if LIBC.prctl(24, 21, 0, 0, 0): raise OSError(ctypes.get_errno(), "")
"""

PROBES = (
    Probe(
        "running as root", "user ids", 'if os.getuid() and os.geteuid(): blocked("another user")\nbreach()'
    ),
    *(Probe(name, "user ids", f"with attempt(): {code}") for name, code in IDS),
    Probe("capabilities to begin with", "capabilities", HAS_CAPABILITIES.format(sets=SETS)),
    Probe("a capability taken", "capabilities", CAPSET.format(bit=SYS_ADMIN, then="pass")),
    Probe("a capability for every program", "capabilities", CAPSET.format(bit=SYS_ADMIN, then=AMBIENT)),
    Probe("a capability for a file", "capabilities", FILE_CAPABILITY.format(bit=SYS_ADMIN)),
    Probe("secure bits set", "capabilities", SECURE_BITS),
    Probe("the bounding set changed", "capabilities", BOUNDING_SET),
    Probe("a set-user-id program of its own", "user ids", OWN_SETUID_PROGRAM),
    *(
        Probe(
            f"the set-user-id program {name}",
            "no new privileges",
            HOST_SETUID_PROGRAM.format(name=name),
            "unprivileged",
            unsupported=("it is not there",),
        )
        for name in ("su", "sudo", "mount", "passwd", "newgrp")
    ),
    Probe(
        "new privileges by a program", "no new privileges", PRCTL.format(operation=39, what="not forbidden")
    ),
    Probe("no filter of system calls", "seccomp", PRCTL.format(operation=21, what="no filter")),
    Probe("a filter over the filter", "seccomp", SECOND_FILTER, "unprivileged"),
)
