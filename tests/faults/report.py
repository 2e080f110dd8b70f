"""The table at the end of a run."""

from collections import defaultdict
from statistics import median

TARGET = 2.0  # seconds until images flow again


class Report:
    """Collects what happened; prints a line for each fault as it goes."""

    def __init__(self, seed):
        self.seed = seed
        self.rounds = 0
        self.problems = []
        self._seconds = defaultdict(list)

    def recovered(self, fault, seconds):
        self._seconds[fault.name].append(seconds)
        if seconds is None:
            self.problem(f"{fault.name}: images did not flow again")
        else:
            print(f"  {fault.name}: {seconds:.2f} s", flush=True)

    def problem(self, text):
        self.problems.append(text)
        print(f"VIOLATION {text}", flush=True)

    def table(self):
        """kind, times injected, median and worst seconds until images flow again."""
        lines = [f"{'fault':36} {'times':>5} {'median':>8} {'worst':>8}"]
        for name, seconds in sorted(self._seconds.items()):
            known = [it for it in seconds if it is not None]
            middle, worst = (median(known), max(known)) if known else (0, 0)
            note = "  never" if None in seconds else "  slow" if worst > TARGET else ""
            lines.append(f"{name:36} {len(seconds):5} {middle:6.2f} s {worst:6.2f} s{note}")
        return "\n".join(lines)

    def summary(self):
        count = sum(map(len, self._seconds.values()))
        return (
            f"{count} faults in {self.rounds} rounds, {len(self.problems)} violations; "
            f"seed {self.seed}"
        )
