"""imgpress.presses, and what happens where the kernel does not confine."""

import psycopg2
import pytest

from harness.images import jpeg
from harness.waiting import PROMPT, wait_until

COLUMNS = "pid, role, database, owner, owner_pid, memory_bytes, layers, left_open"
ALWAYS = {"no_new_privs", "undumpable", "seccomp", "file_size_limit"}


def presses(prey, condition="true", *parameters, user="postgres"):
    statement = f"SELECT {COLUMNS} FROM imgpress.presses WHERE {condition} ORDER BY pid"
    names = COLUMNS.split(", ")
    rows = prey.cluster.query(statement, parameters or None, user=user)
    return [dict(zip(names, row)) for row in rows]


def confined(prey, condition="true"):
    return presses(prey, f"layers IS NOT NULL AND {condition}")


def test_presses_of_the_worker(prey):
    wait_until(lambda: len(confined(prey, "owner = 'worker'")) == 3, "the presses have started")
    (drainer,) = prey.cluster.drainers()
    seen = presses(prey, "owner = 'worker'")
    real = {press.pid: press for press in prey.cluster.presses() if press.parent == drainer.pid}
    assert {press["pid"] for press in seen} == set(real)
    for press in seen:
        assert press["role"] in real[press["pid"]].title
        assert (press["database"], press["owner_pid"]) == ("shop", drainer.pid)
        assert 1_000_000 < press["memory_bytes"] < 200_000_000
        assert ALWAYS <= set(press["layers"])
        assert any(layer.startswith("landlock (ABI ") for layer in press["layers"])
        open_ports = [phrase for phrase in press["left_open"] if phrase.startswith("TCP to ")]
        assert len(open_ports) == (press["role"] == "fetcher")


def test_the_log_names_the_layers(prey):
    (line,) = prey.cluster.log_lines("works in database")
    assert "seccomp" in line and "landlock (ABI " in line


def test_presses_of_a_session_are_seen_by_its_role(prey):
    prey.sql("CREATE ROLE seer LOGIN IN ROLE imgpress_user")
    prey.sql("CREATE ROLE other LOGIN IN ROLE imgpress_user")
    prey.sql("CREATE ROLE overseer LOGIN IN ROLE imgpress_admin")
    with prey.cluster.session(user="seer") as session:
        session.execute("SELECT imgpress.compress_image(%s)", (jpeg(),))
        backend = session.connection.info.backend_pid
        (press,) = presses(prey, user="seer")
        assert (press["role"], press["owner"]) == ("codec", "session")
        assert press["owner_pid"] == backend
        assert presses(prey, user="other") == []
        assert press["pid"] in [it["pid"] for it in presses(prey, user="overseer")]
        assert press["left_open"] == []
    wait_until(lambda: presses(prey, "owner = 'session'") == [], "its presses are gone")


def test_ports_follow_the_allowed_networks(prey):
    """A press cannot be given more ports, nor be told to forget them: another one takes its
    place."""

    def ports():
        (fetcher,) = confined(prey, "owner = 'worker' AND role = 'fetcher'")
        return fetcher["pid"], [it for it in fetcher["left_open"] if it.startswith("TCP")]

    prey.wait(prey.submit("small0.jpg"))
    first, before = ports()
    with prey.cluster.settings({"imgpress.allowed_networks": "127.0.0.0/8"}):
        prey.finish(prey.submit("small1.jpg"))
        second, meanwhile = ports()
        assert second != first
    prey.wait(prey.submit("small2.jpg"))
    _, after = ports()
    assert before == after != meanwhile


@pytest.mark.parametrize(
    ("press", "layer"), [("without-landlock", "Landlock"), ("without-seccomp", "seccomp")]
)
def test_a_missing_layer(prey, hostile, press, layer):
    """Nothing is processed without it, unless a setting allows that."""
    missing = {"imgpress.press_path": hostile[press]}
    with prey.cluster.settings(missing), prey.cluster.session() as session:
        with pytest.raises(psycopg2.Error) as raised:
            session.execute("SELECT imgpress.compress_image(%s)", (jpeg(),))
        assert layer in str(raised.value) and "imgpress.sandbox" in str(raised.value)
    with prey.cluster.settings({**missing, "imgpress.sandbox": "best_effort"}):
        with prey.cluster.session() as session:
            session.execute("SELECT imgpress.compress_image(%s)", (jpeg(),))
            backend = session.connection.info.backend_pid
            (seen,) = presses(prey, "owner_pid = %s", backend)
        assert not any(name.startswith(layer.lower()) for name in seen["layers"])
        assert any(layer in phrase for phrase in seen["left_open"])


def test_the_worker_tells_that_a_layer_is_missing(prey, hostile):
    with prey.cluster.settings({"imgpress.press_path": hostile["without-landlock"]}):
        (drainer,) = prey.cluster.drainers()
        prey.cluster.terminate(drainer.pid)
        request = prey.submit("small3.jpg")
        reason = "SELECT reason FROM imgpress.workers WHERE state = 'cannot start'"
        said = wait_until(lambda: prey.value(reason), "the worker says why", PROMPT)
        assert "refuses Landlock" in said and "best_effort" in said
        assert prey.status(request) == "Pending"
    prey.wait(request)
    assert prey.status(request) == "Completed"
