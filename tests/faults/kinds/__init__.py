"""The kinds of faults, each with its cause, its end, and how to tell that all is well again."""

from faults.kinds import actions, copies, full_disk, limits, processes, server, statements

ALL = (
    *processes.FAULTS,
    *server.FAULTS,
    *limits.FAULTS,
    *statements.FAULTS,
    *actions.FAULTS,
    *copies.FAULTS,
    *full_disk.FAULTS,
)
