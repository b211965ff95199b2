"""The page of a comparison made by hand, and a browser to open it in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medtransfer.report.page import write_report
from medtransfer.report.section import Material
from medtransfer.util.places import Places

from .browser import Browser, find_browser
from .comparison import make_comparison
from .study import write_places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Give the files of a study that the page is made from."""
    return write_places(tmp_path)


@pytest.fixture
def material(places: Places) -> Material:
    """Give what sections are made from."""
    return Material(make_comparison(), places)


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the whole page of the comparison; no test may change it."""
    places = write_places(tmp_path_factory.mktemp("report"))
    write_report(make_comparison(), places)
    return places.root / "report" / "index.html"


@pytest.fixture(scope="session")
def started_browser() -> Iterator[Browser]:
    """Start one browser for all tests, or skip them."""
    binary, driver = find_browser()
    if binary is None or driver is None:
        pytest.skip("needs Chromium and its driver (packages chromium, chromium-driver), which are not here")
    browser = Browser(binary, driver)
    yield browser
    browser.quit()


@pytest.fixture
def browser(started_browser: Browser, page: Path) -> Browser:
    """Give a browser, 1600 pixels wide, with the page open."""
    started_browser.open(page)
    return started_browser
