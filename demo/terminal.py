"""The demo's output: colours and a progress bar on a terminal, plain lines otherwise."""

import os
import sys

BAR_WIDTH = 40


class Terminal:
    def __init__(self, stream=sys.stdout):
        self._stream = stream
        self._rich = stream.isatty() and "NO_COLOR" not in os.environ
        self._shown = None

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self._rich else text

    def line(self, text=""):
        print(text, file=self._stream, flush=True)

    def title(self, text):
        self.line()
        self.line(self._paint("1;36", f"== {text}"))

    def command(self, text):
        self.line(self._paint("1", f"$ {text}"))

    def good(self, text):
        self.line(f"{self._paint('1;32', 'ok')}    {text}")

    def bad(self, text):
        self.line(f"{self._paint('1;31', 'FAIL')}  {text}")

    def progress(self, status, finished, images):
        """Shows the progress; on a terminal it replaces the last one."""
        state = (status, finished)
        if state == self._shown:
            return
        self._shown = state
        filled = BAR_WIDTH * finished // images if images else 0
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        text = f"[{bar}] {finished:>3} of {images} images  {status}"
        if self._rich:
            self._stream.write(f"\r\033[K{text}")
            self._stream.flush()
        else:
            self.line(text)

    def end_progress(self):
        if self._rich:
            self.line()


def human_bytes(count):
    """4321000 as "4.32 MB"."""
    for limit, unit in ((1_000_000, "MB"), (1_000, "kB")):
        if count >= limit:
            return f"{count / limit:.2f} {unit}"
    return f"{count} bytes"
