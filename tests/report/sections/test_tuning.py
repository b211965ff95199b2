"""The section of searches: what was kept, and how the score depends on the rate."""

from __future__ import annotations

import pandas as pd

from medtransfer.comparison.results import TRIALS
from medtransfer.report.material import Material
from medtransfer.report.page import render
from medtransfer.report.sections import tuning as section
from medtransfer.util.places import Places

from ..comparison import make_comparison


def test_each_search_is_summed_up_and_drawn(places: Places) -> None:
    rows = [
        ("resnet_tuned", 0, seed, 1.0, trial, state, trial == 1, 5, 0.5, score, rate, "token")
        for seed in (0, 1)
        for trial, (state, score, rate) in enumerate(
            (("complete", 0.6, 1e-4), ("complete", 0.8 + seed / 10, 1e-3 * (1 + seed)), ("pruned", 0.1, 0.1))
        )
    ]
    trials = pd.DataFrame(rows, columns=[*TRIALS, "lr", "features.pooling"])
    material = Material(make_comparison(trials=trials), places)
    (row,) = section.content(material)["rows"]
    assert row["found"] == "lr 0.001 to 0.002, features.pooling token"
    assert (row["trials"], row["kept"], row["median"], row["epochs"]) == (3, ".850", ".600", "30")
    assert (row["pruned"], row["diverged"]) == (2, 0)
    (axis,) = section.tuning_figure({"resnet_tuned": trials}, "accuracy").axes
    assert (axis.get_xscale(), axis.get_xlabel()) == ("log", "lr")
    page = render(material)
    assert 'id="tuning"' in page
    assert "mathdefault" not in page  # ticks of the rate are plain numbers
    assert 'id="tuning"' not in render(Material(make_comparison(), places))
