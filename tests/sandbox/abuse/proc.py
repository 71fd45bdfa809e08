"""What /proc and /sys give away about the host and its processes, and the switches of the kernel in them."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Probe, Wall

READ_OF_INIT = (
    *("environ", "mem", "maps", "auxv", "syscall", "stack", "exe", "fd/0", "ns/mnt", "root/proc"),
    *("task/1/mem", "pagemap"),
)
WRITTEN_OF_INIT = (
    *("mem", "oom_score_adj", "clear_refs", "coredump_filter", "sched", "timens_offsets", "comm"),
    *("uid_map", "setgroups"),
)
LISTS: tuple[tuple[str, Wall, str, str], ...] = (
    # name, wall, file, what of the host's would stand in it
    ("a lock of the host", "pid namespace", "/proc/locks", '":%d " % HOST.locked_inode'),
    ("the name of a socket of the host", "network namespace", "/proc/net/unix", "HOST.abstract_name"),
    ("a port of the host", "network namespace", "/proc/net/tcp", '":%04X " % HOST.tcp_port'),
    ("a segment of the host", "ipc namespace", "/proc/sysvipc/shm", '" %d " % HOST.shm_id'),
)
# They belong to the whole machine, so they are opened for writing and nothing is written.
SWITCHES = (
    *("/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/mtrr"),
    *("/sys/kernel/uevent_helper", "/sys/power/state"),
    *(
        f"/proc/sys/{name}"
        for name in (
            *("kernel/core_pattern", "kernel/modprobe", "kernel/sysrq", "kernel/usermodehelper/bset"),
            *("kernel/randomize_va_space", "kernel/kptr_restrict", "kernel/unprivileged_bpf_disabled"),
            *("vm/drop_caches", "vm/overcommit_memory", "vm/nr_hugepages", "vm/mmap_min_addr"),
            *("fs/suid_dumpable", "fs/protected_hardlinks", "fs/binfmt_misc/register"),
            *("net/ipv4/ip_forward", "net/ipv4/ip_unprivileged_port_start", "user/max_user_namespaces"),
        )
    ),
)
# These belong to namespaces, so the value they have can be written again; some refuse only then.
OWN_SWITCHES = ("kernel/ns_last_pid", "kernel/hostname", "kernel/shmmax")
# Readable by root alone, for what they say of the kernel's memory and of the other tenants.
KERNEL_TABLES = (
    *("/proc/kcore", "/proc/kmsg", "/proc/kpagecount", "/proc/kpageflags", "/proc/slabinfo"),
    *("/proc/vmallocinfo", "/proc/timer_list", "/proc/pagetypeinfo", "/sys/kernel/debug/sched"),
    *("/sys/firmware/acpi/tables/DSDT", "/sys/kernel/vmcoreinfo"),
)

# Some files refuse at the opening, others at the reading; some cannot be read at the place where one starts.
READ = """
with attempt("EIO", "EISDIR", "EINVAL", "EAGAIN"):
    breach(os.read(os.open({path!r}, os.O_RDONLY | os.O_NONBLOCK), 8))
"""
WRITE = """
with attempt(): os.open({path!r}, os.O_WRONLY)
"""
WRITE_AGAIN = """
with attempt():
    with open({path!r}, "r+") as switch:
        value = switch.read()
        switch.seek(0)
        switch.write(value)
"""
FIND = """
for pid in filter(str.isdigit, os.listdir("/proc")):
    try: text = open("/proc/" + pid + "/{file}").read()
    except OSError: continue
    if SECRET in text: breach("in process " + pid)
blocked("no process has it")
"""
IN_ENVIRONMENT = """
if SECRET in os.environ.values(): breach()
blocked("it is not there")
"""
CONTAINS = """
with attempt():
    if {text} in open({path!r}).read(): breach()
    blocked("it is not in there")
"""
ADDRESSES = """
with attempt():
    for line in open({path!r}):
        if int(line.split()[0].split("-")[-1], 16): breach(line.strip())
    blocked("zeros only")
"""
PAGE_FRAMES = """
page = buffer(8192)
page[4096] = b"x"
with attempt():
    entries = os.open("/proc/self/pagemap", os.O_RDONLY)
    entry, = struct.unpack("Q", os.pread(entries, 8, (ctypes.addressof(page) + 4096 >> 12) * 8))
    if entry & (1 << 55) - 1: breach("a physical address")
    blocked("zeros only")
"""
ABSENT = ("ENOENT", "ENODEV")


PROBES = (
    Probe("a secret in the own environment", "clean environment", IN_ENVIRONMENT, "unprivileged"),
    Probe("a secret in an environment", "pid namespace", FIND.format(file="environ")),
    Probe("a secret in a command line", "pid namespace", FIND.format(file="cmdline"), "unprivileged"),
    *(
        Probe(name, wall, CONTAINS.format(path=path, text=text), "unprivileged")
        for name, wall, path, text in LISTS
    ),
    *(
        Probe(
            f"reading /proc/1/{name}",
            "pid namespace",
            READ.format(path=f"/proc/1/{name}"),
            unsupported=ABSENT,
        )
        for name in READ_OF_INIT
    ),
    *(
        Probe(
            f"writing /proc/1/{name}",
            "pid namespace",
            WRITE.format(path=f"/proc/1/{name}"),
            unsupported=ABSENT,
        )
        for name in WRITTEN_OF_INIT
    ),
    *(
        Probe(f"writing {path}", "user ids", WRITE.format(path=path), unsupported=(*ABSENT, "EACCES", "EIO"))
        for path in SWITCHES
    ),
    *(
        Probe(f"writing /proc/sys/{name}", "user ids", WRITE_AGAIN.format(path=f"/proc/sys/{name}"))
        for name in OWN_SWITCHES
    ),
    *(
        Probe(f"reading {path}", "user ids", READ.format(path=path), unsupported=ABSENT)
        for path in KERNEL_TABLES
    ),
    Probe("addresses of the kernel", "capabilities", ADDRESSES.format(path="/proc/kallsyms")),
    Probe("addresses of the machine's memory", "capabilities", ADDRESSES.format(path="/proc/iomem")),
    Probe("physical addresses of its own memory", "capabilities", PAGE_FRAMES),
    Probe(
        "the name of the host",
        "uts namespace",
        "if os.uname().nodename == HOST.hostname: breach()\nblocked('another')",
    ),
)
