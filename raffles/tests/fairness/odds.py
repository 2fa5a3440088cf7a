"""Does a holder of five tickets win five times as often as a holder of one? Count it and see.

All seeds are fixed: the same counts for everyone, every time.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from itertools import permutations, product
from math import prod
from typing import NamedTuple

from raffles.fairness.verify import be64, derive_seed, select

HOLDERS = (1, 2, 3, 4, 5)  # tickets of each
RANKS = 3
OFF = 0.01  # of a share, at the most

_OF_TICKET = [holder for holder, tickets in enumerate(HOLDERS) for _ in range(tickets)]
_TAGS = [holder.to_bytes(16, "big") for holder in _OF_TICKET]


class Share(NamedTuple):
    """How often a holder was drawn for a rank, and how often by their tickets they should be."""

    tickets: int
    rank: int
    drawn: float
    expected: float

    def off(self) -> float:
        """Return by what part of it the share is off."""
        return self.drawn / self.expected - 1


class Odds(NamedTuple):
    """The shares of all draws under a limit of wins (0: none), and the most ranks of one holder."""

    limit: int
    shares: list[Share]
    most: int

    def hold(self) -> bool:
        """Return whether each share is right and nobody was above the limit."""
        is_right = all(abs(share.off()) <= OFF for share in self.shares)
        return is_right and self.most <= (self.limit or RANKS)


def odds(draws: int, limit: int) -> Odds:
    """Draw so often among holders of 1 to 5 tickets, and count who gets which rank."""
    terms = {
        "prizes": [{"name": "book", "amount": 1}],
        "alternates": RANKS - 1,
        "max_wins_per_holder": limit,
    }
    drawn, most = Counter[tuple[int, int]](), 0
    for n in range(draws):
        seed = derive_seed(sha256(b"odds" + be64(n)).digest(), bytes(32))
        picks = select(terms, seed, len(_OF_TICKET), _TAGS.__getitem__)
        holders = [_OF_TICKET[pick.index] for pick in picks if pick.rank is not None]
        drawn.update(enumerate(holders))
        most = max(most, *Counter(holders).values())
    expected = _expected(limit)
    shares = [
        Share(tickets, rank + 1, drawn[rank, holder] / draws, expected[rank, holder])
        for rank in range(RANKS)
        for holder, tickets in enumerate(HOLDERS)
    ]
    return Odds(limit, shares, most)


def _expected(limit: int) -> dict[tuple[int, int], float]:
    """Return the chance of each rank and holder, summed over all orders of who comes out.

    Without a limit each rank is any ticket; with a limit of one, a holder's other tickets are as
    good as gone once one of them has come.
    """
    everything = sum(HOLDERS)
    if not limit:
        places = product(range(RANKS), range(len(HOLDERS)))
        return {(rank, holder): HOLDERS[holder] / everything for rank, holder in places}
    assert limit == 1
    chances = dict.fromkeys(product(range(RANKS), range(len(HOLDERS))), 0.0)
    for order in permutations(range(len(HOLDERS)), RANKS):
        left = [everything - sum(HOLDERS[one] for one in order[:n]) for n in range(RANKS)]
        chance = prod(HOLDERS[one] / rest for one, rest in zip(order, left, strict=True))
        for rank, holder in enumerate(order):
            chances[rank, holder] += chance
    return chances
