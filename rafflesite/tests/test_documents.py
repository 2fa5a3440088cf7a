"""What the documents tell the operator to write."""

import re
from pathlib import Path

from django.conf import settings

UNIT = re.compile(r"^    # /etc/systemd/system/(\S+)$", re.MULTILINE)
COMMAND = re.compile(r"^    ExecStart=(.+)$", re.MULTILINE)


def test_each_systemd_unit_is_written_once() -> None:
    documents = sorted(Path(settings.BASE_DIR, "docs").glob("*.md"))
    text = "".join(document.read_text() for document in documents)
    units, commands = UNIT.findall(text), COMMAND.findall(text)
    assert len(commands) >= 4
    assert len(units) == len(set(units))
    assert len(commands) == len(set(commands))  # nor under two names
