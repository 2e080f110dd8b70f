"""A press that somebody has taken over tries, one by one, what would hurt. Each attempt is refused
by the kernel, and the same attempt by an unconfined press is not."""

import contextlib
import os
import signal
import subprocess

import psycopg2
import pytest

from harness.cluster import as_server
from harness.processes import read_process
from harness.waiting import wait_until

PROCESS, DATA, SOCKET, PORT = "process", "data", "socket", "port"

# What the attack is told, and the error that a codec and a fetcher get.
ATTACKS = {
    "open": (DATA, "EPERM", "EACCES"),
    "open-write": (DATA, "EPERM", "EPERM"),
    "create": ("/tmp/imgpress-attack", "EPERM", "EPERM"),
    "open-folder": ("/", "EPERM", "EACCES"),
    "openat2": (DATA, "EPERM", "EPERM"),
    "open-by-handle": (DATA, "EPERM", "EPERM"),
    "truncate": (DATA, "EPERM", "EPERM"),
    "unlink": ("/tmp/imgpress-attack", "EPERM", "EPERM"),
    "rename": ("/tmp/imgpress-attack", "EPERM", "EPERM"),
    "chmod": (DATA, "EPERM", "EPERM"),
    "truncate-sent-memory": ("", "EPERM", "EPERM"),
    "truncate-log": ("", "EINVAL", "EINVAL"),
    "connect-unix": (SOCKET, "EPERM", "EAFNOSUPPORT"),
    "connect-tcp": (PORT, "EPERM", "EACCES"),
    "connect-mptcp": (PORT, "EPERM", "EAFNOSUPPORT"),
    "fast-open": (PORT, "EPERM", "EPERM"),
    "bind-tcp": ("0", "EPERM", "EACCES"),
    "listen": ("", "EPERM", "EPERM"),
    "unix-datagram-pair": ("", "EPERM", "EPERM"),
    "socket-unix": ("", "EPERM", "EAFNOSUPPORT"),
    "socket-netlink": ("", "EPERM", "EAFNOSUPPORT"),
    "socket-packet": ("", "EPERM", "EAFNOSUPPORT"),
    "socket-vsock": ("", "EPERM", "EAFNOSUPPORT"),
    "socket-alg": ("", "EPERM", "EAFNOSUPPORT"),
    "socket-raw": ("", "EPERM", "EAFNOSUPPORT"),
    "socket-ping": ("", "EPERM", "EAFNOSUPPORT"),
    "kill": (PROCESS, "EPERM", "EPERM"),
    "tkill": (PROCESS, "EPERM", "EPERM"),
    "tgkill": (PROCESS, "EPERM", "EPERM"),
    "sigqueue": (PROCESS, "EPERM", "EPERM"),
    "tgsigqueue": (PROCESS, "EPERM", "EPERM"),
    "pidfd-open": (PROCESS, "EPERM", "EPERM"),
    "pidfd-signal": (PROCESS, "EPERM", "EPERM"),
    "setown": (PROCESS, "EPERM", "EPERM"),
    "setown-ex": (PROCESS, "EPERM", "EPERM"),
    "setsig": ("", "EPERM", "EPERM"),
    "async": ("", "EPERM", "EPERM"),
    "fiosetown": (PROCESS, "EPERM", "EPERM"),
    "siocspgrp": (PROCESS, "EPERM", "EPERM"),
    "prlimit": (PROCESS, "EPERM", "EPERM"),
    "read-memory": (PROCESS, "EPERM", "EPERM"),
    "write-memory": (PROCESS, "EPERM", "EPERM"),
    "ptrace": (PROCESS, "EPERM", "EPERM"),
    "setpriority": (PROCESS, "EPERM", "EPERM"),
    "execve": ("/bin/true-or-not", "EPERM", "EPERM"),
    "clone": ("", "EPERM", "EPERM"),
    "clone3": ("", "ENOSYS", "ENOSYS"),
    "fork": ("", "EPERM", "EPERM"),
    "vfork": ("", "EPERM", "EPERM"),
    "map-executable": ("", "EPERM", "EPERM"),
    "make-executable": ("", "EPERM", "EPERM"),
    "io-uring": ("", "EPERM", "EPERM"),
    "userfaultfd": ("", "EPERM", "EPERM"),
    "bpf": ("", "EPERM", "EPERM"),
    "perf-event": ("", "EPERM", "EPERM"),
    "keyctl": ("", "EPERM", "EPERM"),
    "mount": ("/tmp", "EPERM", "EPERM"),
    "unshare": ("", "EPERM", "EPERM"),
    "setns": ("", "EPERM", "EPERM"),
    "prctl-dumpable": ("", "EPERM", "EPERM"),
    "unknown-call": ("", "ENOSYS", "ENOSYS"),
    "x32-call": ("", "EPERM", "EPERM"),
    "i386-call": ("", "EPERM", "EPERM"),
}

# Landlock limits TCP from ABI 4 on; before, a fetcher may do this, and imgpress.presses says so.
OPEN_BELOW_ABI_4 = ("connect-tcp", "bind-tcp")

# The rights of PostgreSQL's user, or this kernel, refuse these to an unconfined process, too.
REFUSED_ANYWAY = {
    "truncate-sent-memory": "the seals of the memory do",
    "open-by-handle": "needs CAP_DAC_READ_SEARCH",
    "socket-packet": "needs CAP_NET_RAW",
    "socket-raw": "needs CAP_NET_RAW",
    "socket-alg": "not in every kernel",
    "socket-vsock": "not in every kernel",
    "socket-ping": "needs net.ipv4.ping_group_range",
    "connect-mptcp": "not in every kernel",
    "mount": "needs CAP_SYS_ADMIN",
    "setns": "needs a namespace",
    "unshare": "not in every kernel",
    "userfaultfd": "not in every kernel",
    "io-uring": "not in every kernel",
    "bpf": "needs CAP_BPF",
    "perf-event": "needs CAP_PERFMON",
    "keyctl": "not in every kernel",
    "unknown-call": "no kernel has it",
    "x32-call": "not in every kernel",
    "i386-call": "not in every kernel",
    "pidfd-signal": "has no process to signal",
    "fast-open": "needs net.ipv4.tcp_fastopen",
}


@pytest.fixture(scope="module", name="victim")
def fixture_victim():
    """A process of PostgreSQL's user that belongs to nobody."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(as_server(["sleep", "600"]), cwd="/", **silent)
    wait_until(lambda: sleeper(process.pid), "the victim sleeps")
    victim = sleeper(process.pid)
    yield victim
    os.kill(victim, signal.SIGKILL)
    process.wait()


def sleeper(pid):
    """The process that sleeps: this one, or the one that runuser waits for."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
        for candidate in [pid, *map(int, children.read().split())]:
            process = read_process(candidate)
            if process is not None and process.title == "sleep 600":
                return candidate
    return None


def result_of(cursor, role, name, argument):
    """What the press of this session says about its attack: an error, or "succeeded"."""
    order = f"attack {name} {argument}"
    statement = "SELECT imgpress.compress_image" + ("_url(%s)" if role == "fetcher" else "(%s)")
    with pytest.raises(psycopg2.Error) as raised:
        cursor.execute(statement, (order if role == "fetcher" else order.encode(),))
    said = raised.value.diag.message_primary
    assert said.startswith(f"{name}: "), said
    return said[len(name) + 2 :]


@contextlib.contextmanager
def presses_of(prey, path):
    with prey.cluster.settings({"imgpress.press_path": path}), prey.cluster.session() as cursor:
        yield cursor


def argument_for(prey, kind, pid):
    return {
        DATA: str(prey.cluster.data / "PG_VERSION"),
        SOCKET: str(prey.cluster.socket_dir / f".s.PGSQL.{prey.cluster.port}"),
        PORT: str(prey.origin.port),
        PROCESS: str(pid),
    }.get(kind, kind)


def results(prey, path, role, pid):
    with presses_of(prey, path) as cursor:
        return {
            name: result_of(cursor, role, name, argument_for(prey, kind, pid))
            for name, (kind, *_) in ATTACKS.items()
        }


def kernel_abi(prey):
    (layers,) = prey.sql("SELECT layers FROM imgpress.presses WHERE layers IS NOT NULL LIMIT 1")[0]
    (name,) = [layer for layer in layers if layer.startswith("landlock")]
    return int(name.split()[-1].rstrip(")"))


def test_every_attack_is_listed(hostile):
    assert sorted(ATTACKS) == hostile.attacks()


@pytest.mark.parametrize("press", ["hostile", "hostile-abi2"])
@pytest.mark.parametrize("role", ["codec", "fetcher"])
def test_each_attack_is_refused(prey, hostile, role, press):
    expected = {name: errors[role == "fetcher"] for name, (_, *errors) in ATTACKS.items()}
    wait_until(prey.cluster.presses, "the worker has presses")
    if role == "fetcher" and (press == "hostile-abi2" or kernel_abi(prey) < 4):
        expected |= dict.fromkeys(OPEN_BELOW_ABI_4, "succeeded")
    with presses_of(prey, hostile["hostile-unconfined"]) as cursor:
        if result_of(cursor, role, "i386-call", "") == "ENOSYS":
            expected["i386-call"] = "ENOSYS"  # this kernel does not have it at all
    got = results(prey, hostile[press], role, prey.cluster.postmaster())
    wrong = {name: got[name] for name in ATTACKS if got[name] != expected[name]}
    assert wrong == {}


@pytest.mark.parametrize("role", ["codec", "fetcher"])
def test_the_same_attacks_succeed_without_confinement(prey, hostile, victim, role):
    """Otherwise the test above would prove nothing."""
    got = results(prey, hostile["hostile-unconfined"], role, victim)
    refused = {
        name: got[name]
        for name, (_, *errors) in ATTACKS.items()
        if name not in REFUSED_ANYWAY and got[name] in errors
    }
    assert refused == {}
