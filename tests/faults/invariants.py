"""What must be true after each round of faults, besides what imgpress.check() checks."""

import os
import re
from collections import Counter

from harness.images import decode, painting, psnr
from faults.webhooks import Message

ALIKE = 22.0  # dB; different small pictures have far less
CRASH = re.compile(r"PANIC:|TRAP:|terminated by signal (?!9\b|15\b)\d+")

UNFINISHED = {
    "a request has not ended": "SELECT id, status FROM imgpress.processing_requests "
    "WHERE ended_at IS NULL",
    "a webhook is still waiting": "SELECT request_id, url, attempts, last_error "
    "FROM imgpress.webhook_deliveries WHERE ended_at IS NULL",
    # One that was locked when it ended is deleted when it expires.
    "a lease is left": "SELECT token, drainer, expires_at FROM imgpress_internal.leases "
    "WHERE token <> ALL (%(locked)s::bigint[])",
    "a worker is not idle": "SELECT database, state, reason, fetching, waiting, compressing "
    "FROM imgpress.workers WHERE state <> 'idle' OR fetching + waiting + compressing > 0",
}


def unfinished(world):
    """What is not done yet, and must be a while after the last fault."""
    return [
        f"{what}: {' '.join(map(str, row))}"
        for what, sql in UNFINISHED.items()
        for row in world.cluster.query(sql, {"locked": list(world.locked_leases)})
    ]


def check(world):
    for row in world.cluster.query("SELECT * FROM imgpress.check()"):
        yield "check(): " + " ".join(map(str, row))


def no_request_is_lost(world):
    ids = "SELECT id::text FROM imgpress.processing_requests"
    there = {request for (request,) in world.cluster.query(ids)}
    for request in world.load.acknowledged - world.purged - there:
        yield f"request {request} is lost"


IMAGES = """
    SELECT i.request_id, i.image_no, i.url, coalesce(i.error_code, i.status),
           concat_ws(', ', i.error, i.attempts || ' attempts', i.codec_crashes || ' codecs crashed',
                     i.interruptions || ' interruptions'),
           i.error_code = 'press_died' AND (i.codec_crashes >= 3 OR i.interruptions >= 4),
           extract(epoch FROM i.ended_at)::float8,
           o.bytes, r.reason IS NOT NULL OR i.error_code = 'cancelled'
    FROM imgpress.images i JOIN imgpress.processing_requests r ON r.id = i.request_id
    LEFT JOIN imgpress.outputs o USING (request_id, image_no) WHERE i.ended_at IS NOT NULL
    ORDER BY i.ended_at
"""


class LastFaults:
    """Faults that can have been the last of several that hit an image which was then given up.

    That it was given up is right. But the process that was broken last worked on no other image, so
    a fault explains one image only; imgpress may notice it when the next one has begun."""

    def __init__(self, world):
        self._unused = sorted(world.fault_times)
        self._all = list(self._unused)

    def explain(self, ended_at):
        for begun in [it for it in self._all if it <= ended_at][-2:]:
            if begun in self._unused:
                self._unused.remove(begun)
                return True
        return False


def images_end_as_expected(world):
    """Every output is decoded, and shows the picture of its URL."""
    pictures = {}
    last_faults = LastFaults(world)
    for row in world.cluster.query(IMAGES):
        request, number, url, end, history, given_up, ended_at, output, cancelled = row
        expected = world.urls.expectation(url)
        image = f"image {number} of {request} ({url})"
        ends = [*expected.ends, *(["cancelled"] if cancelled else [])]
        if end not in ends and not (given_up and last_faults.explain(ended_at)):
            yield f"{image} ended as {end} ({history}) instead of {sorted(expected.ends)}"
        if output is not None:
            source = pictures.setdefault(expected.picture, painting(seed=expected.picture))
            try:
                likeness = psnr(decode(bytes(output)), source)
            except (OSError, AssertionError) as wrong:
                yield f"{image} has an output that is no picture of it: {wrong}"
                continue
            if likeness < ALIKE:
                yield f"{image} shows another picture ({likeness:.0f} dB)"


DELIVERIES = "SELECT message_id, request_id::text, url, status FROM imgpress.webhook_deliveries"


def webhooks_end_as_expected(world):
    rows = world.cluster.query(DELIVERIES)
    messages = world.receiver.messages()
    for message_id, request, url, status in rows:
        name = f"webhook {message_id} of {request} to {url}"
        if status != world.receiver.expectation(url):
            yield f"{name} ended as {status}"
        if status == "Delivered" and not messages.get(message_id, Message()).accepted:
            yield f"{name} was never received"
    known = {message_id for message_id, *_ in rows}
    for message_id, message in messages.items():
        if len(message.bodies) > 1:
            yield f"webhook {message_id} was sent with {len(message.bodies)} different bodies"
        if message_id not in known and message.request_id not in world.purged:
            yield f"webhook {message_id} of {message.request_id} was sent, but is not in the table"


def no_process_is_left(world):
    for press in world.orphans():
        yield f"process {press.pid} ({press.title}) has no owner"


def no_file_is_left(world):
    folder = world.cluster.data / "base" / "pgsql_tmp"
    for name in os.listdir(folder) if folder.exists() else ():
        yield f"temporary file {folder / name}"


def crashes(world):
    """The new lines of the server's log that tell of a process that crashed by itself."""
    return [line for line in world.new_log_lines() if CRASH.search(line)]


def no_process_has_crashed(world):
    for line in crashes(world):
        yield f"in the server's log: {line}"


# Files of relations come and go, and connections to origins are kept for the next image.
LASTING = re.compile(r"/memfd:|socket:|pipe:|anon_inode:")


def descriptors(pid):
    """How many of each kind a process has open."""
    kinds = Counter()
    tcp = tcp_sockets(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        found = LASTING.match(target)
        if found and target not in tcp:
            kinds[found.group().strip("/:")] += 1
    return kinds


def tcp_sockets(pid):
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        return {f"socket:[{line.split()[9]}]" for line in list(table)[1:]}


def open_descriptors(world):
    """By role: the most that a process of it has open."""
    roles = {
        "drainer": [world.drainer()],
        "launcher": world.cluster.launchers(),
        "fetcher": world.presses_of_drainer("fetcher"),
        "codec": world.presses_of_drainer("codec"),
    }
    most = {}
    for role, processes in roles.items():
        most[role] = Counter()
        for process in processes:
            most[role] |= descriptors(process.pid)
    return most


def no_descriptor_is_leaked(world):
    for role, kinds in open_descriptors(world).items():
        for kind, count in (kinds - world.usual_descriptors[role]).items():
            yield f"a {role} has {count} descriptors more than usual: {kind}"


INVARIANTS = (
    check,
    no_request_is_lost,
    images_end_as_expected,
    webhooks_end_as_expected,
    no_process_is_left,
    no_file_is_left,
    no_process_has_crashed,
    no_descriptor_is_leaked,
)


def violations(world):
    return [violation for invariant in INVARIANTS for violation in invariant(world)]
