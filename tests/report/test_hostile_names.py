"""Names of classes, files and sources that other programs would obey: nothing executes, nothing breaks a table."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hostile import drawn, inline, names, shape
from hypothesis import Phase, assume, given, settings
from ruamel.yaml import YAML

from medtransfer.comparison.pages import comparison_page, comparison_tables
from medtransfer.comparison.results import Comparison
from medtransfer.comparison.writing import write_csv, write_plots
from medtransfer.data.audit.page import code
from medtransfer.data.labels import label_problems, rename_labels
from medtransfer.report.page import write_report
from medtransfer.study import Labels
from medtransfer.util.text import FORMULA, markdown_table, without_html

from .browser import Browser
from .comparison import make_comparison
from .study import CLASSES, SOURCE, TEST_IMAGES, image_paths, write_places

WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Smaller examples would take minutes to find."""
EXAMPLES = pytest.mark.parametrize("examples", [15, pytest.param(200, marks=pytest.mark.slow)])
MADE = make_comparison()
PARTS = ("operating", "per_class", "confusion", "images", "published", "table")


def accepted(name: str) -> str | None:
    """Return a name as it is after `prepare` has accepted it, perhaps by the aliases that an error offers."""
    for _ in range(3):
        table = pd.DataFrame({"path": ["0", "1"], "label": [name, "another class"], "split": [None, None]})
        problems = label_problems(table, Labels())
        if not problems:
            return name
        assert all("\n" not in problem for problem in problems)
        offered = problems[0].rpartition("to rename them: data.labels: ")[2]
        if not offered.startswith("{aliases: "):  # an empty name has no other
            return None
        aliases = Labels.model_validate(YAML(typ="safe", pure=True).load(offered))
        renamed, _, wrong = rename_labels(table, aliases)
        assert not wrong
        name = str(renamed["label"][0])
    raise AssertionError(f"{name!r} has no accepted name")


def comparison(label: str, path: str, source: str) -> Comparison:
    """Return the made-up comparison with other names."""
    new = {CLASSES[0]: label, SOURCE: source, image_paths()[0]: path}
    changed: dict[str, Any] = {name: getattr(MADE, name).replace(new) for name in PARTS}
    return replace(MADE, classes=(label, *CLASSES[1:]), **changed)


@EXAMPLES
def test_a_name_changes_no_page_and_no_table(examples: int, tmp_path: Path) -> None:
    plain = shape(comparison_page(comparison("plain", "plain.png", "a report")))

    @settings(max_examples=examples, print_blob=True, phases=WITHOUT_SHRINKING)
    @given(names(), names(), names())
    def check(name: str, path: str, source: str) -> None:
        label = accepted(name)
        assume(label is not None)
        assert label is not None
        found = comparison(label, path, source)
        page = comparison_page(found)
        assert shape(page) == plain
        assert not inline(page) & {"html_inline", "link_open", "image"}
        assert_latex(comparison_tables(found))
        write_plots(tmp_path / "points", found)
        assert not any("<" in file.read_text(encoding="utf-8") for file in (tmp_path / "points").iterdir())
        write_csv(tmp_path / "per_class.csv", found.per_class)
        for file in tmp_path.rglob("*.csv"):
            with file.open(encoding="utf-8", newline="") as lines:
                assert len({len(row) for row in csv.reader(lines)}) == 1
        per_class = pd.read_csv(tmp_path / "per_class.csv", keep_default_na=False)
        assert label in set(per_class["class"])
        assert not any(FORMULA.match(name) for name in per_class["class"])

    check()


def assert_latex(text: str) -> None:
    """Check that only the commands of the tables are in a LaTeX text, each row with its cells, braces in pairs."""
    known = "begin end centering caption toprule midrule bottomrule textbf emph texttt pm"
    known += " textbackslash textasciitilde textasciicircum"
    assert set(re.findall(r"(?<!\\)(?:\\\\)*\\([A-Za-z]+)", text)) <= set(known.split())
    bare = re.sub(r"\\[^A-Za-z]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not set("#%~^") & set(bare)
    for table in re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = [line for line in table[1].split("\n") if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(table[0]) - 1}
        assert not any(row.startswith(("[", "*")) for row in rows)


@EXAMPLES
def test_a_name_ends_neither_a_cell_nor_a_code_span(examples: int) -> None:
    @settings(max_examples=10 * examples, print_blob=True, phases=WITHOUT_SHRINKING)
    @given(names(), names())
    def check(name: str, column: str) -> None:
        page = without_html(f"{markdown_table(['a', column], [[name, 'b'], ['c', name]])}\n\n- {code(name)}, x\n")
        plain = f"{markdown_table(['a', 'x'], [['y', 'b'], ['c', 'y']])}\n\n- `y`, x\n"
        assert shape(page) == shape(plain)
        assert not inline(page) & {"html_inline", "link_open", "image"}

    check()


@pytest.mark.slow
def test_two_hundred_names_run_nothing_in_the_report(started_browser: Browser, tmp_path: Path) -> None:
    all_names = drawn(9 * TEST_IMAGES)
    for start in range(0, len(all_names), TEST_IMAGES):
        chosen = all_names[start : start + TEST_IMAGES]
        places = write_places(tmp_path / str(start))
        found = comparison("a class", image_paths()[0], chosen[0])
        images = found.images.replace(dict(zip(image_paths(), chosen, strict=True)))
        pd.DataFrame({"path": chosen}).to_parquet(places.prepared / "table.parquet")
        write_report(replace(found, images=images), places)
        assert_harmless(started_browser, places.report / "index.html")
    places = write_places(tmp_path / "classes")
    for name in accepted_names(all_names[::8]):
        write_report(comparison(name, image_paths()[0], name), places)
        assert_harmless(started_browser, places.report / "index.html")
        shown = "return [...document.querySelectorAll('#pane-a tbody th')].map(cell => cell.textContent)"
        assert name.split() in [text.split() for text in started_browser.run(shown)]


@pytest.mark.slow
def test_two_hundred_names_run_nothing_in_the_page_of_dvc(started_browser: Browser, tmp_path: Path) -> None:
    rows = [MADE.confusion.replace({CLASSES[0]: name}) for name in accepted_names(drawn(200))]
    write_plots(tmp_path / "points", replace(MADE, confusion=pd.concat(rows, ignore_index=True)))
    dvc = [sys.executable, "-P", "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    show = ["plots", "show", "points/confusion.csv", "-x", "predicted", "-y", "label", "-o", "page"]
    subprocess.run([*dvc, *show], cwd=tmp_path, check=True)
    page = tmp_path / "page/index.html"
    text = page.read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script>")
    assert "<img" not in text
    started_browser.open(page)
    assert started_browser.run("return window.ran === undefined")


def accepted_names(some: list[str]) -> list[str]:
    """Return the names that `prepare` accepts, as it accepts them."""
    return [name for name in map(accepted, some) if name is not None]


def assert_harmless(browser: Browser, page: Path) -> None:
    """Open a page: it must run nothing of its names, ask for nothing, and say nothing on the console."""
    browser.open(page)
    assert browser.run("return window.ran === undefined")
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.resolve().as_uri()]
    assert browser.run("return document.querySelectorAll('script').length") == 2
    assert browser.run("return document.querySelectorAll('table.comparison tbody tr').length") > 0
