"""Subgroups and test sets from elsewhere on the page: every variant with its values, and no Markdown in HTML."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from medtransfer.comparison.results import EXTERNAL, GAPS, RANKINGS, SUBGROUPS
from medtransfer.report.material import Material
from medtransfer.report.page import write_report
from medtransfer.report.sections.external import external_figure
from medtransfer.util.places import Places

from ..comparison import make_comparison
from ..study import write_places


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return write_places(tmp_path_factory.mktemp("page"))


def elsewhere(names: list[str]) -> dict[str, Any]:
    there = {"value": 0.5, "value_low": 0.4, "value_high": 0.6, "home": 0.9, "home_low": 0.8, "home_high": 0.95}
    there |= {"drop": 0.4, "drop_low": 0.3, "drop_high": 0.5, "images": 1234, "groups": 1100}
    of_all = {"set": "hospital_b", "metric": "accuracy"}
    ranking = {"variants": len(names), "tau": 0.2, "tau_low": -0.4, "tau_high": 0.7}
    ranking |= {"best_at_home": names[0], "best_there": names[1]}
    levels = [
        {"set": "home", "subgroup": "sex", "level": level, "variant": name, "metric": "accuracy"}
        | {"images": 1, "groups": 1, "few": True, "value": 0.7, "value_low": 0.6, "value_high": 0.8}
        for level in ("F", "M")
        for name in names
    ]
    return {
        "external": pd.DataFrame([of_all | {"variant": name} | there for name in names], columns=list(EXTERNAL)),
        "rankings": pd.DataFrame([of_all | ranking], columns=list(RANKINGS)),
        "subgroups": pd.DataFrame(levels, columns=list(SUBGROUPS)),
        "gaps": pd.DataFrame(columns=list(GAPS)),
    }


def test_both_sections_show_their_values_without_markdown(places: Places) -> None:
    names = Material(make_comparison(), places).names
    write_report(make_comparison(**elsewhere(names)), places)
    page = (places.root / "report/index.html").read_text(encoding="utf-8")
    for part in (": 1,234 images in 1,100 groups", "1 image, 1 group, few"):
        assert part in page
    for name in ("external", "subgroups"):
        section = page.split(f'id="{name}"', 1)[1].split("</section>", 1)[0]
        assert all(each in section for each in names)
        assert "`" not in section


def test_the_legend_covers_no_value() -> None:
    values = pd.DataFrame({f"{part}{end}": [0.5] * 3 for part in ("value", "home") for end in ("", "_low", "_high")})
    figure = external_figure(values.set_axis(["a", "b", "c"]), "Accuracy")
    figure.draw_without_rendering()
    (axis,) = figure.axes
    assert axis.get_legend().get_window_extent().y0 >= axis.get_window_extent().y1
