"""What Prometheus would say: a site scraped as time passes, judged by promtool."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import time_machine
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from conftest import MANAGER
from raffles.tests.serving import SITE

RULES = SITE / "deploy/prometheus/raffles.rules.yml"
EVERY = timedelta(seconds=15)  # scrapes and evaluations, as in docs/watching.md
WITHIN = timedelta(minutes=3)

Series = dict[str, list[str]]


def scraped() -> dict[str, float]:
    """Return every sample of a scrape by its series."""
    answer = Client(REMOTE_ADDR=MANAGER).get("/metrics")
    assert answer.status_code == 200
    return {
        _series(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def watched(
    since: datetime, *, meanwhile: Callable[[timedelta], object] = lambda _after: None
) -> Series:
    """Return what is scraped from `since` until all have alarmed, with what is done meanwhile."""
    series: Series = defaultdict(list)
    for step in range(WITHIN // EVERY + 1):
        after = step * EVERY
        with time_machine.travel(since + after, tick=False):
            meanwhile(after)
            found = scraped()
        for name, value in (found | {_series("up", {}): 1.0}).items():
            series[name] += ["_"] * (step - len(series[name]))
            series[name].append("Inf" if math.isinf(value) else str(value))
    return series


def silent() -> Series:
    """Return what is scraped of a site of which no process answers."""
    return {_series("up", {}): ["0"] * (WITHIN // EVERY + 1)}


def alarms(series: Series, folder: Path, *, after: timedelta = WITHIN) -> set[str]:
    """Return which alerts fire then, by promtool: expected to be none, it says which there are."""
    story = {
        "interval": _seconds(EVERY),
        "input_series": [
            {"series": name, "values": " ".join(values)} for name, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": _seconds(after),
            }
        ],
    }
    test = {"rule_files": [str(RULES)], "evaluation_interval": _seconds(EVERY), "tests": [story]}
    (folder / "test.yml").write_text(yaml.safe_dump(test))
    command = ["promtool", "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = set(re.findall(r'alertname="(\w+)"', done.stdout + done.stderr))
    assert (done.returncode == 0) == (not found), done.stdout + done.stderr
    return found


def rules() -> list[dict[str, str]]:
    """Return our rules."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, str]] = group["rules"]
    return found


def _series(name: str, labels: Mapping[str, str]) -> str:
    """Return the series as Prometheus has it, of a target named as in docs/watching.md."""
    more = {"job": "raffles", "instance": "site", **labels}
    return f"{name}{{{', '.join(f'{key}={json.dumps(value)}' for key, value in more.items())}}}"


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f}s"
