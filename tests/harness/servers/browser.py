"""Chromium without a window, driven over the pipe of its DevTools protocol."""

import json
import os
import shutil
import subprocess
import tempfile

from ..waiting import wait_until


def browser_program():
    return shutil.which("chromium")


class Tab:
    """A page of its own, which shares cookies and storage with other tabs only as browsers do."""

    def __init__(self, browser):
        self._browser = browser
        target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attach = {"targetId": target, "flatten": True}
        self._session = browser.call("Target.attachToTarget", attach)["sessionId"]
        self._browser.call("Page.enable", {}, self._session)

    def open(self, url):
        said = self._browser.call("Page.navigate", {"url": url}, self._session)
        assert "errorText" not in said, said
        wait_until(lambda: self.run("document.readyState") == "complete", f"{url} is loaded")

    def run(self, expression):
        """The value of a JavaScript expression; waits for a promise."""
        options = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        said = self._browser.call("Runtime.evaluate", options, self._session)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def shows(self, text):
        """Waits until the page's visible text contains this one."""
        wait_until(lambda: text in self.run("document.body.innerText"), f"the page shows {text}")


class Browser:
    """with Browser() as browser: browser.tab().open(url)

    Names below .test are those of this machine."""

    def __init__(self):
        self._profile = tempfile.TemporaryDirectory(prefix="imgpress-browser-", ignore_cleanup_errors=True)
        self._last_id = 0
        self._process = self._to = self._from = None

    def __enter__(self):
        their_in, to = os.pipe()
        back, their_out = os.pipe()
        command = [
            browser_program(),
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--no-proxy-server", "--disable-background-networking"),
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            f"--user-data-dir={self._profile.name}",
            "--remote-debugging-pipe",
        ]
        # The browser expects its pipe at the descriptors 3 and 4.
        wrapped = f'exec 3<&{their_in} 4>&{their_out}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", wrapped, "bash", *command],
            pass_fds=(their_in, their_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_in)
        os.close(their_out)
        self._to = os.fdopen(to, "wb", buffering=0)
        self._from = os.fdopen(back, "rb")
        return self

    def __exit__(self, *_exc):
        self.call("Browser.close", {})
        self._process.wait(20)
        self._to.close()
        self._from.close()
        self._profile.cleanup()

    def tab(self):
        return Tab(self)

    def call(self, method, parameters, session=None):
        """The result of a command; messages about events are passed over."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._to.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last_id:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self):
        message = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "the browser has ended"
            message += byte
        return json.loads(message)
