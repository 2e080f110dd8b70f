#!/usr/bin/python3
"""Measures how many status requests the gateway answers, compared with two upper bounds.

    gateway.py [--rounds N] [--seconds N]

32 clients (wrk) ask for the status of a request over kept connections, one question after the
other. The bounds are pgbench with the gateway's statement on as many connections, and the gateway
with an answer that needs no database. A second gateway asks for a key. They take turns, and share
the machine with their clients.
"""

import argparse
import contextlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from kit import report
from kit import rig
from kit.report import target

from harness.cluster import pg_config  # noqa: E402
from harness.gateway import Gateway, bearer  # noqa: E402

CLIENTS = 32
LOGIN = "bench_gateway"  # has the rights of imgpress_gateway only
OWNER = "bench_owner"  # of the key
# 25 times the answers/s of the stack that imgpress replaces, measured once on two cores. That stack
# is not run here.
LEAST_RATE = 25 * 366
LEAST_SHARE = 1 / 8  # of what pgbench reaches
LEAST_SHARE_WITH_KEY = 0.95  # of the rate without
MOST_MS = 20
MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000}


def said(command, **options):
    """The output of a program; raises its error output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


def run_wrk(url, seconds, expect_errors=False, headers=()):
    """Answers per second, and the median and the 99th percentile in milliseconds."""
    shown = [it for name, value in dict(headers).items() for it in ("-H", f"{name}: {value}")]
    text = said(["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}", *shown, "--latency", url])
    if "Socket errors" in text or ("Non-2xx" in text) != expect_errors:
        raise RuntimeError(f"unexpected answers from {url}:\n{text}")
    row = {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])}
    for name in ("50", "99"):
        number, unit = re.search(rf"^\s+{name}%\s+([\d.]+)(us|ms|s)$", text, re.MULTILINE).groups()
        row[name] = float(number) * MILLISECONDS[unit]
    return row


def run_pgbench(cluster, script, request, seconds):
    """Statements per second, and the mean in milliseconds."""
    program = Path(pg_config("--bindir"), "pgbench")
    settings = ["-n", "-M", "prepared", "-f", script, "-D", f"id={request}"]
    load = ["-c", str(CLIENTS), "-j", "2", "-T", str(seconds)]
    environment = {**cluster.environment(), "PGUSER": LOGIN}
    text = said([program, *settings, *load], env=environment)
    return {
        "rate": float(re.search(r"tps = ([\d.]+)", text)[1]),
        "mean": float(re.search(r"latency average = ([\d.]+)", text)[1]),
    }


def ended_request(cluster, submitted_by):
    """A finished request of one image, which fails at once because its address is private."""
    product = "(1, 'one', 'http://127.0.0.1:9/one.jpg')"
    submit = f"SELECT imgpress.submit(ARRAY[{product}::imgpress.product_input])"
    request = cluster.scalar(submit)
    if cluster.scalar("SELECT imgpress.wait(%s)", (request,)) != "Completed":
        raise RuntimeError("the request did not end")
    given = "UPDATE imgpress.processing_requests SET submitted_by = %s WHERE id = %s"
    cluster.query(given, (submitted_by, request))
    return request


def statement_of(cluster, gateway, request):
    """The statement that the gateway has just run, as a script for pgbench."""
    if gateway.get(f"/api/status/{request}/").json()["status"] != "Completed":
        raise RuntimeError("the gateway does not know the request")
    statement = cluster.scalar("SELECT query FROM pg_stat_activity WHERE usename = %s", (LOGIN,))
    if "status_as(" not in statement:
        raise RuntimeError(f"another connection ran last: {statement}")
    for name, value in {"$1": "NULL", "$2": "NULL", "$3": "'never'", "$4": ":id"}.items():
        statement = statement.replace(name, value)
    return statement + ";\n"


def measure(rounds, seconds):
    """For each round the figures of the three, measured one after the other."""
    with rig.cluster({"imgpress.allowed_networks": ""}) as cluster:
        cluster.query(f"CREATE ROLE {LOGIN} LOGIN IN ROLE imgpress_gateway")
        cluster.query(f"CREATE ROLE {OWNER} LOGIN IN ROLE imgpress_user")
        request, owned = ended_request(cluster, LOGIN), ended_request(cluster, OWNER)
        key = cluster.scalar("SELECT imgpress.create_key('bench')", user=OWNER)
        conninfo = cluster.conninfo(user=LOGIN)
        with contextlib.ExitStack() as stack:
            gateway = stack.enter_context(Gateway(conninfo, options=["--no-keys"]))
            keyed_gateway = stack.enter_context(Gateway(conninfo))
            script = stack.enter_context(tempfile.NamedTemporaryFile("w"))
            script.write(statement_of(cluster, gateway, request))
            script.flush()
            status = f"{gateway.base}/api/status/{request}/"
            with_key = {"url": f"{keyed_gateway.base}/api/status/{owned}/", "headers": bearer(key)}
            for warm_up in ({"url": status}, with_key):  # opens the connections to the database
                run_wrk(seconds=1, **warm_up)
            return [
                {
                    "status": run_wrk(status, seconds),
                    "keyed": run_wrk(seconds=seconds, **with_key),
                    "pgbench": run_pgbench(cluster, script.name, request, seconds),
                    "http": run_wrk(f"{gateway.base}/api/nothing/", seconds, expect_errors=True),
                }
                for _ in range(rounds)
            ]


def median(rounds, name, figure):
    return statistics.median(each[name][figure] for each in rounds)


def share(rounds):
    """The rate relative to pgbench's in the same round."""
    return statistics.median(each["status"]["rate"] / each["pgbench"]["rate"] for each in rounds)


def share_with_key(rounds):
    """The rate with a key relative to that without in the same round."""
    return statistics.median(each["keyed"]["rate"] / each["status"]["rate"] for each in rounds)


def target_rows(rounds):
    what = f"status answers, {CLIENTS} connections"
    return [
        target(what, median(rounds, "status", "rate"), "at least", LEAST_RATE, "/s", 0),
        target(f"{what}: share of pgbench's rate", share(rounds), "at least", LEAST_SHARE, "", 3),
        target(f"{what}: with a key, of the rate without", share_with_key(rounds), "at least",
               LEAST_SHARE_WITH_KEY, "", 3),
        target(f"{what}: 99th percentile", median(rounds, "status", "99"), "at most", MOST_MS, "ms", 1),
    ]


def table_rows(rounds):
    """The medians of the rounds."""
    base = median(rounds, "pgbench", "rate")

    def row(what, name, typical, slow):
        rate = median(rounds, name, "rate")
        return {
            f"{CLIENTS} clients": what,
            "per second": round(rate),
            "of pgbench": f"{share(rounds) if name == 'status' else rate / base:.2f}",
            "typical": f"{median(rounds, name, typical):.2f} ms",
            "99 % within": f"{median(rounds, name, slow):.2f} ms" if slow else "",
        }

    return [
        row("status by the gateway", "status", "50", "99"),
        row("status by the gateway, with a key", "keyed", "50", "99"),
        row("the same statement by pgbench", "pgbench", "mean", None),
        row("the gateway without the database", "http", "50", "99"),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("gateway.py: wrk is not installed; apt-get install wrk")
    report.environment("gateway")
    rounds = measure(options.rounds, options.seconds)
    report.publish_targets("gateway", target_rows(rounds))
    report.publish("gateway", table_rows(rounds))


if __name__ == "__main__":
    main()
