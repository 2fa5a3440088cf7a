"""Are winners and ticket numbers as random as they should be, and are odds tickets?

    python -m benchmarks.fair_in_fact [--draws 1000000]

Prints one line a test and exits 1 when a fair sample is rejected at 1 % (Holm, over all of its
tests together) or a biased one is not rejected at p < 1e-10; or when of holders of 1 to 5 tickets
one's share is more than 1 % off, or one is drawn more often than a limit allows. All seeds are
fixed: the same table for everyone, every time.
"""

import argparse
import sys

from raffles.tests.fairness.odds import HOLDERS, OFF, Odds, odds
from raffles.tests.fairness.odds import RANKS as ODDS_RANKS
from raffles.tests.fairness.randomness import (
    CERTAIN,
    FEWEST,
    LEVEL,
    POOL,
    RANKS,
    Samples,
    biased_samples,
    fair_samples,
    holm,
    is_certainly_biased,
    is_fair,
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.fair_in_fact", description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000_000)
    draws = parser.parse_args().draws
    if draws < FEWEST:
        parser.error(f"below {FEWEST} draws the cells are too small for chi-square")
    print(f"{draws} draws of {RANKS} among {POOL}; one pool of {draws} tickets")
    print(f"{'sample':26}{'test':16}{'chi-square':>14}{'freedom':>8}{'p':>12}{'p (Holm)':>12}")
    fair, biased = fair_samples(draws), biased_samples(draws)
    print_samples(fair)
    print_samples(biased)
    stands = is_fair([finding for sample in fair.values() for finding in sample])
    catches = all(is_certainly_biased(sample) for sample in biased.values())
    print(
        f"fair samples {'stand' if stands else 'REJECTED'} at {LEVEL:.0%}; biased samples", end=" "
    )
    print(f"rejected at p < {CERTAIN}" if catches else "NOT ALL REJECTED")
    found = [odds(draws, limit) for limit in (0, 1)]
    print_odds(found)
    hold = all(each.hold() for each in found)
    print(f"odds {'are tickets' if hold else 'ARE NOT TICKETS'}, within {OFF:.0%}")
    return 0 if stands and catches and hold else 1


def print_odds(found: list[Odds]) -> None:
    for limit, shares, most in found:
        said = f"at most {limit} for a holder" if limit else "no limit"
        print(f"{ODDS_RANKS} ranks among holders of {HOLDERS} tickets, {said}: {most} at the most")
        print(f"{'tickets':>8}{'rank':>6}{'drawn':>12}{'expected':>12}{'off':>10}")
        for share in shares:
            drawn = f"{share.tickets:8}{share.rank:6}{share.drawn:12.6f}"
            print(f"{drawn}{share.expected:12.6f}{share.off():10.2%}")


def print_samples(samples: Samples) -> None:
    findings = [finding for sample in samples.values() for finding in sample]
    corrected = iter(holm(findings))
    for name, sample in samples.items():
        for test, statistic, freedom, p in sample:
            line = f"{name:26}{test:16}{statistic:14.1f}{freedom:8}{p:12.3g}"
            print(f"{line}{next(corrected):12.3g}")


if __name__ == "__main__":
    sys.exit(main())
