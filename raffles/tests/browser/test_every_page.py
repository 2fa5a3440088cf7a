"""What holds on every page, in every state, light and dark, wide and narrow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from raffles.tests.browser.scenes import make_scenes
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor

pytestmark = BROWSER
HEAVIEST = 60 * 1024  # bytes of a page, compressed, in all but pictures and the verifier
# Parts of pages, and what is no page.
PARTS = {
    "pages:beacon",
    "pages:embed_state",
    "pages:seen",
    "pages:calendar",
    "pages:forfeited",
    "pages:robots",
    "pages:state",
    "pages:ticket_state",
    "pages:names",
    "pages:offline_worker",
    "pages:rules_file",
    "event_pages:embed_state",
    "event_pages:state",
    "event_pages:feed",
    "event_pages:event_feed",
    "event_pages:calendar",
}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = """async (rules) => (await axe.run(document, {
  runOnly: rules, resultTypes: ["violations"] // the paths of what is right need not be found
})).violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.failureSummary}`))"""
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = (element) => element.getBoundingClientRect().right > width + 1;
  return Array.from(document.querySelectorAll("body *")).filter(wide).map((e) => e.outerHTML);
}"""

WRONG = """() => {
  const [wide, pale] = [document.createElement("p"), document.createElement("p")];
  wide.style.width = "5000px";
  pale.style.color = "#999";
  wide.textContent = pale.textContent = "Hardly to be read";
  document.querySelector("main").prepend(wide, pale, document.createElement("img"));
  document.body.insertAdjacentHTML("beforeend", '<b style="color: red">Loud</b>');
  fetch("https://example.org/").catch(() => {});
}"""


def routes(patterns: Sequence[URLPattern | URLResolver], space: str = "") -> Iterator[str]:
    """Yield the names of all pages' routes."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace in (None, "pages", "event_pages"):
                yield from routes(pattern.url_patterns, pattern.namespace or space)
        elif space:
            yield f"{space}:{pattern.name}"


def test_every_page_is_looked_at() -> None:
    shown = {scene.route for scene in make_scenes()}

    assert shown == set(routes(get_resolver().url_patterns)) - PARTS


@pytest.fixture(scope="module")
def axe() -> str:
    """Return the script of axe-core."""
    package = pytest.importorskip("axe_playwright_python", reason="needs requirements-dev.txt")
    return Path(package.__file__).with_name("axe.min.js").read_text()


@pytest.mark.parametrize("part", [0, 1])  # for two processors
def test_every_page_is_sound(visit: Visit, axe: str, part: int) -> None:
    found = {}
    for scene in make_scenes()[part::2]:
        visitor = visit()
        scene.play(visitor)
        found[scene.name] = [
            *faults(visitor),
            *inaccessible(visitor, axe, RULES),
            *pale_in_the_dark(visitor),
            *too_wide(visitor),
        ]
        visitor.leave()

    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_description_of_the_api_is_readable_and_asks_nobody_else(
    visit: Visit, axe: str, dark: bool
) -> None:
    visitor = visit(dark=dark)

    visitor.go("/api/docs/")
    visitor.see("Raffles and lucky draws that anyone can verify.")
    visitor.page.locator(".opblock-summary-control").first.click()
    visitor.see("Responses")

    assert inaccessible(visitor, axe, RULES) == []
    assert ("dark" in (visitor.page.get_attribute("html", "class") or "")) == dark
    assert (visitor.faults, visitor.foreign, visitor.lost) == ([], [], [])


def test_what_is_wrong_is_found(visit: Visit, axe: str) -> None:
    visitor = visit()
    visitor.go("/")

    visitor.run(WRONG)
    wrong = ["CSP: style-src-attr", "CSP: connect-src https://example.org", "moves by itself"]
    until = time.monotonic() + 30
    while unseen := [what for what in wrong if not any(what in said for said in faults(visitor))]:
        assert time.monotonic() < until, unseen
        visitor.page.wait_for_timeout(100)
    visitor.faults.clear()

    rules = {line.partition(":")[0] for line in inaccessible(visitor, axe, RULES)}
    assert rules >= {"image-alt", "color-contrast"}
    assert too_wide(visitor)


def faults(visitor: Visitor) -> list[str]:
    """Return the browser's complaints, layout shifts, and what is too heavy."""
    said = [*visitor.faults, *visitor.foreign]
    if moved := visitor.shift():
        said.append(f"moves by itself: {moved}")
    if (weight := visitor.weight()) > HEAVIEST:
        said.append(f"weighs {weight} bytes")
    return said


def inaccessible(visitor: Visitor, axe: str, rules: list[str]) -> list[str]:
    """Return what axe-core finds against WCAG 2.2 AA."""
    visitor.page.evaluate(axe)
    said: list[str] = visitor.run(AXE, rules)
    return said


def pale_in_the_dark(visitor: Visitor) -> list[str]:
    """Return what axe-core cannot read in the dark theme."""
    visitor.page.emulate_media(color_scheme="dark")
    said: list[str] = visitor.run(AXE, ["color-contrast", "link-in-text-block"])
    return said


def too_wide(visitor: Visitor) -> list[str]:
    """Return what needs sideways scrolling at 320 pixels, or at 200 % of the text size."""
    said: list[str] = []
    for width, size in ((320, "100%"), (640, "100%"), (1280, "200%")):
        visitor.page.set_viewport_size({"width": width, "height": 640})
        visitor.run("(size) => { document.documentElement.style.fontSize = size; }", size)
        said += [
            f"wider than {width} at {size}: {element[:200]}" for element in visitor.run(OVERFLOW)
        ]
    return said
