"""Figures as inline SVG: small, themed, escaped and independent of each other."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from matplotlib.figure import Figure

from medtransfer.report.svg import THEME, inline_svg, tip
from medtransfer.util.plotting import COLOURS, panels


def drawn(title: str = "a <title> & more") -> Figure:
    figure, (axis,) = panels(1, 1, (3, 2), (0.4, 0.1, 0.4, 0.2))
    axis.plot([0, 1], [0, 1], "o-", gid=tip('what "it" is <here>'))
    axis.imshow([[0.1, 0.9]], cmap="gray")
    axis.set(title=title, xlabel="x $a_1$")
    return figure


def test_the_svg_is_well_formed_and_keeps_its_texts() -> None:
    root = ElementTree.fromstring(inline_svg(drawn(), "first", 'said "aloud"'))
    texts = [element.text for element in root.iter("text")]
    assert "a <title> & more" in texts
    assert "x $a_1$" in texts
    assert root.attrib["aria-label"] == 'said "aloud"'
    assert [element.text for element in root.iter("title")] == ['what "it" is <here>']


def test_colours_and_fonts_are_those_of_the_page() -> None:
    svg = inline_svg(drawn(), "first", "a figure")
    assert "var(--series-0)" in svg
    assert "var(--ink)" in svg
    assert not {colour for colour in THEME if colour in svg}
    assert "DejaVu" not in svg
    assert "font-size" in svg


def test_references_are_to_ids_of_the_same_figure() -> None:
    for name in ("first", "second"):
        svg = inline_svg(drawn(), name, "a figure")
        ids = re.findall(r'\bid="(.+?)"', svg)
        references = set(re.findall(r"url\(#(.+?)\)", svg)) | set(re.findall(r'href="#(.+?)"', svg))
        assert references == set(ids)
        assert len(ids) == len(set(ids))
        assert all(each.startswith(f"{name}-") for each in ids)


def test_there_are_no_external_references() -> None:
    svg = inline_svg(drawn(), "first", "a figure")
    assert "http" not in svg
    assert "<style" not in svg
    assert svg.startswith("<svg ")


def test_equal_figures_are_equal_bytes_and_much_smaller_than_those_of_matplotlib(tmp_path: Path) -> None:
    svg = inline_svg(drawn(), "first", "a figure")
    assert svg == inline_svg(drawn(), "first", "a figure")
    drawn().savefig(tmp_path / "plain.svg")
    assert len(svg) < (tmp_path / "plain.svg").stat().st_size * 0.7


def test_every_colour_of_the_palette_is_in_the_theme() -> None:
    assert {COLOURS[number].lower(): f"var(--series-{number})" for number in range(8)}.items() <= THEME.items()
