#!/usr/bin/python3
"""Injects faults into a busy imgpress and checks that nothing is lost:

    run.py [--seconds 60] [--seed N] [--cheap] [--only TEXT]

The seed decides which faults come in which order. Exits with 1 if an invariant was violated."""

import argparse
import random
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
sys.dont_write_bytecode = True

import psycopg2  # noqa: E402

import actions  # noqa: E402
import copies  # noqa: E402
import full_disk  # noqa: E402
import invariants  # noqa: E402
import processes  # noqa: E402
import server  # noqa: E402
import statements  # noqa: E402
from harness.cluster import ClusterError  # noqa: E402
from harness.waiting import WaitTimeout, raise_on_sigterm, wait_until  # noqa: E402
from report import Report  # noqa: E402
from world import World  # noqa: E402

ROUND = 15.0  # seconds of faults between two checks of the invariants
QUIET = 60.0  # seconds after which everything must have ended
KINDS = [
    *processes.FAULTS,
    *server.FAULTS,
    *statements.FAULTS,
    *actions.FAULTS,
    *copies.FAULTS,
    full_disk.FullDisk(),
]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="for injecting faults")
    parser.add_argument("--seed", type=int, default=None, help="repeats the order of a run")
    parser.add_argument("--cheap", action="store_true", help="without faults that take long")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults with it in their name")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def shuffled(kinds, seed):
    """The faults in the order of the seed, each once before any comes again; endless. With each
    comes a generator of random numbers, so that time does not change what they choose."""
    rng = random.Random(seed)
    step = 0
    while True:
        for kind in rng.sample(kinds, len(kinds)):
            step += 1
            yield kind, random.Random(f"{seed} {step}")


def inject(world, fault, rng, report):
    """One fault, from its cause to the moment when images flow again."""
    time.sleep(rng.uniform(0.0, 0.5))  # at a random moment
    world.note_presses()
    begun = time.time()
    fault.inject(world, rng)
    seconds = fault.recovered(world, begun) if fault.work_goes_on else None
    left = begun + rng.uniform(*fault.hold) - time.time()
    time.sleep(max(0.0, left))  # how long the cause lasts
    since = fault.end(world)
    if not fault.work_goes_on:
        seconds = fault.recovered(world, since)
    report.recovered(fault, seconds)


def play_round(world, schedule, seconds, report):
    world.load.resume()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fault, rng = next(schedule)
        try:
            inject(world, fault, rng, report)
        except (psycopg2.Error, AssertionError, ClusterError, WaitTimeout) as error:
            report.problem(f"{fault.name}: {error}")
            if not world.cluster.running():
                world.cluster.start()
    with world.load.paused(resume=False):
        judge(world, report)


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


def warm_up(world, report):
    """A round without faults, which also shows what is usual."""
    world.load.resume()
    wait_until(lambda: len(world.load.acknowledged) > 12, "some requests are submitted")
    with world.load.paused(resume=False):
        wait_until(lambda: not invariants.unfinished(world), "all has ended", QUIET, 0.2)
        world.usual_descriptors = invariants.open_descriptors(world)
        judge(world, report)


def main():
    options = parse()
    raise_on_sigterm()
    kinds = [it for it in KINDS if options.only in it.name and (it.cheap or not options.cheap)]
    report = Report(options.seed)
    print(f"seed {options.seed}", flush=True)
    try:
        with World(options.seed) as world:
            kinds = [it for it in kinds if world.disk.mounted or it.name != "disk full"]
            warm_up(world, report)
            schedule = shuffled(kinds, options.seed)
            left = options.seconds
            while left > 0:
                play_round(world, schedule, min(left, ROUND), report)
                left -= ROUND
    except KeyboardInterrupt:
        return 130
    print(f"\n{report.table()}\n{report.summary()}")
    if report.problems:
        print(f"Repeat it: make faults SECONDS={options.seconds:g} SEED={options.seed}")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
