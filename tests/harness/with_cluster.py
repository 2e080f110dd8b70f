#!/usr/bin/python3
"""Runs a command with a private cluster, which is removed when the command ends:

    with_cluster.py [--setting NAME=VALUE]... [--create-extension [NAME]]... -- pg_prove tests/sql

The command finds it through PGHOST, PGPORT, PGUSER and PGDATABASE. Exits with the command's status.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.cluster import PRELOAD, Cluster, ClusterError  # noqa: E402
from harness.waiting import raise_on_sigterm  # noqa: E402


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--database", default="shop")
    parser.add_argument("--preload", default=",".join(PRELOAD), help="left out if not installed")
    parser.add_argument(
        "--create-extension",
        action="append",
        default=[],
        nargs="?",
        const="imgpress",
        metavar="NAME",
        help="may be repeated; without NAME: imgpress",
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    options = parser.parse_args(arguments)
    for setting in options.setting:
        if "=" not in setting:
            parser.error(f"--setting must be NAME=VALUE, not {setting!r}")
    return options


def main(arguments):
    options = parse(arguments)
    raise_on_sigterm()
    settings = dict(setting.split("=", 1) for setting in options.setting)
    preload = tuple(filter(None, options.preload.split(",")))
    try:
        with Cluster(settings, options.database, preload, name="with") as cluster:
            for extension in options.create_extension:
                cluster.query(f'CREATE EXTENSION "{extension}" CASCADE')
            status = subprocess.run(
                options.command, env=cluster.environment(), check=False
            ).returncode
            if status != 0:
                print(f"--- end of the server's log ---\n{cluster.log_tail()}", file=sys.stderr)
            return status
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
