"""The page of a finished study: its tables, figures and how to reproduce them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtransfer.comparison.cost import cost_page
from medtransfer.comparison.pages import comparison_page
from medtransfer.report.page import write_report
from medtransfer.report.results import write_results
from medtransfer.study import load_study
from medtransfer.study.use import use_study
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_text
from medtransfer.util.places import Places
from medtransfer.util.text import duration

from .comparison import make_comparison

STUDIES = Path(__file__).parents[2] / "studies"
CHANGE = "data.image_size=64"


@pytest.fixture
def finished(places: Places) -> Places:
    """Return a study that `compare` has finished, with the parameters of `phantom` and a change."""
    found = make_comparison()
    write_text(places.results / "comparison.md", comparison_page(found))
    write_text(places.results / "cost.md", cost_page(found.costs))
    write_report(found, places)
    use_study("phantom", [CHANGE], STUDIES, places.root / "params.yaml")
    names = list(load_study(places.root / "params.yaml").variants)
    costs = found.costs.iloc[np.arange(len(names)) % len(found.costs)].assign(variant=names)
    costs.to_csv(places.results / "cost.csv", index=False)
    return places


def test_the_page_has_tables_figures_costs_and_the_command(finished: Places, tmp_path: Path) -> None:
    path = write_results(STUDIES, finished.root / "params.yaml", finished, tmp_path / "results")
    assert path == tmp_path / "results" / "phantom.md"
    text = path.read_text(encoding="utf-8")
    assert text.startswith((finished.results / "comparison.md").read_text(encoding="utf-8").strip())
    figures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    figures = [figure for figure in figures if "/maps-" not in figure]
    assert figures == [f"phantom/{name}.png" for name in ("comparison", "size", "learning")]
    for figure in figures:
        assert (path.parent / figure).read_bytes() == (finished.plots / "figures" / Path(figure).name).read_bytes()
    assert "## Cost" in text
    assert f"```\nmedtransfer use phantom -S {CHANGE}\ndvc repro\nmedtransfer results\n```" in text
    spent = duration(pd.read_csv(finished.results / "cost.csv")["stage_seconds"].sum())
    assert f"All training stages together took {spent} min." in text
    assert len(re.findall("^# ", text, flags=re.MULTILINE)) == 1


def test_tables_of_another_study_are_not_taken_for_its_own(finished: Places, tmp_path: Path) -> None:
    """A clone has the tables of the default study, which a run that failed leaves where they are."""
    use_study("hc18", [], STUDIES, finished.root / "params.yaml")
    with pytest.raises(
        UserError, match=r"cost\.csv has other variants than .*: the study is not finished; run `dvc repro`"
    ):
        write_results(STUDIES, finished.root / "params.yaml", finished, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_study_of_another_name_has_a_page_of_its_own(finished: Places, tmp_path: Path) -> None:
    use_study("phantom", ["study.name=another"], STUDIES, finished.root / "params.yaml")
    path = write_results(STUDIES, finished.root / "params.yaml", finished, tmp_path)
    assert path.name == "another.md"
    assert "(another/comparison.png)" in path.read_text(encoding="utf-8")


def test_predicted_masks_and_contact_sheets_are_figures_too(finished: Places, tmp_path: Path) -> None:
    for name in ("figures/masks-unet8.png", "explain/resnet18_frozen.png"):
        (finished.plots / name).parent.mkdir(exist_ok=True)
        (finished.plots / name).write_bytes(name.encode())
    path = write_results(STUDIES, finished.root / "params.yaml", finished, tmp_path / "results")
    text = path.read_text(encoding="utf-8")
    assert "![Masks predicted by unet8](phantom/masks-unet8.png)" in text
    assert "![Where resnet18_frozen looks](phantom/maps-resnet18_frozen.png)" in text
    assert (path.parent / "phantom" / "masks-unet8.png").read_bytes() == b"figures/masks-unet8.png"


def test_a_page_is_replaced_whole(finished: Places, tmp_path: Path) -> None:
    path = write_results(STUDIES, finished.root / "params.yaml", finished, tmp_path / "results")
    (finished.plots / "figures" / "size.png").unlink()
    write_results(STUDIES, finished.root / "params.yaml", finished, tmp_path / "results")
    assert not (path.parent / "phantom" / "size.png").exists()
    assert "size.png" not in path.read_text(encoding="utf-8")


def test_a_study_that_is_not_finished_has_no_page(places: Places, tmp_path: Path) -> None:
    shutil.copy(STUDIES / "phantom.yaml", places.root / "params.yaml")
    with pytest.raises(UserError, match="run `dvc repro` first"):
        write_results(STUDIES, places.root / "params.yaml", places, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_parameters_that_no_command_makes_have_no_page(finished: Places, tmp_path: Path) -> None:
    params = finished.root / "params.yaml"
    params.write_text(params.read_text().replace("image_size: 64", "image_size: 48"))
    with pytest.raises(UserError, match="make your changes with -S"):
        write_results(STUDIES, params, finished, tmp_path / "results")
    assert not (tmp_path / "results").exists()
