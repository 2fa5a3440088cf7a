"""Witnesses that raffles are given, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django import Settings

from raffles.domain.witnesses.ours import asking
from raffles.tests.test_beacon_draws import relay  # noqa: F401 - a fixture
from raffles.tests.witnesses import witnessing
from raffles.tests.witnesses.acting import SEEN_AT, Invite, learn
from raffles.tests.witnesses.witnessing import LogWitness, Stamper


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a silent witness three seconds, not ten."""
    monkeypatch.setattr(asking, "TOGETHER", 3.0)


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def invite(servers: ExitStack, settings: Settings) -> Invite:
    """`invite(honest, hangs)` makes witnesses that behave so, named in the settings."""

    def invite(*behaviours: witnessing.Behaviour) -> list[LogWitness]:
        witnesses = []
        for n, behaviour in enumerate(behaviours, start=1):
            witness = LogWitness(f"witness-{n}.example.org", lambda: SEEN_AT)
            witness.behave = behaviour
            servers.enter_context(witness.serving())
            witnesses.append(witness)
        settings.COSIGNERS = [witness.cosigner for witness in witnesses]
        return witnesses

    return invite


@pytest.fixture
def stamper(servers: ExitStack, settings: Settings, tmp_path: Path) -> Stamper:
    """An authority that the settings list, whose key is known, at a clock of the time of seals."""
    stamper = Stamper(tmp_path, clock=lambda: SEEN_AT)
    servers.enter_context(stamper.serving())
    settings.TIMESTAMP_AUTHORITIES = [stamper.authority]
    learn(stamper.url, stamper.key)
    return stamper
