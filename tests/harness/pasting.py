"""Pastes the code blocks of a document into bash and psql, as a reader would."""

import contextlib
import os
import re
import select
import signal
import subprocess
import time

from .waiting import WaitTimeout

BLOCK = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}\S.*\n)(?:(?:\n)*(?: {4}.*\n))*")
END = "---end-of-block---"


def blocks_of(document):
    """The indented code blocks of a Markdown file, without their indentation."""
    text = document.read_text(encoding="utf-8")
    return [re.sub(r"^ {4}", "", found, flags=re.MULTILINE) for found in BLOCK.findall(text)]


class Prompt:
    """A program that reads commands from its standard input: bash or psql."""

    def __init__(self, command, end_command, environment, folder):
        self._end_command = end_command
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )

    def paste(self, text, timeout=60.0):
        """Types the text; returns what the program says until it is done with it."""
        self._process.stdin.write(f"{text}\n{self._end_command} {END}\n".encode())
        self._process.stdin.flush()
        said = b""
        deadline = time.monotonic() + timeout
        while f"{END}\n".encode() not in said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise WaitTimeout(f"not within {timeout:g} s: the end of\n{text}\n{said.decode()}")
            more = self._process.stdout.read1()
            if not more:
                raise EOFError(f"the prompt has ended at\n{text}\n{said.decode()}")
            said += more
        return said.decode().replace(f"{END}\n", "")

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Bash(Prompt):
    """Reports each command that fails; ends its background jobs when it is closed."""

    def __init__(self, environment, folder):
        super().__init__(["bash", "--norc"], "echo", environment, folder)
        self.paste("trap 'echo \"FAILED: $BASH_COMMAND\"' ERR")

    def close(self):
        """Also ends a command that hangs: the shell leads a process group of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        super().close()


class Psql(Prompt):
    def __init__(self, program, database, environment, folder):
        super().__init__([str(program), "-X", database], "\\echo", environment, folder)
