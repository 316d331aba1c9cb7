"""Whose signature a receipt bears. The trust root is given from outside: a list of JWKs, a thumbprint, or None."""

import base64
import hashlib
import json
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from formats import RECEIPT, matching, need, shape, strict, text, version_of


def decoded(part):
    """Bytes of canonical base64url; None for anything else."""
    if not re.fullmatch("[A-Za-z0-9_-]+", part) or len(part) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return data if base64.urlsafe_b64encode(data).rstrip(b"=").decode() == part else None


def thumbprint(key):
    members = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


def verifies(key, signed, signature):
    try:
        Ed25519PublicKey.from_public_bytes(decoded(key["x"]) or b"").verify(signature, signed)
        return True
    except (ValueError, InvalidSignature):
        return False


def receipt_of(jws, trust, carried, version=None):
    """`version` is the bundle's; in a chain a receipt is of either."""
    parts = jws.split(".")
    data = [decoded(part) for part in parts]
    try:
        header = data[0].decode("utf-8") if len(parts) == 3 and None not in data else None
    except UnicodeDecodeError:
        header = None
    need(header is not None, "receipt.signature", "it is not a compact JWS")  # [2]
    header = strict(header)
    fits = shape(alg=matching("EdDSA"), kid=text, typ=matching(r"rok-receipt\+jws"))(header)
    need(fits, "receipt.signature", "it is a signature of something else")  # [3]
    known = carried if trust is None or isinstance(trust, str) else trust
    known = [k for k in known if (k.get("kid"), k.get("kty"), k.get("crv")) == (header["kid"], "OKP", "Ed25519") and text(k.get("x"))]
    if isinstance(trust, str):
        known = [key for key in known if thumbprint(key) == trust]
    need(known or trust is None, "receipt.signer", "the key that signed it is not trusted")  # [4]
    signed = jws.rsplit(".", 1)[0].encode()
    verified = not known or any(verifies(key, signed, data[2]) for key in known)
    need(verified, "receipt.signature", "the signature does not verify")  # [5]
    receipt = strict(data[1])
    version = version or version_of(receipt)
    need(RECEIPT[version](receipt), "receipt", f"it is not a receipt of version {version}")  # [6]
    return header["kid"], receipt
