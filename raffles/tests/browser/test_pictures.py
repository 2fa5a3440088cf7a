"""Pictures of every page, for people to look at: PICTURES=/tmp/pictures pytest -k pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from raffles.tests.browser.scenes import make_scenes
from raffles.tests.browser.visiting import BROWSER, Visit

pytestmark = [
    *BROWSER,
    pytest.mark.skipif("PICTURES" not in os.environ, reason="made when PICTURES names a folder"),
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pictures(visit: Visit, dark: bool) -> None:
    folder = Path(os.environ["PICTURES"])
    folder.mkdir(parents=True, exist_ok=True)
    for scene in make_scenes():
        visitor = visit(dark=dark, width=1440)
        scene.play(visitor)
        name = f"{scene.name.replace(', ', ' ').replace(' ', '-')}-{'dark' if dark else 'light'}"
        is_stage = "stage" in scene.route
        for width, height in ((1440, 900), (768, 1024), (320, 640)):
            visitor.page.set_viewport_size({"width": width, "height": height})
            visitor.page.screenshot(path=folder / f"{name}-{width}.png", full_page=not is_stage)
        if scene.route == "pages:certificate":
            visitor.page.pdf(path=folder / f"{name}.pdf", format="A4")
