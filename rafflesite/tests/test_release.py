"""What a release says of itself: version, schema of its API, what it supports and installs."""

import json
import re
import subprocess
import sys
import tomllib
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(settings.BASE_DIR)


def test_openapi_in_the_repository_is_what_the_code_says() -> None:
    schema = StringIO()
    call_command("spectacular", stdout=schema)
    kept = (ROOT / "docs" / "openapi.yaml").read_text()
    assert schema.getvalue() == kept, "read what changed, then run `make schema`"
    assert f"\n  version: {settings.VERSION}\n" in kept


def test_version_has_a_place_in_the_changelog_and_in_the_upgrade_notes() -> None:
    for document in ("CHANGELOG.md", "docs/upgrading.md"):
        headings = re.findall(r"^## (\d\S+)", (ROOT / document).read_text(), re.MULTILINE)
        assert headings[0] == settings.VERSION, document


def test_documents_name_the_pythons_that_the_project_does() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: "
    pythons = [kind.removeprefix(prefix) for kind in project["classifiers"] if prefix in kind]
    assert project["requires-python"] == f">={pythons[0]}"
    assert f"Python {pythons[0]} to {pythons[-1]}" in (ROOT / "README.md").read_text()
    assert f"| Python | {', '.join(pythons)} |" in (ROOT / "docs" / "upgrading.md").read_text()


def named(file: str) -> set[str]:
    """Return which packages a file of pip's names; raises where a line names none."""
    text = (ROOT / file).read_text().replace("\\\n", "")
    lines = [re.sub(r"(^|\s)(#|--hash=).*", "", line).strip() for line in text.splitlines()]
    return {
        canonicalize_name(Requirement(line).name)
        for line in lines
        if line and not re.match("-[cr] ", line)
    }


@pytest.mark.parametrize(
    ("asked", "pinned"),
    [
        ("requirements.in", "requirements.lock"),
        ("requirements-accounts.txt", "requirements-accounts.lock"),
        ("requirements-dev.in", "requirements-dev.txt"),
        ("requirements.txt", "requirements-dev.txt"),
    ],
)
def test_what_is_asked_for_is_pinned(asked: str, pinned: str) -> None:
    assert named(asked)
    assert named(asked) - named(pinned) == set()


def test_no_merge_was_left_half_done() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout")
    search = ["git", "grep", "-nIE", "^(<{7}|[|]{7}|>{7})( |$)"]
    found = subprocess.run(search, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")


@pytest.mark.bare
def test_bill_of_materials_has_what_production_installs(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx_py", reason="make check installs it")
    subprocess.run(
        [
            "make",
            f"VENV={sys.prefix}",
            f"--assume-old={sys.prefix}/.dev",
            f"SBOM={tmp_path}",
            "sbom",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for lock in ("requirements", "requirements-accounts"):
        bill = json.loads((tmp_path / f"{lock}.cdx.json").read_text())
        assert bill["metadata"]["component"]["version"] == settings.VERSION
        pins = re.findall(r"^(\S+)==(\S+)", (ROOT / f"{lock}.lock").read_text(), re.MULTILINE)
        assert [(each["name"], each["version"]) for each in bill["components"]] == pins
        for each in bill["components"]:
            (source,) = each["externalReferences"]
            assert {hashed["alg"] for hashed in source["hashes"]} == {"SHA-256"}
