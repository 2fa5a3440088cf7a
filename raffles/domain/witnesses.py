"""Who saw a seal before the randomness: what its proof says of the log and of its witnesses."""

from __future__ import annotations

from typing import Any

from raffles.domain.log import LogTree, checkpoint, size
from raffles.models import Draw


def log_of_proof(draw: Draw) -> dict[str, Any]:
    """Return the part of a proof that shows the seal's statement in the operator's log.

    The newest checkpoint, where no witness answered for another (draw protocol, section 8).
    """
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
