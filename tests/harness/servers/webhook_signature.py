"""Verifies Standard Webhooks 1.0.0 signatures as a receiver would, independently of imgpress."""

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def key_of(secret):
    """The signing key: what follows whsec_, decoded."""
    if not secret.startswith(PREFIX):
        raise ValueError("a webhook secret starts with whsec_")
    return base64.b64decode(secret[len(PREFIX) :], validate=True)


def sign(secret, message_id, timestamp, body):
    """The value of webhook-signature for these exact bytes."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def verify(secret, headers, body):
    """True when one of the signatures in the headers matches the body."""
    expected = sign(secret, headers["webhook-id"], headers["webhook-timestamp"], body)
    offered = headers["webhook-signature"].split()
    return any(hmac.compare_digest(expected, candidate) for candidate in offered)
