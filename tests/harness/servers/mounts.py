"""Programs that see other files than the machine's own. Needs root."""

import contextlib
import ctypes
import os

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


@contextlib.contextmanager
def lying_over(target, source):
    """To programs that are started in the with block, but to no threads, the source lies over the
    target, from then on."""
    folder = os.getcwd()
    outside = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", CLONE_NEWNS)
        _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        _call("mount", str(source).encode(), target.encode(), None, MS_BIND, None)
        yield
    finally:
        _call("setns", outside, CLONE_NEWNS)
        os.close(outside)
        os.chdir(folder)
