"""What a kind of fault is."""

import time


class Fault:
    """One kind of fault: run.py calls inject(), waits for a while, and calls end().

    `rng` makes all choices, so that a seed repeats them."""

    name = ""
    # The short run, which is part of `make check`, leaves the others out.
    cheap = True
    # Whether nothing else must happen meanwhile; else, sometimes a press dies, or the drainer ends.
    alone = True
    # Whether the server may crash by itself, and whether parts of it must lie on small disks.
    panics = False
    needs_small_disks = False
    # Whether images must go on while the fault lasts, instead of after its end.
    work_goes_on = False
    # The shortest and the longest time from inject() to end(), in seconds.
    hold = (0.0, 0.0)

    def inject(self, world, rng):
        raise NotImplementedError

    def end(self, world):
        """Takes the cause away; returns the moment from which images must flow again."""
        return time.time()

    def recovered(self, world, since):
        """Waits until everything works again; returns the seconds that it took."""
        return world.flow.wait(since)
