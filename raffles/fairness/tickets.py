"""Keys, tags and codes of tickets: what a database alone can neither reverse nor forge.

The ticket key comes from the environment. Of a holder the database keeps `holder_tag`, of a code
`code_tag`; the code itself can be derived again, but only with the ticket key.
"""

import base64
import hashlib
import hmac
import re

from raffles.fairness.verify import TAGS

_CROCKFORD = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FROM_RFC_4648 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _CROCKFORD)
_SYMBOLS = 20  # of 5 bits: 100 bits, which nobody guesses
_AS_WRITTEN = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None})
_CODE = re.compile(f"[{_CROCKFORD.decode()}]{{{_SYMBOLS}}}")
_LONGEST_WRITING = 64  # characters: room for a separator around every symbol

_TAG_KEY = b"ticket key\0"  # of ours alone: no file of a draw names a ticket key


def key_id(key: bytes) -> str:
    """Name a ticket key without telling it: 16 hex digits, stored with the raffles that use it."""
    return hashlib.sha256(_TAG_KEY + key).hexdigest()[:16]


def holder_key(ticket_key: bytes, raffle_id: bytes) -> bytes:
    """Derive the 32-byte key of a raffle's holder tags; `raffle_id` is the uuid's 16 bytes."""
    return hmac.digest(ticket_key, TAGS["holder"] + raffle_id, "sha256")


def code_key(ticket_key: bytes, raffle_id: bytes) -> bytes:
    """Derive the 32-byte key of a raffle's codes; `raffle_id` is the uuid's 16 bytes."""
    return hmac.digest(ticket_key, TAGS["code"] + raffle_id, "sha256")


def holder_tag(key: bytes, identity: str) -> bytes:
    """Return the 16 bytes that stand for a holder: text with its kind in front.

    `ip:203.0.113.7`, `user:alice`, `mail:alice@example.org`, `invitation:<id>`,
    `list:<identifier as normalised>`.
    Keyed, because a plain hash of all IPv4 addresses is reversed in minutes.
    """
    return hmac.digest(key, identity.encode(), "sha256")[:16]


def derive_code(key: bytes, holder_tag: bytes, nth: int) -> str:
    """Return the code of a holder's ticket `nth` (from 0) of the raffle: 20 symbols.

    The first 100 bits of the HMAC in Crockford's base32. It is known before the slot and can be
    repeated for a lost answer, so it is never stored.
    """
    digest = hmac.digest(key, holder_tag + nth.to_bytes(4, "big"), "sha256")
    return base64.b32encode(digest)[:_SYMBOLS].translate(_FROM_RFC_4648).decode()


def show_code(code: str) -> str:
    """Write a code for people: `XXXX-XXXX-XXXX-XXXX-XXXX`."""
    return "-".join(code[start : start + 4] for start in range(0, _SYMBOLS, 4))


def read_code(text: str) -> str | None:
    """Read a code as people write it, or return None for what cannot be one.

    Case, spaces and hyphens do not matter; O is 0, I and L are 1.
    """
    # ASCII first: upper() makes "I" of a dotless i and "S" of a long s.
    if len(text) > _LONGEST_WRITING or not text.isascii():
        return None
    code = text.upper().translate(_AS_WRITTEN)
    return code if _CODE.fullmatch(code) else None


def code_tag(code: str) -> bytes:
    """Return the 16 bytes that are stored of a code, to be compared in constant time."""
    return hashlib.sha256(TAGS["code"] + code.encode("ascii")).digest()[:16]
