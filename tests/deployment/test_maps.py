"""The maps that `medtransfer predict --explain` writes beside its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import COMPUTE
from PIL import Image

from medtransfer.cli import main
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.explain.maps import open_explainer
from medtransfer.deployment.explain.sheet import overlay
from medtransfer.deployment.model import find_model
from medtransfer.deployment.predict import predict_files
from medtransfer.deployment.predict_maps import LONGEST, Maps
from medtransfer.deployment.trained import load_run
from medtransfer.util.errors import UserError


def test_a_map_an_image_is_the_mean_over_runs_and_the_table_else_as_without(finished: Path, tmp_path: Path) -> None:
    prepared, model = Prepared(finished / "data/prepared"), find_model("tiny", root=finished)
    files = [finished / "data/raw" / path for path in prepared.table["path"][:3]]
    predict_files(model, files, tmp_path / "plain.csv")
    predict_files(model, files, tmp_path / "a.csv", Maps("occlusion"))
    table = pd.read_csv(tmp_path / "a.csv")
    pd.testing.assert_frame_equal(table.drop(columns="map"), pd.read_csv(tmp_path / "plain.csv"))
    classes = np.array([prepared.classes.index(name) for name in table["predicted"]])
    maps = []
    for fold, seed in model.runs:
        explainer = open_explainer(load_run(model.folder, fold, seed), model.card, None, "here", COMPUTE)
        found = explainer.maps("occlusion", prepared.images[:3], classes)
        maps.append([one / one.max() if one.any() else one for one in found])
    for number, mean in enumerate(np.mean(maps, axis=0)):
        laid = Image.fromarray(overlay(prepared.images[number], mean)).resize((48, 48), Image.Resampling.BICUBIC)
        written = Image.open(table["map"][number])
        np.testing.assert_array_equal(np.asarray(written), np.asarray(laid))
    assert Path(table["map"][0]).parent == tmp_path / "a_maps"


def test_a_map_has_the_shape_of_its_image_and_large_ones_are_shrunk(finished: Path, tmp_path: Path) -> None:
    Image.new("L", (60, 30), 100).save(tmp_path / "wide.png")
    Image.new("RGB", (1000, 2 * LONGEST), (90, 20, 30)).save(tmp_path / "large.jpg")
    model = find_model("tiny", run="fold0_seed1", root=finished)
    predict_files(model, [tmp_path / "wide.png", tmp_path / "large.jpg"], tmp_path / "a.csv", Maps())
    sizes = [Image.open(path).size for path in pd.read_csv(tmp_path / "a.csv")["map"]]
    assert sizes == [(60, 30), (500, LONGEST)]


@pytest.mark.parametrize(
    ("maps", "problem"),
    [
        (Maps("gradcam"), "--method: no 'gradcam'; did you mean 'grad_cam'?"),
        (Maps(block="features.77"), "--block: no block 'features.77'; did you mean 'features.7'?"),
    ],
)
def test_what_is_not_there_is_an_error_and_nothing_is_written(
    finished: Path, tmp_path: Path, maps: Maps, problem: str
) -> None:
    Image.new("L", (60, 30), 100).save(tmp_path / "wide.png")
    with pytest.raises(UserError) as caught:
        predict_files(find_model("tiny", root=finished), [tmp_path / "wide.png"], tmp_path / "a.csv", maps)
    assert str(caught.value) == problem
    assert [path.name for path in tmp_path.iterdir()] == ["wide.png"]


def test_masks_are_not_explained(of_masks: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tiny segments; maps show what speaks for a class of images"):
        predict_files(find_model("tiny", root=of_masks), [tmp_path / "a.png"], tmp_path / "a.csv", Maps())


def test_the_command_writes_maps_where_it_is_told_to_explain(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (60, 30), 100).save(tmp_path / "wide.png")
    monkeypatch.chdir(finished)
    arguments = ["predict", "tiny", str(tmp_path / "wide.png"), "-o", str(tmp_path / "a.csv")]
    main(arguments)
    assert not (tmp_path / "a_maps").exists()
    main([*arguments, "--explain", "--method", "occlusion"])
    assert (tmp_path / "a_maps" / "wide_map.png").exists()
