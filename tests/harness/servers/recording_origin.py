"""An origin that records the headers of each request, over HTTP or HTTPS.

    /a.jpg              a picture, whatever the name
    /redirect?to=URL    302 to the URL
"""

import contextlib
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ..images import jpeg
from .http_server import Handler, HttpServer

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
LOCALHOST = "DNS:localhost,IP:127.0.0.1"


class _RecordingHandler(Handler):
    def do_GET(self):
        parts = urlsplit(self.path)
        self.server.owner.requests.append((self.path, dict(self.headers.items())))
        if parts.path == "/redirect":
            target = parse_qs(parts.query)["to"][0]
            self.answer(302, headers=[("Location", target)])
        else:
            self.answer(200, self.server.owner.picture, "image/jpeg")


class RecordingOrigin(HttpServer):
    """requests: (path, headers) of each, in order. HTTPS, if it gets a certificate."""

    handler = _RecordingHandler

    def __init__(self, certificate=None):
        super().__init__()
        self.requests = []
        self.picture = jpeg(seed=1)
        self._scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.pem)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def base(self):
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def headers(self, path):
        """Those of the only request to this path, with names in lower case."""
        (found,) = [headers for requested, headers in self.requests if requested == path]
        return {name.lower(): value for name, value in found.items()}


class Certificate:
    """For 127.0.0.1 and localhost. etc: a copy of /etc with which programs trust it."""

    def __init__(self, folder):
        self.pem = Path(folder, "origin.pem")
        self.etc = Path(folder, "etc")
        self._make()

    def _make(self):
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        names = ["-subj", "/CN=127.0.0.1", "-addext", f"subjectAltName={LOCALHOST}"]
        files = ["-keyout", str(self.pem), "-out", str(self.pem) + ".crt"]
        subprocess.run([*request, *names, *files], check=True, capture_output=True)
        certificate = Path(str(self.pem) + ".crt").read_text(encoding="ascii")
        with self.pem.open("a", encoding="ascii") as pem:
            pem.write(certificate)
        ignored = shutil.ignore_patterns("shadow*", "gshadow*", "private")
        shutil.copytree("/etc", self.etc, symlinks=True, ignore=ignored)
        trusted = self.etc / Path(CERTIFICATES).relative_to("/etc")
        with trusted.open("a", encoding="utf-8") as bundle:
            bundle.write(certificate)


@contextlib.contextmanager
def new_certificate():
    with tempfile.TemporaryDirectory(prefix="imgpress-certificate-") as folder:
        Path(folder).chmod(0o755)
        yield Certificate(folder)
