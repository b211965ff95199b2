"""The page of a made-up comparison, and a browser to open it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medtransfer.data.prepared import Prepared
from medtransfer.report.material import Material
from medtransfer.report.page import write_report
from medtransfer.util.places import Places

from .browser import Browser, find_browser
from .comparison import make_comparison
from .masks import make_mask_comparison, write_mask_places
from .study import write_places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return the files of a study that the page is made from."""
    return write_places(tmp_path)


@pytest.fixture
def material(places: Places) -> Material:
    """Return the input of the sections."""
    return Material(make_comparison(), places)


@pytest.fixture
def mask_places(tmp_path: Path, build_prepared: Callable[..., Prepared]) -> Places:
    """Return the files of a study of masks."""
    return write_mask_places(tmp_path, build_prepared)


@pytest.fixture
def mask_material(mask_places: Places) -> Material:
    """Return the input of the sections of such a study."""
    return Material(make_mask_comparison(mask_places), mask_places)


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of the comparison; tests must not change it."""
    places = write_places(tmp_path_factory.mktemp("report"))
    write_report(make_comparison(), places)
    return places.root / "report" / "index.html"


@pytest.fixture(scope="session")
def started_browser() -> Iterator[Browser]:
    """Start one browser for all tests, or skip them."""
    binary, driver = find_browser()
    if binary is None or driver is None:
        pytest.skip("needs Chromium and its driver (packages chromium, chromium-driver), which are not installed")
    browser = Browser(binary, driver)
    yield browser
    browser.quit()


@pytest.fixture
def browser(started_browser: Browser, page: Path) -> Browser:
    """Return a browser, 1600 pixels wide, with the page open."""
    started_browser.open(page)
    return started_browser
