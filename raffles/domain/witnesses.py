"""Who saw a seal before the randomness: the log's and the witnesses' part of a proof."""

from __future__ import annotations

from typing import Any

from raffles.domain.keys import KeyMissing, signer
from raffles.domain.log import LogTree, checkpoint, size
from raffles.models import Draw


def log_of_proof(draw: Draw) -> dict[str, Any]:
    """Return the part of a proof that shows the seal's statement in the operator's log.

    It has the newest checkpoint (draw protocol, section 8). Raises KeyMissing if that would lack
    the signature of the seal's key, without which a verifier rejects it.
    """
    if draw.public_key not in signer().public_keys:
        raise KeyMissing(
            f"RECEIPT_KEY no longer holds the key {draw.public_key}, which sealed a waiting raffle"
        )
    tree = LogTree(size())
    return {
        "n": draw.statement,
        "checkpoints": [
            {
                "path": [node.hex() for node in tree.inclusion(draw.statement)],
                "checkpoint": checkpoint(tree),
                "tokens": [],
            }
        ],
    }
