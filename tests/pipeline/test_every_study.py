"""Every ready-made study, shrunk, runs through DVC from `medtransfer use` to the table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from medtransfer.statistics.metrics import METRICS
from medtransfer.study.use import read_study

from .conftest import Project, write_weights
from .shrunk import LAYOUTS, changes, lay_out, pictures, pretrained

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))


def test_every_study_of_images_has_a_shrunk_set() -> None:
    assert {path.stem for path in STUDIES if read_study(path).params.data.source != "phantom"} == set(LAYOUTS)


@pytest.mark.slow
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_runs_from_use_to_the_table(fresh: Project, tmp_path: Path, root: Path, path: Path) -> None:
    source = read_study(path).params.data.source
    if source != "phantom":
        lay_out(path.stem, pictures(tmp_path / "simulated"), fresh.folder / "mine")
    for name, model in pretrained(read_study(path).params).items():
        write_weights(model, fresh.folder / f"{name}.safetensors")
    fresh.write(f"studies/{path.name}", path.read_text(encoding="utf-8"))
    fresh.run("medtransfer", "use", path.stem, *(part for change in changes(path) for part in ("-S", change)))
    fresh.run("medtransfer", "repro", "-j", "2")
    variants = set(read_study(fresh.folder / "params.yaml").variants)
    table = pd.read_csv(fresh.folder / "metrics/comparison.csv")
    assert set(table["variant"][table["kind"] == "variant"]) == variants
    metric = read_study(path).params.comparison.metric
    bounds = METRICS[metric].bounds
    assert table[metric][table["kind"] == "variant"].between(bounds.low, bounds.high).all()
