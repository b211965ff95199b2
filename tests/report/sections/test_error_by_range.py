"""The error of variants in ranges of the true number."""

from __future__ import annotations

import pandas as pd

from medtransfer.report.sections.error_by_range import range_figure


def test_the_legend_covers_no_value() -> None:
    values = {"range": "1 to 2 mm", "mae": 0.9, "mae_low": 0.5, "mae_high": 1.0}
    rows = pd.DataFrame([{"variant": name} | values for name in ("a", "b", "c", "constant")])
    figure = range_figure(rows, ["a", "b", "c"], "mm")
    figure.draw_without_rendering()
    (axis,) = figure.axes
    legend = axis.get_legend()
    assert legend is not None
    extent = legend.get_window_extent()
    assert extent.y0 >= axis.get_window_extent().y1 - 1
    assert extent.y1 <= figure.bbox.y1
