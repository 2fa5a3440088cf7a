"""The published schema: valid, without warnings, and true of what the site answers."""

import pytest
from django.core.management import call_command

fuzzing = pytest.importorskip("raffles.tests.api.fuzzing", reason="needs schemathesis")


def test_schema_is_valid_and_complete(tmp_path: object) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=f"{tmp_path}/schema.yaml")


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_site_answers_what_the_schema_says() -> None:
    campaign = fuzzing.run(fuzzing.World(), max_examples=5, seed=1)
    if campaign.failures:
        pytest.fail("\n\n".join(f"{what}\n{how}" for what, how in campaign.failures.items()))
    assert campaign.undocumented == set()
