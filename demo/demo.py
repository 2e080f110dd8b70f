#!/usr/bin/python3
"""Processes sample pictures with imgpress, from starting PostgreSQL to the compressed images.

    demo.py                    runs once, checks the results, and removes everything
    demo.py --stay             keeps running until Ctrl-C, so that you can try it
    demo.py --pictures FOLDER  uses the pictures that pictures.py has drawn there

Exits with 0 only if all results are right.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import pictures  # noqa: E402
from checks import check_failures, check_order, check_outputs  # noqa: E402
from harness.cluster import ClusterError  # noqa: E402
from harness.gateway import free_port  # noqa: E402
from harness.shop import ALLOW_LOOPBACK, Shop  # noqa: E402
from harness.waiting import WaitTimeout, raise_on_sigterm, wait_for_exit  # noqa: E402
from terminal import Terminal, human_bytes  # noqa: E402

TIME_LIMIT = 120.0
PREFERRED_PORT = 8080

TABLE = """
SELECT p.serial_number AS "S. No.", p.product_name AS "product",
       cardinality(p.image_nos) AS "images", count(o.bytes) AS "compressed",
       pg_size_pretty(sum(octet_length(o.bytes))) AS "size now"
FROM imgpress.products p
LEFT JOIN imgpress.outputs o ON o.request_id = p.request_id AND o.image_no = ANY (p.image_nos)
WHERE p.request_id = '{request}'
GROUP BY p.request_id, p.product_no
ORDER BY p.product_no
"""


class Demo:
    """One run of the demo; problems lists what went wrong."""

    def __init__(self, shop, folder, terminal):
        self.shop = shop
        self.folder = folder
        self.terminal = terminal
        self.problems = []

    def run(self):
        pictures.write_csv(self.folder / "sample.csv", self.shop.origin.base)
        request = self.upload()
        if request is None:
            return
        self.watch(request)
        products = self.show_products(request)
        failures = self.show_failures(request)
        self.show_sizes(request)
        self.show_table(request)
        self.show_maintenance()
        self.judge(request, products, failures)

    def upload(self):
        """Sends sample.csv as a user would; returns the request's id."""
        self.terminal.title("Upload sample.csv")
        command = ["curl", "-sS", "-F", "file=@sample.csv", f"{self.shop.public_url}/api/upload/"]
        self.terminal.command(shlex.join(command))
        environment = {**os.environ, "no_proxy": "127.0.0.1"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        self.terminal.line((done.stdout + done.stderr).strip())
        try:
            return json.loads(done.stdout)["request_id"]
        except (ValueError, KeyError):
            self.problems.append("the upload was not accepted")
            return None

    def watch(self, request):
        """Shows the progress until the request has ended."""
        self.terminal.title("Progress, from the view imgpress.progress")
        rounds = int(TIME_LIMIT / 0.1)
        for _ in range(rounds):
            status = self.shop.wait(request, 0.1)
            state = self.shop.progress(request)
            finished = state["succeeded"] + state["failed"]
            self.terminal.progress(status, finished, state["images"])
            if status in ("Completed", "Failed"):
                break
        self.terminal.end_progress()

    def show_products(self, request):
        path = f"/api/products/{request}/"
        self.terminal.title("The result over REST")
        self.terminal.command(f"curl {self.shop.public_url}{path}")
        answer = self.shop.gateway.get(path)
        if answer.status != 200:
            self.problems.append(f"{path} answered {answer.status}")
            return []
        self.terminal.line(json.dumps(answer.json(), indent=2, ensure_ascii=False))
        return answer.json()["products"]

    def show_failures(self, request):
        self.terminal.title("Failed images and their reasons, from the view imgpress.failures")
        failures = self.shop.failures(request)
        for failure in failures:
            self.terminal.line(f"{failure['url']}\n    {failure['error_code']}: {failure['error']}")
        return failures

    def show_sizes(self, request):
        self.terminal.title("Sizes")
        state = self.shop.progress(request)
        before, after = state["source_bytes"] or 0, state["output_bytes"] or 0
        if not 0 < after < before:
            self.problems.append(f"{before} bytes became {after}")
            return
        self.terminal.line(
            f"before {human_bytes(before)}, after {human_bytes(after)}: "
            f"{100 * (before - after) / before:.0f} % saved, {before / after:.1f} times smaller"
        )

    def show_table(self, request):
        self.terminal.title("The result in SQL")
        self.psql(TABLE.format(request=request))

    def show_maintenance(self):
        self.terminal.title("Maintenance with pg_cron")
        self.psql("SELECT job_name FROM imgpress.schedule_maintenance()")
        self.psql("SELECT jobname, schedule, command FROM cron.job ORDER BY jobid")
        if not self.shop.value("SELECT count(*) FROM cron.job WHERE command LIKE '%%imgpress.%%'"):
            self.problems.append("pg_cron has no job of imgpress")

    def psql(self, statement):
        done = self.shop.cluster.psql("-P", "pager=off", "-c", statement.strip(), check=False)
        self.terminal.line(done.stdout.rstrip())
        if done.returncode != 0:
            self.problems.append(f"psql: {done.stderr.strip()}")

    def judge(self, request, products, failures):
        status = self.shop.gateway.get(f"/api/status/{request}/").json().get("status")
        if status != "Completed":
            self.problems.append(f"the request is {status}, not Completed")
        self.problems.extend(check_order(products))
        self.problems.extend(check_outputs(self.shop, self.folder, products))
        self.problems.extend(check_failures(failures))


def stay(shop, folder, terminal):
    """Keeps everything running until Ctrl-C."""
    ends = {signal.SIGINT, signal.SIGTERM}
    # Blocked, so that none is lost between the last line and the wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    cluster = shop.cluster
    terminal.title("Running until Ctrl-C, for you to try")
    terminal.line(f"gateway     {shop.public_url}/")
    terminal.line(f"pictures    {shop.origin.base}/mug-front.jpg and the others in {folder}")
    terminal.line(f"server log  {cluster.log}")
    terminal.line("Try, for example:")
    terminal.command(f"psql '{cluster.conninfo()}' -c 'SELECT * FROM imgpress.progress'")
    upload = ["curl", "-F", f"file=@{folder / 'sample.csv'}", f"{shop.public_url}/api/upload/"]
    terminal.command(shlex.join(upload))
    signal.sigwait(ends)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
    terminal.line("\nStopping and removing everything.")


def show(options, folder, terminal):
    """Runs the demo; returns the list of problems."""
    if options.pictures:
        shutil.copytree(options.pictures, folder, dirs_exist_ok=True)
    else:
        pictures.make_pictures(folder)
    terminal.title("Starting PostgreSQL with imgpress and pg_cron, an image server and the gateway")
    port = free_port(PREFERRED_PORT) if options.stay else free_port()
    shop = Shop(
        folder,
        settings=ALLOW_LOOPBACK,
        port=port,
        extensions=("pg_cron", "imgpress"),
        durable=True,
        name="demo",
    )
    with shop:
        demo = Demo(shop, folder, terminal)
        terminal.line(f"gateway {shop.public_url}, pictures {shop.origin.base}")
        demo.run()
        report(demo.problems, terminal)
        if options.stay:
            stay(shop, folder, terminal)
        living = shop.living()
    left = wait_for_exit(living)
    if left:
        demo.problems.append(f"processes still running at the end: {left}")
        terminal.bad(demo.problems[-1])
    return demo.problems


def report(problems, terminal):
    terminal.title("Check")
    for problem in problems:
        terminal.bad(problem)
    if not problems:
        terminal.good(f"{len(pictures.PICTURES)} pictures compressed, 2 failed as expected")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stay", action="store_true", help="keep running until Ctrl-C")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="do not draw new ones")
    options = parser.parse_args(arguments)
    terminal = Terminal()
    raise_on_sigterm()
    folder = Path(tempfile.mkdtemp(prefix="imgpress-demo-"))
    try:
        return 1 if show(options, folder, terminal) else 0
    except (ClusterError, WaitTimeout, RuntimeError) as error:
        terminal.bad(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.line("\nInterrupted; everything was stopped and removed.")
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
