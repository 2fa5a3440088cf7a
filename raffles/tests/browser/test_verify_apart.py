"""A check in a worker of the browser, under the policy of the site's own pages."""

from __future__ import annotations

from typing import Any

from raffles.tests.fairness.draw_vectors import CASES

from .visiting import BROWSER, Visit, Visitor

pytestmark = BROWSER
FILES = {case.name: case.files for case in CASES}
CHECK = """async ({ files, workers, stop }) => {
  if (!workers) window.Worker = undefined;
  const { verifyApart } = await import("/static/raffles/verify-apart.js");
  const told = { steps: 0, percents: [] };
  const stopping = new AbortController();
  const onStep = () => {
    told.steps++;
    if (stop) stopping.abort();
  };
  const onProgress = (percent) => told.percents.push(percent);
  const bytes = Object.entries(files).map(([name, list]) => [name, Uint8Array.from(list)]);
  const options = { onStep, onProgress, signal: stopping.signal };
  try {
    const answer = await verifyApart(Object.fromEntries(bytes), options);
    return { ...told, answer };
  } catch (error) {
    return { ...told, error: error.name };
  }
}"""


def check(visitor: Visitor, case: str, *, workers: bool = True, stop: bool = False) -> Any:
    files = {name: list(content) for name, content in FILES[case].items()}
    return visitor.run(CHECK, {"files": files, "workers": workers, "stop": stop})


def workers_left(visitor: Visitor, expected: int) -> int:
    """Return how many there are; the browser tells of the end of one a moment later."""
    for _ in range(100):
        if len(visitor.page.workers) != expected:
            visitor.page.wait_for_timeout(20)
    return len(visitor.page.workers)


def test_a_worker_answers_as_the_page_itself_would(visit: Visit) -> None:
    visitor = visit()
    visitor.go("/")
    there = check(visitor, "all-files")
    again = check(visitor, "all-files")
    assert again["answer"] == there["answer"]
    assert workers_left(visitor, 1) == 1, "one waits for the next check"
    visitor.go("/")
    here = check(visitor, "all-files", workers=False)
    assert there["answer"] == here["answer"]
    assert there["steps"] == len(there["answer"]["steps"])
    assert there["percents"][-1] == 100
    assert there["answer"]["verdict"] == (
        "VALID, the only seal, witnessed before the randomness by 1 of 1"
    )


def test_a_check_is_stopped(visit: Visit) -> None:
    visitor = visit()
    visitor.go("/")
    for workers in (True, False):
        stopped = check(visitor, "all-files", workers=workers, stop=True)
        assert stopped["error"] == "AbortError"
    assert workers_left(visitor, 0) == 0
