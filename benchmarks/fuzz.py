"""Generated requests against the whole API, with every check of schemathesis.

    python -m benchmarks.fuzz [--max-examples N] [--seed N]

Sends up to N requests for each operation in each phase (coverage, fuzzing, stateful) through WSGI,
to a database made for it (DATABASE_URL, SQLite by default) and removed afterwards. Prints how many
of which status came, every failed check with how to repeat it, and statuses that the schema does
not name. Exit status 1 when there are any. --max-examples 100 sends some 4,000 requests.
"""

import argparse
import os
import secrets
import sys

import django
from django.test.runner import DiscoverRunner

# Before anything reads the settings: a manager, no throttles, and nobody's `.env`.
os.environ.update(
    DJANGO_SETTINGS_MODULE="rafflesite.settings",
    ENV_FILE="",
    MANAGER_IPS="192.0.2.1",
    TRUSTED_PROXIES="",
    THROTTLE_ENTRY="",
    THROTTLE_VERIFY="",
    LOG_LEVEL="CRITICAL",
)
django.setup()

from raffles.tests.api.fuzzing import Campaign, World, run  # noqa: E402 - it has models


def main() -> int:
    """Run one campaign on a database of its own and print what came of it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--max-examples", type=int, default=300, metavar="N")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), metavar="N")
    options = parser.parse_args()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        campaign = run(
            World(), max_examples=options.max_examples, seed=options.seed, progress=show_progress
        )
    finally:
        runner.teardown_databases(databases)
    report(campaign, options.seed)
    return 1 if campaign.failures or campaign.undocumented else 0


def show_progress(campaign: Campaign) -> None:
    """Keep one line up to date on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{campaign.cases} cases", end="", file=sys.stderr, flush=True)


def report(campaign: Campaign, seed: int) -> None:
    """Print the answers by operation, then what is wrong."""
    print()
    for (operation, status), count in sorted(campaign.answers.items()):
        print(f"{count:8}  {status}  {operation}")
    for what, how in campaign.failures.items():
        print(f"\n{what}\n{how}")
    for operation, status in sorted(campaign.undocumented):
        print(f"\nnot in the schema: {status} of {operation}")
    print(
        f"\n{campaign.cases} cases, {len(campaign.failures)} failures, "
        f"{len(campaign.undocumented)} undocumented statuses (seed {seed})"
    )


if __name__ == "__main__":
    sys.exit(main())
