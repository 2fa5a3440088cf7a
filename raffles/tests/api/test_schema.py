"""The published schema: valid, without warnings, and true of what the site answers.

`FUZZ_EXAMPLES=100 FUZZ_SEED=2 pytest raffles/tests/api/test_schema.py` is the long form: up to so
many requests for each operation in each phase, some 4,000 in all, other ones with another seed.
"""

import os

import pytest
from django.core.management import call_command

fuzzing = pytest.importorskip("raffles.tests.api.fuzzing", reason="needs schemathesis")
BRIEF = {"EXAMPLES": "5", "SEED": "1"}


def test_schema_is_valid_and_complete(tmp_path: object) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=f"{tmp_path}/schema.yaml")


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_site_answers_what_the_schema_says() -> None:
    examples, seed = (int(os.environ.get(f"FUZZ_{name}", n)) for name, n in BRIEF.items())
    campaign = fuzzing.run(fuzzing.World(), max_examples=examples, seed=seed)
    if campaign.failures:
        pytest.fail("\n\n".join(f"{what}\n{how}" for what, how in campaign.failures.items()))
    assert campaign.undocumented == set()
