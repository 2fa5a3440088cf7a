"""Behind the nginx of the documentation, a page is as light as its budget says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from raffles.models import State
from raffles.tests.browser.serving import Site
from raffles.tests.browser.test_every_page import HEAVIEST
from raffles.tests.browser.visiting import BROWSER, VERIFIER, Visit
from raffles.tests.factories import RaffleFactory
from raffles.tests.serving import SITE, free_port, running

if TYPE_CHECKING:  # as in visiting.py
    from playwright.sync_api import Request

pytestmark = BROWSER
KINDS = ("document", "script", "stylesheet", "fetch")
LARGEST = 40 * 1024  # bytes of the verifier


@pytest.fixture
def nginx(served: Site, tmp_path: Path) -> Iterator[str]:
    """Yield the address of an nginx in front of the site, which compresses as documented."""
    program = shutil.which("nginx")
    if not program:
        pytest.skip("needs nginx")
    lines = re.findall(r"^ +(gzip.*;)$", (SITE / "deploy/nginx.conf").read_text(), re.MULTILINE)
    assert lines, "no compression in deploy/nginx.conf"
    port = free_port()
    folders = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {tmp_path}/{name}; " for name in folders)
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; "
        f"events {{}} http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; "
        f"{' '.join(lines)} location / {{ proxy_pass {served.url}; proxy_http_version 1.1; "
        "proxy_set_header Host $http_host; } } }"
    )
    command = [program, "-p", str(tmp_path), "-c", str(conf), "-e", f"{tmp_path}/error.log"]
    with running(command, port):
        yield f"http://127.0.0.1:{port}"


# The largest that the page keeps: 36 places of 10 hashes, 100 leaves.
@pytest.mark.parametrize(("tickets", "prizes", "is_kept"), [(100, 25, True), (200, 180, False)])
def test_result_arrives_compressed_within_the_budget_and_then_its_check(
    visit: Visit, nginx: str, tickets: int, prizes: int, is_kept: bool
) -> None:
    """The leaves of a small pool come last, for the files that a visitor may drop."""
    raffle = RaffleFactory.create(
        total_tickets=tickets, prizes=(("Book", prizes),), alternates=11, state=State.DRAWN
    )
    visitor = visit(nginx)
    loaded: list[Request] = []
    visitor.page.on("requestfinished", lambda request: loaded.append(request))  # noqa: PLW0108
    visitor.go(f"/r/{raffle.uuid}/result/")
    visitor.see("Checked by this device")
    visitor.page.wait_for_load_state("networkidle")

    answers = [
        (request, request.response()) for request in loaded if request.resource_type in KINDS
    ]
    sizes = {
        request.url.removeprefix(nginx): request.sizes()["responseBodySize"]
        for request, answer in answers
        if answer
    }
    plain = {
        request.url.removeprefix(nginx)
        for request, answer in answers
        if answer and answer.headers.get("content-encoding") != "gzip"
    }
    files = {f"/raffles/{raffle.uuid}/{name}/" for name in ("proof", "leaves")}
    verifier = sum(size for path, size in sizes.items() if VERIFIER.search(path))
    page = sum(size for path, size in sizes.items() if path not in files) - verifier
    print(f"{page} bytes, and {verifier} of the verifier, in {len(sizes)} files")

    # Hashes cannot be compressed.
    assert plain == ({f"/raffles/{raffle.uuid}/leaves/"} if is_kept else set())
    assert 0 < page <= HEAVIEST
    assert 0 < verifier <= LARGEST
