"""The drand beacon: fetch a round's signature from relays, trusting none of them.

A relay can be late or silent, but it cannot choose: its answer counts only if it is the unique
signature of that round under the chain's key. The clock here only measures how long it takes.
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
    """No relay has the round yet, and at least one answered so; the text names each relay."""


class BeaconFault(Exception):
    """Every relay was wrong, late or silent; the text names each with its fault."""


def fetch(round_no: int, relays: Sequence[str], *, deadline: float = 10.0) -> bytes:
    """Return the 48-byte signature of a round, verified, from the first relay that has it.

    `deadline` is in seconds per relay, from resolving its name to the last byte. Raises NotYet or
    BeaconFault.
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
        except HTTPException as fault:  # its text comes from the relay: keep it out of our logs
            answers.append(f"{relay}: not an HTTP answer ({type(fault).__name__})")
        except (Invalid, OSError, ValueError) as fault:
            answers.append(f"{relay}: {fault}")
    said = "; ".join(answers) or "there is no relay to ask"
    raise NotYet(said) if is_awaited else BeaconFault(said)


def check_relay(url: str) -> SplitResult:
    """Return a relay's URL (`https://api.drand.sh`), split. Raises ValueError with its fault."""
    parts = check_url(url)
    if "?" in url:
        raise ValueError("it has a query")
    return parts


def _ask(relay: str, round_no: int, deadline: float) -> bytes:
    """Return one relay's signature of the round, verified.

    Raises NotYet, Invalid for a wrong answer, OSError or HTTPException for a broken one, and
    ValueError for an invalid URL.
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
    if reply.status != 200:  # redirects too: only a listed relay may answer
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
    """Parse a relay's answer strictly; its randomness is ignored, since anyone can compute it."""
    try:
        # With int as parser NaN and Infinity, which JSON has not, raise ValueError.
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
