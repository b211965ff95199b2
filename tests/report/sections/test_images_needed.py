"""The section on numbers of images: every cell, projections and reasons against them."""

from __future__ import annotations

import pandas as pd

from medtransfer.comparison.results import FRACTIONS, PROJECTIONS
from medtransfer.report.material import Material
from medtransfer.report.page import render
from medtransfer.report.sections import images_needed as section
from medtransfer.util.places import Places

from ..comparison import make_comparison


def test_cells_projections_and_reasons(places: Places) -> None:
    points = [
        ("resnet_tuned", 0.5, 50, 0.7, 0.6, 0.8, 0.01),
        ("resnet_tuned", 1.0, 100, 0.85, 0.8, 0.9, 0.01),
        ("small_tuned", 1.0, 100, 0.5, 0.4, 0.6, 0.01),
    ]
    beyond = [
        {"variant": "resnet_tuned", "images": 200, "value": 0.9, "value_low": 0.85, "value_high": 0.95}
        | {"gain": 0.05, "gain_low": 0.01, "gain_high": 0.09, "reason": ""},
        {"variant": "small_tuned", "images": 200, "reason": "needs <four> fractions"},
    ]
    tables = {
        "fractions": pd.DataFrame(points, columns=FRACTIONS),
        "projections": pd.DataFrame(beyond, columns=PROJECTIONS),
    }
    material = Material(make_comparison(**tables), places)
    tuned, small = section.content(material)["rows"]
    assert [cell["value"] for cell in tuned["cells"]] == [".700 [.600, .800]", ".850 [.800, .900]"]
    assert (tuned["twice"], tuned["gain"]) == (".900 [.850, .950]", ".050 [.010, .090]")
    assert small["cells"][0] == {"value": "", "images": ""}
    page = render(material)
    assert "no projection: needs &lt;four&gt; fractions" in page
    (axis,) = section.curves_figure(*tables.values(), ["resnet_tuned", "small_tuned"], "Accuracy").axes
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["50", "100", "200"]
