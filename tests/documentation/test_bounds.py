"""The table of bounds: it reads what the tables of results say, and hides no miss."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.documentation.pages import ROOT

TABLE = """\
| trial  | ratio | seconds |
| ------ | ----: | ------: |
| one, a |  1.5  |   1,200 |
| one, b |  .8   |      30 |
| two    |  2    |       – |

Faults: 3.
"""


@pytest.fixture(scope="module")
def bounds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bounds", ROOT / "benchmarks/bounds.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["bounds"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("where", "ends", "figures", "worst", "within"),
    [
        (("^one", "ratio"), {"least": 1.0}, [1.5, 0.8], [0.8], 1),
        (("^one", "seconds"), {"most": 1000.0}, [1200.0, 30.0], [1200.0], 1),
        (("^(one|two)", "ratio"), {"least": 1.0, "most": 3.0}, [1.5, 0.8, 2.0], [0.8, 2.0], 2),
        (("^two", "seconds"), {"most": 5.0}, [], [], 0),
        ((r"Faults: (\d+)", None), {"most": 0.0}, [3.0], [3.0], 0),
        (("^three", "ratio"), {"least": 1.0}, [], [], 0),
    ],
)
def test_a_bound_reads_its_figures_and_judges_by_the_worst(
    bounds: ModuleType,
    where: tuple[str, str | None],
    ends: dict[str, float],
    figures: list[float],
    worst: list[float],
    within: int,
) -> None:
    bound = bounds.Bound("a figure", "table", *where, **ends)

    assert bound.figures(TABLE) == figures
    assert (bound.worst(figures) if figures else []) == worst
    assert bound.within(figures) == within


def test_a_missing_table_is_not_measured(bounds: ModuleType, tmp_path: Path) -> None:
    page = bounds.page(tmp_path, [bounds.Bound("a figure", "nowhere", "^one", "ratio", 1.0)])

    assert "not measured" in page
    assert "0 are met, 0 missed and 1 not measured" in page


def test_every_bound_names_a_table_that_exists(bounds: ModuleType) -> None:
    missing = {bound.file for bound in bounds.BOUNDS if not (bounds.RESULTS / f"{bound.file}.md").is_file()}

    assert missing == set()
