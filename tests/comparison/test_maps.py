"""The table of maps, from the files that `explain` writes, and its text."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from medtransfer.comparison.compare import compute_comparison
from medtransfer.comparison.maps import maps_table
from medtransfer.comparison.pages import comparison_page
from medtransfer.comparison.results import MAPS
from medtransfer.study import Study
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_json
from medtransfer.util.places import Places

NAMES = [f"{name}{of}" for name in ("pointing_game", "energy_inside") for of in ("", "_untrained", "_gain")]
NAMES += ["likeness_to_untrained"]


@pytest.fixture
def explained(study_with: Callable[..., Study]) -> Study:
    """Return the study with two of its variants explained."""
    study = study_with()
    explain = study.params.explain.model_copy(update={"variants": ["weak", "strong"]})
    return Study(study.params.model_copy(update={"explain": explain}), study.variants, study.where)


def write(places: Places, name: str, masked: bool) -> None:
    figures = {figure: {"value": n / 8, "low": n / 9, "high": None} for n, figure in enumerate(NAMES)}
    share = {"value": 0.04, "low": 0.03, "high": 0.05}
    scores = {"images": 12, "groups": 5, "mask_share": share, "methods": {"grad_cam": figures, "occlusion": figures}}
    found = {"run": "fold0_seed0", "block": "layer4", "sheet": {}, "maps": scores if masked else None}
    write_json(places.explained(name), found)


def test_one_row_per_variant_and_method_and_none_without_masks(explained: Study, finished: Places) -> None:
    write(finished, "weak", masked=True)
    write(finished, "strong", masked=False)
    found = maps_table(explained, finished)
    assert list(found.columns) == list(MAPS)
    assert list(zip(found["variant"], found["method"], strict=True)) == [("weak", "grad_cam"), ("weak", "occlusion")]
    assert found[NAMES].iloc[0].tolist() == [n / 8 for n in range(7)]
    assert found[[f"{name}_low" for name in NAMES]].iloc[1].tolist() == [n / 9 for n in range(7)]
    assert found["pointing_game_high"].isna().all()


def test_the_page_has_the_table_only_if_a_variant_is_explained(
    explained: Study, study_with: Callable[..., Study], finished: Places
) -> None:
    for name in ("weak", "strong"):
        write(finished, name, masked=True)
    page = comparison_page(compute_comparison(explained, finished))
    assert "## Do maps point at the masks?" in page
    assert "| weak    | Grad-CAM " in page
    assert "12 test images with a mask (5 groups), run fold0_seed0" in page
    assert "Do maps point" not in comparison_page(compute_comparison(study_with(), finished))


def test_undefined_values_are_nan(explained: Study, finished: Places) -> None:
    """A network that gives every image the same answer has maps of nothing."""
    for name in ("weak", "strong"):
        write(finished, name, masked=True)
        found = json.loads(finished.explained(name).read_text())
        nothing = {figure: {"value": None, "low": None, "high": None} for figure in NAMES}
        found["maps"]["methods"] = {"grad_cam": nothing}
        write_json(finished.explained(name), found)
    table = maps_table(explained, finished)
    assert table[NAMES].isna().all(axis=None)
    assert all(table[name].dtype == float for name in NAMES)
    assert "–" in comparison_page(compute_comparison(explained, finished)).split("## Do maps point")[1]


def test_a_missing_file_is_an_error_with_the_command_that_makes_it(explained: Study, finished: Places) -> None:
    write(finished, "weak", masked=True)
    with pytest.raises(UserError, match=r"metrics/explain/strong\.json is missing; `dvc repro explain@strong`"):
        maps_table(explained, finished)
