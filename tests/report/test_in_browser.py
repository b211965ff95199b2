"""The page in a real browser: self-contained, sortable, accessible, readable on any screen and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from medtransfer.report.page import write_report
from medtransfer.util.places import Places

from .browser import Browser
from .masks import IMAGES, make_mask_comparison
from .study import ACCURACY, CLASSES, TITLE, VARIANTS

MOST_BYTES = 5_000_000


def shown(browser: Browser) -> list[str]:
    """Return the names of the visible rows, published ones with a star."""
    return browser.run(
        "return [...document.querySelectorAll('table.comparison tbody tr')].filter(row => !row.hidden)"
        ".map(row => row.querySelector('.name').textContent + (row.dataset.kind === 'published' ? '*' : ''))"
    )


def heading(browser: Browser, title: str) -> str:
    """Click the heading of a column and return its new sort order."""
    for button in browser.all("table.comparison thead button"):
        if button.text.strip() == title:
            button.click()
            return browser.run("return arguments[0].parentElement.getAttribute('aria-sort')", button)
    raise AssertionError(f"no column {title}")


@pytest.mark.parametrize("width", [400, 1600])
def test_the_page_opens_without_console_messages_or_requests(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.resolve().as_uri()]
    assert page.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("width", [1200, 1300, 1600])
def test_the_table_fits_the_window_and_unfolds(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    room = "const box = document.querySelector('table.comparison').parentElement;"
    room += "return box.scrollWidth - box.clientWidth"
    titles = "return [...document.querySelectorAll('table.comparison thead button')]"
    titles += ".filter(button => button.offsetWidth).map(button => button.textContent)"
    assert browser.run(room) == 0
    few = browser.run(titles)
    assert few[-2:] == ["Difference from the best", "p"]
    browser.one("[name=more]").click()
    assert browser.run(titles)[: len(few)] == few
    assert browser.run(titles)[-1] == "Prediction"


def test_names_are_shown_as_text_whatever_they_contain(browser: Browser) -> None:
    assert browser.chrome.title == TITLE
    assert browser.one("h1").text == TITLE
    assert browser.run("return [...document.images].filter(image => !image.src.startsWith('data:')).length") == 0
    assert browser.run("return document.querySelectorAll('script').length") == 2
    assert CLASSES[0] in browser.one("#audit").text
    assert {heading.text for heading in browser.all("#pane-a tbody th")} == set(CLASSES)


def test_sorting_by_a_number_a_name_and_back(browser: Browser) -> None:
    order = ["resnet_frozen", "resnet_tuned", "small_frozen", "small_frozen*", "small_tuned", "constant", "their_own*"]
    assert shown(browser) == order
    assert heading(browser, "Accuracy") == "ascending"
    upwards = shown(browser)
    assert upwards[:4] == ["constant", "small_tuned", "small_frozen", "small_frozen*"]
    assert upwards[-1] == "their_own*"
    assert heading(browser, "Accuracy") == "descending"
    assert shown(browser)[0] == "their_own*"
    assert heading(browser, "Variant") == "ascending"
    assert shown(browser)[:2] == ["constant", "resnet_frozen"]
    assert len(browser.all("table.comparison th[aria-sort]")) == 1


def test_rows_without_a_value_come_last_in_both_directions(browser: Browser) -> None:
    browser.one("[name=more]").click()
    for direction in ("ascending", "descending"):
        assert heading(browser, "Training") == direction
        assert set(shown(browser)[-2:]) == {"constant", "their_own*"}


def test_filters_by_words_parts_and_ties(browser: Browser) -> None:
    words = browser.one("form.filters input[type=search]")
    words.send_keys("SMALL tuned")
    assert shown(browser) == ["small_tuned"]
    assert browser.one("form.filters output").text == "1 of 4 variants"
    words.clear()
    words.send_keys(" ")
    Select(browser.one("form.filters select[name=strategy]")).select_by_visible_text("frozen")
    assert shown(browser) == ["resnet_frozen", "small_frozen", "small_frozen*"]
    browser.one("form.filters input[name=tied]").click()
    assert shown(browser) == ["resnet_frozen"]
    browser.one("form.filters button[type=reset]").click()
    assert len(shown(browser)) == 7
    assert browser.one("form.filters output").text == "4 of 4 variants"


def test_all_controls_can_be_reached_and_used_by_keyboard(browser: Browser) -> None:
    usable = browser.all("a[href], button, input, select, summary, [tabindex]")
    reached = set()
    for _ in range(3 * len(usable)):
        ActionChains(browser.chrome).send_keys(Keys.TAB).perform()
        active = browser.chrome.switch_to.active_element
        if active.tag_name == "body" or active.id in reached:
            break
        reached.add(active.id)
        assert browser.run("return getComputedStyle(arguments[0]).outlineStyle", active) != "none"
    visible = {element.id for element in usable if element.is_displayed()}
    assert visible <= reached
    button = browser.one("table.comparison thead th:nth-child(2) button")
    button.send_keys(Keys.ENTER)
    assert shown(browser)[0] == "constant"


def test_two_chosen_variants_are_compared_by_differences_figures_and_images(
    browser: Browser,
) -> None:
    first, second = (Select(browser.one(f"select[data-side={side}]")) for side in "ab")
    assert (first.first_selected_option.text, second.first_selected_option.text) == ("resnet_frozen", "small_frozen")
    second.select_by_visible_text("small_tuned")
    assert browser.one("#differences tbody tr").text == (
        "Accuracy .900 .500 .400 [.300, .500] .012 significant McNemar's test: p = .020"
    )
    assert len(browser.all("#pane-b svg")) == 1
    assert len(browser.all("#pane-b table.confusion td")) == 9
    only_first = browser.one("#only-a")
    assert only_first.text.startswith("15 images that resnet_frozen gets right and small_tuned does not (10 shown)")
    assert len(browser.all("#only-a img")) == 10
    assert browser.all("#only-b img") == []
    first.select_by_visible_text("small_tuned")
    assert browser.one("#differences").text == "Choose two different variants."
    second.select_by_visible_text("resnet_frozen")
    assert "Accuracy .500 .900 −.400 [−.500, −.300]" in browser.one("#differences tbody").text


def test_one_measure_of_the_classes_is_shown_at_a_time(browser: Browser) -> None:
    tables = browser.all('[data-group="measure"]')
    Select(browser.one("select[data-show=measure]")).select_by_visible_text("F1")
    assert [table.get_attribute("data-member") for table in tables if table.is_displayed()] == ["f1"]


def test_the_theme_is_that_of_the_system_until_the_button_changes_it(browser: Browser, page: Path) -> None:
    def colours() -> tuple[str, str]:
        script = "const style = getComputedStyle({}); return style.{}"
        paper = browser.run(script.format("document.body", "backgroundColor"))
        return paper, browser.run(script.format("document.querySelector('#cost svg text')", "fill"))

    light = colours()
    browser.open(page, dark=True)
    dark = colours()
    assert light[0] == "rgb(255, 255, 255)"
    assert all(one != other for one, other in zip(light, dark, strict=True))
    button = browser.one("button.theme")
    assert button.text == "Light theme"
    button.click()
    assert colours() == light
    button.click()
    assert colours() == dark
    browser.set_media("print", dark=True)
    assert colours() == light
    browser.set_media()


@pytest.mark.parametrize("width", [400, 1600])
def test_the_page_never_scrolls_sideways_and_its_text_is_readable(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    sizes = browser.run(
        "return [...document.querySelectorAll('svg.figure text')].filter(text => text.getBoundingClientRect().width)"
        ".map(text => parseFloat(text.style.fontSize) * text.closest('svg').getBoundingClientRect().width"
        " / text.closest('svg').viewBox.baseVal.width)"
    )
    assert len(sizes) > 50
    assert min(sizes) >= 8.5
    small = browser.run(
        "return [...document.querySelectorAll('main *')].filter(each => each.childElementCount === 0"
        " && each.textContent.trim() && !each.closest('svg, template'))"
        ".map(each => parseFloat(getComputedStyle(each).fontSize))"
    )
    assert min(small) >= 10


def test_the_printed_page_is_complete(browser: Browser) -> None:
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.all("details:not([open])") == []
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert len(browser.all("details:not([open])")) == 1
    pdf = browser.printed()
    assert pdf.startswith(b"%PDF")
    browser.set_media("print")
    browser.command(
        "Emulation.setDeviceMetricsOverride", {"width": 1032, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    )
    assert browser.run("return document.documentElement.scrollWidth") <= 1032
    assert not browser.one("form.filters").is_displayed()
    browser.set_media()


def test_every_figure_has_a_description_for_screen_readers(browser: Browser) -> None:
    labels = browser.run(
        "return [...document.querySelectorAll('svg.figure')].map(each => each.getAttribute('aria-label'))"
    )
    assert len(labels) >= 10
    assert all(len(label) > 10 for label in labels)
    assert any(VARIANTS[0] in label for label in labels)
    ids = browser.run("return [...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))
    assert ACCURACY


def test_the_page_of_a_study_of_masks_opens(started_browser: Browser, mask_places: Places) -> None:
    write_report(make_mask_comparison(mask_places), mask_places)
    started_browser.open(mask_places.root / "report" / "index.html")
    assert started_browser.complaints() == []
    sections = started_browser.run("return [...document.querySelectorAll('main section')].map(each => each.id)")
    assert sections == [
        "comparison",
        "margins",
        "cost",
        "factors",
        "pairs",
        "mask_examples",
        "learning",
        "hard_masks",
        "audit",
        "origin",
        "checklists",
    ]
    heading = started_browser.one("#only-a p").text
    assert heading == "16 images that resnet_frozen segments better than small_frozen (8 shown)"
    assert len(started_browser.all("#only-a figure")) == 8
    assert [
        len(started_browser.all(f"#only-a figure:first-child .{kind}")) for kind in ("truth", "found-a", "found-b")
    ] == [1, 1, 1]
    assert started_browser.one("#only-b p").text == "No images that small_frozen segments better than resnet_frozen"
    assert "HD95 (mm)" in started_browser.one("table.comparison thead").text
    assert len(started_browser.all("#learning svg")) == IMAGES // 5
