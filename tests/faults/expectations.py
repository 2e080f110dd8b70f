"""The images of the load: what the origin does with each, and what must become of it."""

from dataclasses import dataclass

COMPLETED = "Completed"

# What the origin does, as its documentation says, and how an image may end: Completed, or an error
# code.
HOSTILE = {
    "hang/small1.jpg": {"timeout"},
    "stall/small1.jpg": {"timeout"},
    "drip/small1.jpg?ms=50": {"timeout"},
    "slow-headers/small1.jpg?ms=50": {"timeout"},
    "truncated/small1.jpg": {"connection"},
    "endless/small1.jpg": {"too_large"},
    "large/small1.jpg?bytes=2000000": {"too_large"},
    "large/small1.jpg?bytes=2000000&length=no": {"too_large"},
    "redirect-loop/small1.jpg": {"too_many_redirects"},
    "redirect-private/small1.jpg": {"address_denied"},
    "tls/small1.jpg": {"tls"},
    "status/503/small1.jpg?retry_after=1": {"http_status"},
    "status/404/small1.jpg": {"http_status"},
    "status/410/small1.jpg": {"http_status"},
    "flaky/small1.jpg?status=429&fail=1&retry_after=1": {COMPLETED},
    "flaky/small1.jpg?fail=1": {COMPLETED},
    "reset/small1.jpg": {"connection"},
    "garbage/small1.jpg": {"connection"},
    "html/small1.jpg": {"not_an_image"},
    "empty/small1.jpg": {"not_an_image"},
}

# These hold a connection until the time-out in each attempt, or make their host pause. So there are
# few of them, at hosts of their own.
STALLING = [path for path, ends in HOSTILE.items() if ends == {"timeout"}]
PAUSING = [path for path in HOSTILE if "retry_after" in path]
PROMPT = [path for path in HOSTILE if path not in STALLING + PAUSING]
PICTURES = 10
# Of so many of the newest images that have an ETag, one in four of all is submitted again.
AGAIN = 20


@dataclass(frozen=True)
class Expectation:
    """How an image of the load must end; picture: the number of the small picture that it shows."""

    ends: frozenset
    picture: int


class Catalogue:
    """Makes the URLs of the load, most of them once, and remembers what is expected of each."""

    def __init__(self, new_origin, rng):
        """new_origin: a function that returns an origin with the small pictures."""
        self._rng = rng
        self._expected = {}
        self._versioned = []  # URLs that are submitted again
        self.origin = new_origin()
        self._hostile = [(paths, new_origin()) for paths in (PROMPT, STALLING, PAUSING)]

    def urls(self, good, hostile, rare):
        """So many URLs of pictures, of images that fail at once, and of those that take time."""
        made = [self._good() for _ in range(good)]
        made += [self._bad(*self._hostile[0]) for _ in range(hostile)]
        made += [self._bad(*self._rng.choice(self._hostile[1:])) for _ in range(rare)]
        self._rng.shuffle(made)
        return made

    def _good(self):
        picture = self._rng.randrange(PICTURES)
        kind = self._rng.randrange(8)
        if kind > 2:
            return self._remember(self.origin, f"slow/small{picture}.jpg?ms=40", {COMPLETED}, picture)
        if kind > 0 and self._versioned:
            return self._rng.choice(self._versioned[-AGAIN:])
        url = self._remember(self.origin, f"versioned/small{picture}.jpg", {COMPLETED}, picture)
        self._versioned.append(url)
        return url

    def _bad(self, paths, origin):
        path = self._rng.choice(paths)
        return self._remember(origin, path, HOSTILE[path], 1)

    def _remember(self, origin, path, ends, picture):
        url = origin.url(f"{path}{'&' if '?' in path else '?'}n={len(self._expected)}")
        if "tls" in ends:  # TLS is spoken to a server that has none
            url = url.replace("http:", "https:")
        self._expected[url] = Expectation(frozenset(ends), picture)
        return url

    def expectation(self, url):
        return self._expected[url]
