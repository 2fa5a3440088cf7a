"""Keys, tags and codes of tickets, which a database alone can neither reverse nor forge.

The ticket key comes from the environment. The database stores `holder_tag` of a holder and
`code_tag` of a code; the code itself can be derived again, but only with the ticket key.
"""

import base64
import hashlib
import hmac
import re
import unicodedata

from raffles.fairness.verify import TAGS

_CROCKFORD = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FROM_RFC_4648 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _CROCKFORD)
_SYMBOLS = 20  # of 5 bits: 100 bits, beyond guessing
_AS_WRITTEN = str.maketrans({"O": "0", "I": "1", "L": "1"})
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
# Dashes, and invisible characters pasted along; minus and bullet have another category.
_SEPARATING = frozenset({"Pd", "Cf"})
_DASHES = "\u2212\u2043\u02d7"
_CODE = re.compile(f"[{_CROCKFORD.decode()}]{{{_SYMBOLS}}}")
_LONGEST_WRITING = 64  # characters: room for a separator around every symbol

_UNSEEN = dict.fromkeys((0x200C, 0x200D, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))

# Local to this service: no file of a draw names a ticket key, or who is excluded.
_TAG_KEY = b"ticket key\0"
_TAG_EXCLUSION = b"exclusion\0"


def key_id(key: bytes) -> str:
    """Name a ticket key without revealing it: 16 hex digits, stored with raffles that use it."""
    return hashlib.sha256(_TAG_KEY + key).hexdigest()[:16]


def holder_key(ticket_key: bytes, raffle_id: bytes) -> bytes:
    """Derive the 32-byte key of a raffle's holder tags; `raffle_id` is the UUID's 16 bytes."""
    return hmac.digest(ticket_key, TAGS["holder"] + raffle_id, "sha256")


def code_key(ticket_key: bytes, raffle_id: bytes) -> bytes:
    """Derive the 32-byte key of a raffle's codes; `raffle_id` is the UUID's 16 bytes."""
    return hmac.digest(ticket_key, TAGS["code"] + raffle_id, "sha256")


def exclusion_key(ticket_key: bytes) -> bytes:
    """Derive the 32-byte key of the tags of those who may not enter; one for all raffles."""
    return hmac.digest(ticket_key, _TAG_EXCLUSION, "sha256")


def holder_tag(key: bytes, identity: str) -> bytes:
    """Return the 16 bytes that stand for a holder; `identity` is prefixed with its kind.

    `ip:203.0.113.7`, `user:alice`, `mail:alice@example.org`, `invitation:<id>`,
    `list:<identifier as normalised>`. It is keyed, because a plain hash of all IPv4 addresses is
    reversed in minutes.
    """
    return hmac.digest(key, identity.encode(), "sha256")[:16]


def fold(name: str) -> str:
    """Return a name as names are compared.

    Those that differ only in case, in Unicode form or in invisible characters (joiners, variation
    selectors) are the same.
    """
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFKC", name.translate(_UNSEEN)).casefold()
    return unicodedata.normalize("NFKC", folded)


def derive_code(key: bytes, holder_tag: bytes, nth: int) -> str:
    """Return the code of a holder's ticket `nth` (from 0) in the raffle: 20 symbols.

    They are the first 100 bits of the HMAC in Crockford's base32. The code is known before the slot
    and can be derived again when an answer is lost, so it is never stored.
    """
    digest = hmac.digest(key, holder_tag + nth.to_bytes(4, "big"), "sha256")
    return base64.b32encode(digest[:15])[:_SYMBOLS].translate(_FROM_RFC_4648).decode()


def show_code(code: str) -> str:
    """Format a code for people: `XXXX-XXXX-XXXX-XXXX-XXXX`."""
    return "-".join(code[start : start + 4] for start in range(0, _SYMBOLS, 4))


def read_code(text: str) -> str | None:
    """Parse a code as people type and paste it; return None for what cannot be one.

    Case, spaces, dashes of all kinds and full-width forms do not matter; O is read as 0, I and L
    as 1. Look-alike letters of other scripts are not accepted.
    """
    if len(text) > _LONGEST_WRITING:
        return None
    # Before upper(), which turns a dotless i into I and a long s into S.
    code = "".join(sign for sign in text.translate(_FULL_WIDTH) if not _is_separating(sign))
    if not code.isascii():
        return None
    code = code.upper().translate(_AS_WRITTEN)
    return code if _CODE.fullmatch(code) else None


def _is_separating(sign: str) -> bool:
    return sign.isspace() or sign in _DASHES or unicodedata.category(sign) in _SEPARATING


def code_tag(code: str) -> bytes:
    """Return the 16 bytes stored for a code, to be compared in constant time."""
    return hashlib.sha256(TAGS["code"] + code.encode("ascii")).digest()[:16]


def holder_tag_of(leaf: bytes) -> bytes:
    """Return the holder's tag from a ticket's leaf: the 16 before the code's."""
    return leaf[-32:-16]


def code_tag_of(leaf: bytes) -> bytes:
    """Return the code's tag from a ticket's leaf: the last 16 of its 56 bytes."""
    return leaf[-16:]
