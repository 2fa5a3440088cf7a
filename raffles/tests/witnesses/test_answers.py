"""Real timestamp authorities: what we take from them, OpenSSL takes too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from raffles.domain.witnesses.ours.answers import Unusable, stamp
from raffles.fairness.verify import read_token
from raffles.tests.witnesses.witnessing import OPENSSL, Stamper

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is the authority of these tests")
TEXT = "draws.example.org/log\n6\nAAAA\n"


@pytest.fixture(params=["rsa", "p256", "p384"])
def stamper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stamper]:
    stamper = Stamper(tmp_path, kind=request.param)
    with stamper.serving():
        yield stamper


def test_openssl_agrees_on_every_token_that_is_taken(stamper: Stamper) -> None:
    before = int(datetime.now(UTC).timestamp())
    for n in range(3):
        text = TEXT.replace("6", str(n))
        answer = stamp(stamper.authority, text, seconds=30)
        assert (answer.key, answer.ends_at) == (stamper.key, stamper.ends_at)
        assert before <= answer.at <= int(datetime.now(UTC).timestamp()) + 1  # its accuracy
        assert read_token(answer.content, text.encode()) == (answer.key, answer.at)
        (stamper.folder / "token").write_bytes(answer.content)
        (stamper.folder / "text").write_text(text)
        said = stamper.run(
            *("-verify", "-token_in", "-in", "token", "-data", "text", "-CAfile", "certificate")
        )
        assert "Verification: OK" in said


def test_a_set_of_certificates_as_openssl_writes_it_is_refused(stamper: Stamper) -> None:
    """With `-chain`: DER sorts a set, OpenSSL does not, and no verifier of ours takes it."""
    stamper.options = ["-chain", "certificate"]
    with pytest.raises(Unusable, match="the token cannot be used"):
        stamp(stamper.authority, TEXT, seconds=30)
