"""The figure of the comparison has one line per row, and no more rows than fit on a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medtransfer.report.interval_figure import interval_figure
from medtransfer.report.material import Material


def lines_of(material: Material) -> tuple[list[str], str]:
    """Return the names at the lines, from top to bottom, and the title."""
    axis = interval_figure(material).axes[0]
    return [label.get_text() for label in axis.get_yticklabels()][::-1], axis.get_title(loc="left") or axis.get_title()


def test_every_variant_and_baseline_has_a_line(material: Material) -> None:
    names, title = lines_of(material)
    table = material.found.table
    assert names == list(table[table["kind"] != "published"]["variant"])
    assert "not shown" not in title


def test_of_many_variants_the_best_and_those_of_each_backbone_are_kept(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medtransfer.report.interval_figure.MOST_VARIANTS", 1)
    names, title = lines_of(material)
    table, best = material.found.table, material.best_of_each_backbone()
    assert names == [*best, *table[table["kind"] == "baseline"]["variant"]]
    assert f"{len(material.names) - len(best)} more not shown" in title


def test_rows_fill_the_height(material: Material) -> None:
    """Matplotlib's margin of a twentieth leaves two empty lines above and below forty variants."""
    axis = interval_figure(material).axes[0]
    low, high = axis.get_ylim()
    rows = len(axis.get_yticks())
    assert -1 < low < -0.5
    assert rows - 0.5 < high < rows


def test_a_published_result_without_a_row_has_no_entry_in_the_legend(material: Material) -> None:
    row = {"variant": "somebody_2020", "metric": material.found.metric, "published": 0.9}
    table = material.found.published.iloc[:0]
    table = table.reindex(columns=[*dict.fromkeys([*table.columns, *row])])
    table.loc[0, list(row)] = list(row.values())
    legend = interval_figure(replace(material, found=replace(material.found, published=table))).axes[0].get_legend()
    assert legend is not None
    assert "published" not in [text.get_text() for text in legend.get_texts()]
