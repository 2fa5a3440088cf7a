"""Winners and numbers are as random as chance, by tests that catch known biases."""

import pytest

from raffles.tests.fairness.odds import Share, odds
from raffles.tests.fairness.randomness import (
    FEWEST,
    Finding,
    biased_samples,
    fair_samples,
    goodness,
    holm,
    independence,
    is_certainly_biased,
    is_fair,
    upper_tail,
)


def test_winners_and_numbers_are_fair() -> None:
    samples = fair_samples(FEWEST)
    assert {name: len(findings) for name, findings in samples.items()} == {
        "winners": 8,
        "numbers, small pools": 8,
        "numbers, one large pool": 3,
    }
    assert is_fair([finding for findings in samples.values() for finding in findings])


def test_odds_are_tickets() -> None:
    free, limited = odds(FEWEST, 0), odds(FEWEST, 1)
    assert (free.most, limited.most) == (3, 1)
    for share in (*free.shares, *limited.shares):
        assert share.drawn == pytest.approx(share.expected, abs=0.012)  # four deviations
    assert [share.expected for share in free.shares[:5]] == pytest.approx(
        [1 / 15, 2 / 15, 3 / 15, 4 / 15, 5 / 15]
    )
    # Second after any other: the sum over the first of tickets/15 * 1/(15 - tickets).
    second = sum(tickets / 15 / (15 - tickets) for tickets in (2, 3, 4, 5))
    assert limited.shares[5].expected == pytest.approx(second)
    assert not free._replace(limit=1).hold()
    assert Share(1, 1, 0.101, 0.1).off() == pytest.approx(0.01)


def test_biased_winners_and_numbers_are_caught() -> None:
    assert {name: is_certainly_biased(found) for name, found in biased_samples(FEWEST).items()} == {
        "winners by byte modulo n": True,
        "numbers by a congruence": True,
    }


@pytest.mark.parametrize(
    ("statistic", "freedom", "p"),
    [
        # Critical values from printed tables of chi-square.
        (0.000157088, 1, 0.99),
        (6.634897, 1, 0.01),
        (10.827566, 1, 0.001),
        (9.210340, 2, 0.01),
        (18.307038, 10, 0.05),
        (23.209251, 10, 0.01),
        (124.342113, 100, 0.05),
        (149.449253, 100, 0.001),
        (123.225221, 99, 0.05),
        (1074.679449, 1000, 0.05),
        (0.0, 7, 1.0),
    ],
)
def test_upper_tail_is_that_of_the_tables(statistic: float, freedom: int, p: float) -> None:
    assert upper_tail(statistic, freedom) == pytest.approx(p, rel=1e-5)


def test_upper_tail_stays_exact_where_it_is_tiny() -> None:
    # With two degrees of freedom the tail is e^(-x / 2).
    assert upper_tail(400.0, 2) == pytest.approx(1.3838965267367376e-87, rel=1e-12)


def test_goodness_by_hand() -> None:
    # 10 expected in each of two cells and 2 away from it: 2 * 2^2 / 10.
    found = goodness("coin", [12, 8], [0.5, 0.5])
    assert (found.statistic, found.freedom) == (0.8, 1)


def test_independence_by_hand() -> None:
    # Rows 4 and 4, columns 4 and 4: 2 expected in each cell, 1 away from it: 4 * 1 / 2.
    pairs = [(0, 0)] * 3 + [(0, 1)] + [(1, 0)] + [(1, 1)] * 3
    found = independence("square", iter(pairs), 2)
    assert (found.statistic, found.freedom) == (2.0, 1)


def test_holm_by_hand() -> None:
    # Smallest times 4, next times 3, then never less than the one before.
    ps = [0.01, 0.04, 0.03, 0.005]
    corrected = holm([Finding("", 0.0, 1, p) for p in ps])
    assert corrected == pytest.approx([0.03, 0.06, 0.06, 0.02])
