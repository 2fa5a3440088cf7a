"""What a witness answers when it is asked about a checkpoint, and whether the answer is true.

It reads no table. A cosigner is asked as C2SP tlog-witness says, an authority as RFC 3161 does.
Both are strangers: what they send is bounded in size and time, and none of its text reaches our
logs.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPException
from typing import NamedTuple

from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    decode_timestamp_response,
)

from raffles.fairness.verify import (
    COSIGNATURE,
    LARGEST_TOKEN,
    MOMENT,
    Invalid,
    der,
    lines_of,
    parse_certificate,
    parse_note,
    read_token,
    time_of_cosignature,
)
from raffles.web.outgoing import EVERYWHERE, Reply, ask
from raffles.web.witness_lists import Authority, Cosigner

_LARGEST_ANSWER = 65_536  # bytes, headers included
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,15})\n?")
_REFUSALS = {
    403: "it does not know the key of our log, or refuses our log",
    404: "it does not know our log",
    503: "it is not ready",
}


class Unusable(Exception):
    """No answer, or one that is of no use; the text says why."""


class OtherLog(Unusable):
    """A cosigner has signed statements that our log does not have."""


class StartAgain(Exception):
    """A cosigner signed another size than we thought, and is to be asked again from that."""

    def __init__(self, size: int) -> None:
        super().__init__(f"it asks to start again, from size {size}")
        self.size = size


class Answer(NamedTuple):
    """What is kept: the key in hex, the time in UNIX seconds, and the bytes that prove both.

    ``ends_at`` is when the certificate of an authority ends, ``came_at`` when it was there.
    """

    key: str
    at: int
    content: bytes
    ends_at: datetime | None = None
    came_at: datetime | None = None


def cosign(
    cosigner: Cosigner, note: str, *, old: int, path: Sequence[bytes], seconds: float
) -> Answer:
    """Have a checkpoint signed by a witness that has signed the first ``old`` statements.

    ``path`` shows that the checkpoint continues those. Raises Unusable, OtherLog, StartAgain.
    """
    nodes = "".join(f"{b64encode(node).decode()}\n" for node in path)
    body = f"old {old}\n{nodes}\n{note}".encode()
    reply = _post(f"{cosigner.url}/add-checkpoint", body, "text/plain; charset=utf-8", seconds)
    if reply.status == 409 and (size := _signed_size(reply)) is not None and size != old:
        raise StartAgain(size)
    if reply.status == 422 or (reply.status == 409 and old):
        raise OtherLog(f"the first {old} statements that it signed are not those of our log")
    lines = _body_of(reply)
    text, key = note.partition("\n\n")[0] + "\n", bytes.fromhex(cosigner.key)
    try:
        answered = parse_note(f"{text}\n{lines.decode()}")
    except (Invalid, UnicodeDecodeError):
        raise Unusable("the answer is not of signature lines") from None
    own = lines_of(answered, cosigner.name, COSIGNATURE, key)
    for line in own:
        at = time_of_cosignature(text, line.signature, key)
        if at is not None:
            return Answer(cosigner.key, _checked(at), line.signature)
    raise Unusable(
        "its signature is not over the checkpoint that was sent"
        if own
        else "no line of the answer has its name and key"
    )


def _signed_size(reply: Reply) -> int | None:
    if reply.headers.get_content_type() != "text/x.tlog.size":
        return None
    size = _SIZE.fullmatch(reply.body or b"")
    return int(size[1]) if size else None


def stamp(authority: Authority, text: str, *, seconds: float) -> Answer:
    """Have an authority date a checkpoint's three lines.

    Whose key may sign is for the caller. Raises Unusable.
    """
    content = text.encode()
    asked = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256).build()
    reply = _post(authority.url, asked.as_bytes(), "application/timestamp-query", seconds)
    try:
        answer = decode_timestamp_response(_body_of(reply))
        if answer.status != PKIStatus.GRANTED:
            raise Unusable(f"it grants nothing (status {answer.status})")
        token, info = answer.time_stamp_token(), answer.tst_info
        if info.message_imprint.message != sha256(content).digest():
            raise Unusable("the token is over something else")
        if info.nonce != asked.nonce:
            raise Unusable("the token answers another request")
        if len(token) > LARGEST_TOKEN:
            raise Unusable(f"the token has more than {LARGEST_TOKEN} bytes")
        key, at = read_token(token, content)  # as every verifier will
        ends_at = _end_of(answer.signed_data.certificates, key)
    except (ValueError, KeyError, IndexError, OverflowError) as fault:
        raise Unusable(f"the token cannot be used ({fault})") from fault
    return Answer(key, _checked(at), token, ends_at)


def _end_of(certificates: set[bytes], key: str) -> datetime:
    parsed = (parse_certificate(der(raw)[0]) for raw in certificates)
    end = max(each.not_after for each in parsed if sha256(each.key).hexdigest() == key)
    return datetime.fromtimestamp(end, UTC)


def _checked(at: int) -> int:
    if not MOMENT.fits(at):
        raise Unusable("its time is beyond the year 9999")
    return at


def _post(url: str, body: bytes, content_type: str, seconds: float) -> Reply:
    try:
        return ask(
            url,
            body,
            seconds=seconds,
            most=_LARGEST_ANSWER,
            headers={"Content-Type": content_type},
            allowed=EVERYWHERE,  # the operator wrote the address into the environment
        )
    except TimeoutError:
        raise Unusable("no whole answer in time") from None
    except HTTPException as fault:  # its text is the stranger's
        raise Unusable(f"not an HTTP answer ({type(fault).__name__})") from fault
    except (OSError, ValueError) as fault:
        raise Unusable(str(fault)) from fault


def _body_of(reply: Reply) -> bytes:
    """The body of a good answer; a redirect is none, since the listed address is who answers."""
    if reply.status != 200:
        why = _REFUSALS.get(reply.status, "refused")
        raise Unusable(f"{why} (status {reply.status})")
    if reply.body is None:
        raise Unusable(f"the answer is larger than {_LARGEST_ANSWER} bytes")
    return reply.body
