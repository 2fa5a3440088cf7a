"""The drand beacon: fetch a round's signature from relays and believe none of them.

A relay can be late or silent, but it cannot choose: what it sends counts only when it is the one
signature of the chain's key for that round. The clock here only measures how long a relay takes.
"""

import json
import re
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult

from raffles.fairness.beacon import check_signature
from raffles.fairness.verify import CHAIN, Invalid
from raffles.web.outgoing import EVERYWHERE, ask, check_url

_LARGEST_ANSWER = 65536  # bytes, headers included; a round takes about 500
_SIGNATURE = re.compile("[0-9a-f]{96}")


class NotYet(Exception):
    """No relay has the round yet, and at least one says so; the text names each relay."""


class BeaconFault(Exception):
    """Every relay was wrong, late or silent; the text names each and what was wrong."""


def fetch(round_no: int, relays: Sequence[str], *, deadline: float = 10.0) -> bytes:
    """Return the 48-byte signature of a round from the first relay that has it, checked.

    `deadline` is in seconds and for each relay, from looking up its name to the last byte. Raises
    NotYet or BeaconFault.
    """
    answers: list[str] = []
    is_awaited = False
    for relay in relays:
        try:
            return _ask(relay, round_no, deadline)
        except NotYet as answer:
            is_awaited = True
            answers.append(f"{relay}: {answer}")
        except TimeoutError:
            answers.append(f"{relay}: no whole answer within {deadline:g} s")
        except HTTPException as fault:  # its text is the relay's: not for our logs
            answers.append(f"{relay}: not an HTTP answer ({type(fault).__name__})")
        except (Invalid, OSError, ValueError) as fault:
            answers.append(f"{relay}: {fault}")
    said = "; ".join(answers) or "there is no relay to ask"
    raise NotYet(said) if is_awaited else BeaconFault(said)


def check_relay(url: str) -> SplitResult:
    """Split a relay's address, `https://api.drand.sh`; ValueError says what is wrong with it."""
    parts = check_url(url)
    if "?" in url:
        raise ValueError("it has a query")
    return parts


def _ask(relay: str, round_no: int, deadline: float) -> bytes:
    """Return one relay's signature of the round, checked.

    Raises NotYet, Invalid for a wrong answer, OSError or HTTPException for a broken one, and
    ValueError for a wrong address.
    """
    check_relay(relay)
    reply = ask(
        f"{relay.rstrip('/')}/{CHAIN}/public/{round_no}",
        seconds=deadline,
        most=_LARGEST_ANSWER,
        headers={"Accept": "application/json"},
        allowed=EVERYWHERE,  # the operator chose the relays
    )
    if reply.status in (404, 425):
        raise NotYet(f"round {round_no} is not published ({reply.status})")
    if reply.status != 200:  # a redirect too: the relay in the list is the one that answers
        raise Invalid(f"answered with status {reply.status}")
    if reply.body is None:
        raise Invalid(f"the answer is larger than {_LARGEST_ANSWER} bytes")
    answer = _read(reply.body)
    if type(answer["round"]) is not int or answer["round"] != round_no:
        raise Invalid(f"answered with another round than {round_no}")
    if not isinstance(answer["signature"], str) or not _SIGNATURE.fullmatch(answer["signature"]):
        raise Invalid("the beacon's signature is not 96 lowercase hex digits")
    signature = bytes.fromhex(answer["signature"])
    check_signature(round_no, signature)
    return signature


def _read(body: bytes) -> dict[str, Any]:
    """Read a relay's answer strictly; its randomness is left aside, since anyone computes it."""
    try:
        # int() takes neither NaN nor Infinity, and JSON has neither.
        answer = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=int)
    except (ValueError, RecursionError) as error:
        raise Invalid("the answer is not JSON") from error
    if not isinstance(answer, dict) or not {"round", "signature"} <= answer.keys():
        raise Invalid("the answer is not a round with its signature")
    return answer


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key stands twice")
    return members
