"""The receiver that the documentation prints, run as it is printed."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from raffles.models import Endpoint
from raffles.tests.serving import SITE, free_port, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.once]


def printed() -> str:
    """Return the program under *Webhooks*."""
    _, _, section = (SITE / "docs/announcing.md").read_text().partition("## Webhooks")
    lines = re.search(r"\n((?:    .*\n|\n)+)", section.partition("A receiver:")[2])
    assert lines
    return dedent(lines[1])


@pytest.mark.parametrize(
    ("is_right", "status", "says"), [(True, 204, "Delivered"), (False, 400, "Not delivered")]
)
def test_receiver_of_the_documentation_verifies_the_signature(
    is_right: bool, status: int, says: str, client: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    port = free_port()
    client.force_login(User.objects.create_superuser("admin"))
    address = f"http://127.0.0.1:{port}/"
    asked = {"channel": "webhook", "address": address, "is_enabled": "on", "topic": ""}
    shown: Any = client.post(reverse("admin:raffles_endpoint_add"), asked, follow=True)
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", shown.content.decode())
    program = printed().replace("8080", str(port))
    program = program.replace("whsec_...", secret if is_right else "whsec_" + "A" * 44)
    file = tmp_path / "receiver.py"
    file.write_text(program)
    test = reverse("admin:raffles_endpoint_test", args=[Endpoint.objects.get().pk])

    with running([sys.executable, str(file)], port):
        page = client.post(test, follow=True).content.decode()

    assert says in page
    assert f": {status}." in page
