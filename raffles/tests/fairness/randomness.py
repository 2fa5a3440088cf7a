"""Are winners and ticket numbers as random as they should be? Count them and see.

All seeds are fixed: the same statistics for everyone, every time.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from raffles.fairness.numbering import Numbering
from raffles.fairness.verify import be64, derive_seed, select

LEVEL = 0.01
CERTAIN = 1e-10
POOL = 40  # tickets: few enough for every ordered pair to come up, and 256 mod 40 is not 0
RANKS = 3
FEWEST = 20_000  # draws: 12 in each cell of a pair
BLOCKS = 20  # of numbers, in a pool too large to count each
TERMS = {
    "prizes": [{"name": "telescope", "amount": 1}, {"name": "book", "amount": 1}],
    "alternates": RANKS - 2,
    "max_wins_per_holder": 0,
}

Sample = list[tuple[int, ...]]  # a draw each: RANKS different symbols 0..POOL-1


class Finding(NamedTuple):
    """One test: chi-square with its degrees of freedom, and the chance of so much or more."""

    test: str
    statistic: float
    freedom: int
    p: float


# --- Statistics --------------------------------------------------------------------------


def upper_tail(statistic: float, freedom: int) -> float:
    """Return the chance that chi-square with whole degrees of freedom reaches the statistic.

    Q(s + 1, y) = Q(s, y) + y^s e^-y / gamma(s + 1), down to Q(1, y) or Q(1/2, y); DLMF 8.8.6.
    """
    y = statistic / 2
    if y == 0:
        return 1.0
    start = freedom % 2 / 2  # the powers are 0, 1, 2, ... or 1/2, 3/2, ...
    powers = [start + step for step in range(freedom // 2)]
    tail = math.fsum(math.exp(s * math.log(y) - y - math.lgamma(s + 1)) for s in powers)
    return min(1.0, tail + (math.erfc(math.sqrt(y)) if freedom % 2 else 0.0))


def goodness(test: str, observed: Sequence[int], chances: Sequence[float]) -> Finding:
    """Compare counts with what their chances let expect."""
    total = sum(observed)
    statistic = sum(
        (count - total * chance) ** 2 / (total * chance)
        for count, chance in zip(observed, chances, strict=True)
    )
    freedom = len(observed) - 1
    return Finding(test, statistic, freedom, upper_tail(statistic, freedom))


def independence(test: str, pairs: Iterator[tuple[int, int]], symbols: int) -> Finding:
    """Compare the table of pairs of symbols with the product of its margins."""
    table = Counter(pairs)
    total = table.total()
    rows, columns = Counter[int](), Counter[int]()
    for (row, column), count in table.items():
        rows[row] += count
        columns[column] += count
    statistic = 0.0
    for row, column in itertools.product(range(symbols), repeat=2):
        expected = rows[row] * columns[column] / total
        statistic += (table[row, column] - expected) ** 2 / expected
    freedom = (symbols - 1) ** 2
    return Finding(test, statistic, freedom, upper_tail(statistic, freedom))


def gaps(test: str, symbols: Sequence[int], chance: float) -> Finding:
    """Count how many other symbols stand between two zeros: geometric when they are independent.

    Twelve cells of a quarter of the mean gap each, and one for the longer gaps, 1 in 20. (Where
    the zeros' number is fixed, as in a whole pool, the test rejects a little less than it says.)
    """
    width, cells = math.ceil(1 / (4 * chance)), 12
    observed = [0] * (cells + 1)
    places = (place for place, symbol in enumerate(symbols) if symbol == 0)
    for one, following in itertools.pairwise(places):
        observed[min((following - one - 1) // width, cells)] += 1
    beyond = (1 - chance) ** width
    chances = [(1 - beyond) * beyond**cell for cell in range(cells)]
    return goodness(test, observed, [*chances, beyond**cells])


def serial(test: str, symbols: Sequence[int], count: int) -> Finding:
    """Compare each second symbol with the one before it; pairs do not overlap."""
    return independence(test, zip(symbols[::2], symbols[1::2], strict=False), count)


def holm(findings: Sequence[Finding]) -> list[float]:
    """Return the p-values corrected for their number (Holm 1979), in the order given."""
    corrected, least = [0.0] * len(findings), 0.0
    by_p = sorted(range(len(findings)), key=lambda place: findings[place].p)
    for rank, place in enumerate(by_p):
        least = max(least, min(1.0, findings[place].p * (len(findings) - rank)))
        corrected[place] = least
    return corrected


# --- What is tested ----------------------------------------------------------------------


def examine_draws(sample: Sample) -> list[Finding]:
    """Test each rank, each ordered pair of ranks, and neighbouring draws."""
    findings = []
    for rank in range(RANKS):
        counts = Counter(symbols[rank] for symbols in sample)
        observed = [counts[symbol] for symbol in range(POOL)]
        findings.append(goodness(f"rank {rank + 1}", observed, [1 / POOL] * POOL))
    cells = list(itertools.permutations(range(POOL), 2))
    for one, other in itertools.combinations(range(RANKS), 2):
        together = Counter((symbols[one], symbols[other]) for symbols in sample)
        observed = [together[cell] for cell in cells]
        test = f"ranks {one + 1} and {other + 1}"
        findings.append(goodness(test, observed, [1 / len(cells)] * len(cells)))
    first = [symbols[0] for symbols in sample]
    return [*findings, serial("serial", first, POOL), gaps("gap", first, 1 / POOL)]


def examine_order(numbers: Sequence[int]) -> list[Finding]:
    """Test one large pool's numbers in order of slot: where they go, and neighbours.

    All numbers appear once, so the margins are given and only the inside of a table is free.
    """
    total = len(numbers)
    blocks = [(number - 1) * BLOCKS // total for number in numbers]
    slots = (slot * BLOCKS // total for slot in range(total))
    lowest = blocks.count(0) / total
    return [
        independence("block of slots", zip(slots, blocks, strict=True), BLOCKS),
        serial("serial", blocks, BLOCKS),
        gaps("gap", blocks, lowest),
    ]


def fair_winners(draws: int) -> Sample:
    """Draw from one committed pool with `draws` beacons."""
    commitment_hash = sha256(b"a committed pool").digest()
    seeds = (derive_seed(commitment_hash, sha256(be64(at)).digest()) for at in range(draws))
    return [tuple(picked.index for picked in select(TERMS, seed, POOL)) for seed in seeds]


def biased_winners(draws: int) -> Sample:
    """Draw with the classic mistake: one byte modulo the number of tickets."""
    sample: Sample = []
    for at in range(draws):
        tickets, block = list(range(POOL)), sha256(be64(at)).digest()
        sample.append(tuple(tickets.pop(byte % len(tickets)) for byte in block[:RANKS]))
    return sample


def fair_small_numbers(draws: int) -> Sample:
    """Number `draws` small pools, each with a key of its own."""
    pools = (Numbering(sha256(be64(at)).digest(), POOL) for at in range(draws))
    return [tuple(pool.number(slot) - 1 for slot in range(RANKS)) for pool in pools]


def fair_large_numbers(draws: int) -> list[int]:
    """Number one pool of `draws` tickets."""
    pool = Numbering(sha256(b"a large pool").digest(), draws)
    return [pool.number(slot) for slot in range(draws)]


def biased_large_numbers(draws: int) -> list[int]:
    """Number one pool by a linear congruence, a bijection that looks mixed enough."""
    golden = draws * 618 // 1000
    step = next(step for step in itertools.count(golden) if math.gcd(step, draws) == 1)
    return [slot * step % draws + 1 for slot in range(draws)]


Samples = dict[str, list[Finding]]


def fair_samples(draws: int) -> Samples:
    """Test what the product does."""
    return {
        "winners": examine_draws(fair_winners(draws)),
        "numbers, small pools": examine_draws(fair_small_numbers(draws)),
        "numbers, one large pool": examine_order(fair_large_numbers(draws)),
    }


def biased_samples(draws: int) -> Samples:
    """Test what it must not do, as a check on the tests."""
    return {
        "winners by byte modulo n": examine_draws(biased_winners(draws)),
        "numbers by a congruence": examine_order(biased_large_numbers(draws)),
    }


# --- The verdict -------------------------------------------------------------------------


def is_fair(findings: Sequence[Finding]) -> bool:
    return all(p > LEVEL for p in holm(findings))


def is_certainly_biased(findings: Sequence[Finding]) -> bool:
    return any(finding.p < CERTAIN for finding in findings)
