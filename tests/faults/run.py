#!/usr/bin/python3
"""Injects faults into a busy imgpress and checks that nothing is lost:

    run.py [--seconds 60] [--seed N] [--only TEXT]
    run.py --short [--seed N]

The seed decides which faults come in which order. Exits with 1 if an invariant was violated."""

import argparse
import contextlib
import itertools
import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.dont_write_bytecode = True

import psycopg2  # noqa: E402

from faults import invariants, kinds  # noqa: E402
from faults.kinds.processes import PRESSES, PRESSES_AND_DRAINER  # noqa: E402
from faults.report import Report  # noqa: E402
from faults.world import World  # noqa: E402
from harness.cluster import ClusterError  # noqa: E402
from harness.waiting import WaitTimeout, raise_on_sigterm, wait_until  # noqa: E402

ROUND = 15.0  # seconds of faults between two checks of the invariants
QUIET = 60.0  # seconds after which everything must have ended


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="for injecting faults")
    parser.add_argument("--seed", type=int, default=None, help="repeats the order of a run")
    parser.add_argument("--short", action="store_true", help="each fault that is cheap, once")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults with it in their name")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def shuffled(faults, seed):
    """The faults in the order of the seed, each once before any comes again; endless. With each
    comes a generator of random numbers, so that time does not change what they choose."""
    rng = random.Random(seed)
    step = 0
    while True:
        for fault in rng.sample(faults, len(faults)):
            step += 1
            yield fault, random.Random(f"{seed} {step}")


# How a fault that could not be injected or ended shows.
FAILURES = (psycopg2.Error, OSError, AssertionError, ClusterError, subprocess.SubprocessError)


class Run:
    """Rounds of faults in one world, which is checked after each round."""

    def __init__(self, world, report, short):
        self._world = world
        self._report = report
        self._short = short

    def play_round(self, faults):
        """Injects these faults, one after another; then all work must come to its end."""
        self._world.load.resume()
        for fault, rng in faults:
            try:
                self._inject(fault, rng)
            except FAILURES as error:
                self._report.problem(f"{fault.name}: {error}")
                with contextlib.suppress(*FAILURES):
                    fault.end(self._world)
                if not self._world.cluster.running():
                    self._world.cluster.start()
            crashes = invariants.crashes(self._world)
            for problem in [*([] if fault.panics else crashes), *invariants.check(self._world)]:
                self._report.problem(f"{fault.name}: {problem}")
        with self._world.load.paused(resume=False):
            judge(self._world, self._report)

    def _inject(self, fault, rng):
        moment, hold = rng.uniform(0.0, 0.5), rng.uniform(*fault.hold)
        quiet = self._world.load.quiet() if rng.random() < 0.5 else contextlib.nullcontext()
        if self._short:
            moment, hold = 0.0, fault.hold[0]
        time.sleep(moment)
        self._world.note_presses()
        with quiet:
            self._report.recovered(fault, self._break_and_mend(fault, rng, hold))

    def _break_and_mend(self, fault, rng, hold):
        """One fault, from its cause to the moment when images flow again. Returns how long that
        took, or the longest silence if they must not stop."""
        begun = self._world.note_fault()
        fault.inject(self._world, rng)
        if not fault.alone and rng.random() < 0.5:
            self._add(rng.choice(PRESSES if fault.work_goes_on else PRESSES_AND_DRAINER), rng)
        time.sleep(max(0.0, begun + hold - time.time()))  # as long as the cause lasts
        if fault.work_goes_on:
            silence = self._world.flow.longest_silence(begun, time.time())
            fault.end(self._world)
            return silence
        return fault.recovered(self._world, fault.end(self._world))

    def _add(self, fault, rng):
        """A second fault during another; what it costs is not measured."""
        print(f"  ({fault.name}, and meanwhile:)", flush=True)
        self._world.note_fault()
        fault.inject(self._world, rng)
        fault.end(self._world)


def for_seconds(schedule, seconds):
    """The next faults of the schedule until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield next(schedule)


def judge(world, report):
    """Waits until everything has ended, and checks the invariants."""
    try:
        wait_until(lambda: not invariants.unfinished(world), "all has ended", QUIET, 0.2)
    except WaitTimeout:
        for problem in invariants.unfinished(world):
            report.problem(f"{QUIET:g} s after the last fault {problem}")
    for problem in [*world.problems, *invariants.violations(world)]:
        report.problem(problem)
    world.problems.clear()
    report.rounds += 1
    world.purge()


def warm_up(world):
    """Some work without a fault, which shows what is usual."""
    world.load.resume()
    wait_until(lambda: len(world.load.acknowledged) > 5, "some requests are submitted")
    with world.load.paused(resume=False):
        wait_until(lambda: not invariants.unfinished(world), "all has ended", QUIET, 0.2)
        world.usual_descriptors = invariants.open_descriptors(world)


def play(world, report, options):
    chosen = [it for it in kinds.ALL if options.only in it.name]
    chosen = [it for it in chosen if it.cheap or not options.short]
    chosen = [it for it in chosen if world.has_small_disks or not it.needs_small_disks]
    schedule = shuffled(chosen, options.seed)
    run = Run(world, report, options.short)
    if options.short:
        run.play_round(itertools.islice(schedule, len(chosen)))
        return
    left = options.seconds
    while left > 0:
        run.play_round(for_seconds(schedule, min(left, ROUND)))
        left -= ROUND


def main():
    options = parse()
    raise_on_sigterm()
    report = Report(options.seed)
    print(f"seed {options.seed}", flush=True)
    try:
        with World(options.seed) as world:
            warm_up(world)
            play(world, report, options)
    except KeyboardInterrupt:
        return 130
    print(f"\n{report.table()}\n{report.summary()}")
    if report.problems and not options.short:
        print(f"Repeat it: make faults SECONDS={options.seconds:g} SEED={options.seed}")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
