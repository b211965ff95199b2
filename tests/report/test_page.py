"""The page as a file: its sections, its verdict and its escaping."""

from __future__ import annotations

import html
import json
import re
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from medtransfer.comparison.results import Verdict
from medtransfer.report.page import verdict_text, write_report
from medtransfer.report.sections import SECTIONS, Section
from medtransfer.util.files import sha256_of_folder
from medtransfer.util.places import Places

from .comparison import make_comparison
from .study import SOURCE, TITLE, make_study

ALL = ["comparison", "margins", "cost", "factors", "pairs", "classes", "curves", "calibration", "operating_points"]
ALL += ["learning", "hard_images", "explanations", "audit", "origin", "checklists"]
OF_SOME = ["tuning", "ensembles", "images_needed", "external", "subgroups"]
OF_MASKS = ["mask_examples", "hard_masks"]
OF_FINDINGS = ["findings", "sure_errors"]
OF_NUMBERS = ["agreement", "error_by_range", "predicted_numbers"]
ALWAYS = ["comparison", "cost", "pairs", "learning", "explanations", "audit", "origin", "checklists"]


class Outline(HTMLParser):
    """The tags of a page, the ids of its sections, its texts, and the JSON for its script."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self.sections.append(dict(attrs)["id"] or "")

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


def test_sections_are_in_order_and_the_contents_link_to_them(page: Path) -> None:
    outline = Outline(page)
    assert outline.sections == ALL
    assert set(SECTIONS) == {*ALL, *OF_SOME, *OF_MASKS, *OF_FINDINGS, *OF_NUMBERS}
    links = [attributes["href"] or "" for tag, attributes in outline.tags if tag == "a"]
    links = [link for link in links if link.startswith("#")]
    ids = {attributes["id"] for _, attributes in outline.tags if "id" in attributes}
    assert {link[1:] for link in links} <= ids
    assert [f"#{name}" for name in ALL] == links[1 : len(ALL) + 1]


def test_empty_tables_have_no_section(places: Places) -> None:
    found = make_comparison()
    empty = {
        field.name: getattr(found, field.name).iloc[:0]
        for field in fields(found)
        if isinstance(getattr(found, field.name), pd.DataFrame) and field.name not in ("table", "costs", "pairs")
    }
    write_report(make_comparison(classes=(), warnings=(), **empty), places)
    assert Outline(places.root / "report/index.html").sections == ALWAYS


def test_a_single_variant_has_no_section_of_pairs(places: Places) -> None:
    found = make_comparison()
    one = {
        name: getattr(found, name)[getattr(found, name)["variant"] == "resnet_frozen"]
        for name in ("table", "costs", "images", "calibration", "reliability")
    }
    write_report(make_comparison(**one), places)
    assert "pairs" not in Outline(places.root / "report/index.html").sections


def test_names_are_escaped_in_the_page(page: Path) -> None:
    outline = Outline(page)
    assert TITLE in outline.texts
    assert any(SOURCE in text for text in outline.texts)
    assert [attributes for tag, attributes in outline.tags if tag == "script"] == [
        {"type": "application/json", "id": "data"},
        {},
    ]
    assert all(
        (attributes["src"] or "").startswith("data:image/webp") for tag, attributes in outline.tags if tag == "img"
    )
    assert not [attributes for _, attributes in outline.tags if any(key.startswith("on") for key in attributes)]


def test_the_header_of_a_column_of_words_is_above_them(page: Path) -> None:
    header = re.search(r'<th scope="col"([^>]*)><button type="button">Rule<', page.read_text(encoding="utf-8"))
    assert header is not None
    assert 'class="text"' in header[1]


def test_the_scripts_data_is_json_that_cannot_end_its_element(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    start = text.index('id="data">') + len('id="data">')
    data = text[start : text.index("</script>", start)]
    assert "<" not in data
    assert json.loads(data)["compared"] == ["resnet_frozen", "resnet_tuned", "small_frozen", "small_tuned"]


def test_figures_for_papers_are_bit_identical_twice(places: Places, tmp_path: Path) -> None:
    figures, before = places.root / "plots" / "figures", ""
    for _ in range(2):
        write_report(make_comparison(), places)
        before, last = sha256_of_folder(figures), before
    assert before == last
    names = {path.stem for path in figures.iterdir()}
    assert {"comparison", "size", "learning", "roc", "precision_recall", "net_benefit"} <= names


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
def test_the_metric_of_the_study_comes_first(places: Places, metric: str) -> None:
    metrics = (metric, *(name for name in ("accuracy", "roc_auc") if name != metric))
    write_report(make_comparison(study=make_study(metric=metric), metrics=metrics), places)
    text = " ".join(Outline(places.root / "report/index.html").texts)
    title = {"roc_auc": "ROC-AUC", "accuracy": "Accuracy"}
    assert f"{title[metric]} against the cost of each variant" in text


def test_the_provenance_is_complete(page: Path) -> None:
    text = " ".join(Outline(page).texts)
    for told in (
        "f" * 64,
        "1" * 64,
        "numpy",
        "Python 3.",
        "torchvision, IMAGENET1K_V1, SHA-256 aaaaaaaaaaaa…",
        "Kapoor et al.",
        "Tejani et al.",
    ):
        assert told in text
    assert "learning rate" not in text


def test_a_section_is_added_from_outside_by_registering_it(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SECTIONS, "_items", dict(SECTIONS.items()))
    text = "{{ content.count }} <b>variants</b>, {{ content.text }}"
    SECTIONS.register(
        "dummy", Section(25, "A dummy", lambda found: {"count": len(found.names), "text": "<i>"}, template=text)
    )
    SECTIONS.register("never", Section(26, "Never", lambda _: {}, shown=lambda _: False, template="nothing"))
    write_report(make_comparison(), places)
    outline = Outline(places.root / "report/index.html")
    assert outline.sections == [*ALL[:3], "dummy", *ALL[3:]]
    assert "4 <b>variants</b>, &lt;i&gt;" in (places.root / "report/index.html").read_text(encoding="utf-8")


NAMES = tuple("bcdefgh")
BEST = "a is best: accuracy .860 [.800, .910]"


def said(tied: tuple[str, ...], worse: dict[str, float]) -> str:
    text = verdict_text(Verdict("accuracy", "a", 0.86, 0.8, 0.91, tied, worse))
    return html.unescape(re.sub("<.+?>", "", text)).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("tied", "worse", "expected"),
    [
        (("b", "c"), {"d": 0.003},
         f"{BEST}; b and c are tied with it. d (p = .003) is significantly worse, corrected for all comparisons."),
        (("b",), {}, f"{BEST}; b is tied with it. "),
        ((), {}, "a is the only variant: accuracy .860 [.800, .910]. "),
        ((), {"b": 1e-9, "c": 0.04},
         f"{BEST}. b (p < .001) and c (p = .040) are significantly worse, corrected for all comparisons."),
        (NAMES[:6], {},
         f"{BEST}; b, c, d, e and 2 others are tied with it. "),
        ((), {name: 0.001 * number for number, name in enumerate(NAMES, 1)},
         f"{BEST}. The other 7 variants are significantly worse (each p ≤ .007, corrected for all comparisons)."),
    ],
)  # fmt: skip
def test_the_verdict_names_the_best_the_tied_and_the_worse(
    tied: tuple[str, ...], worse: dict[str, float], expected: str
) -> None:
    assert said(tied, worse) == expected


def test_the_verdict_escapes_names() -> None:
    text = verdict_text(Verdict("accuracy", "<a>", 0.8, 0.7, 0.9, ("<b>",), {"<c>": 0.01}))
    assert re.findall("<.+?>", text) == ["<b>", "</b>"]
