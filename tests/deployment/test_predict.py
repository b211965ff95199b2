"""The table that `medtransfer predict` writes, with masks or maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import COMPUTE
from PIL import Image

from medtransfer.cli import main
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.explain.explainer import open_explainer
from medtransfer.deployment.explain.sheet import overlay
from medtransfer.deployment.model import find_model
from medtransfer.deployment.predict import MapOptions, predict_files
from medtransfer.deployment.predictor import Predictor
from medtransfer.deployment.tables import LONGEST
from medtransfer.deployment.trained import load_run
from medtransfer.util.errors import UserError


def test_the_table_has_one_row_per_image_with_the_mean_over_runs(finished: Path, tmp_path: Path) -> None:
    prepared, model = Prepared(finished / "data/prepared"), find_model("tiny", root=finished)
    paths = prepared.table["path"][:40]
    assert predict_files(model, [finished / "raw" / path for path in paths], tmp_path / "new/a.csv") == []
    table = pd.read_csv(tmp_path / "new/a.csv")
    assert list(table) == ["path", "predicted", *(f"p_{name}" for name in prepared.classes)]
    assert list(table["path"]) == [str(finished / "raw" / path) for path in paths]
    predictor = Predictor(model.folder, model.runs, model.compute())
    batches = [prepared.images[:32], prepared.images[32:40]]
    expected = np.concatenate([predictor.answers(batch) for batch in batches])
    found = table.iloc[:, 2:].to_numpy(np.float32)
    assert np.array_equal(found.view(np.uint32), expected.view(np.uint32))
    assert list(table["predicted"]) == [prepared.classes[number] for number in expected.argmax(axis=1)]


def test_a_colour_image_is_the_same_as_its_grey_one(finished: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    colour.save(tmp_path / "colour.png")
    colour.convert("L").save(tmp_path / "grey.png")
    files = [tmp_path / "colour.png", tmp_path / "grey.png"]
    predict_files(find_model("tiny", root=finished), files, tmp_path / "a.csv")
    first, second = pd.read_csv(tmp_path / "a.csv").drop(columns="path").to_numpy()
    assert list(first) == list(second)


def test_several_variants_are_averaged_if_they_see_the_same(finished: Path, tmp_path: Path) -> None:
    Image.new("L", (40, 30), 100).save(tmp_path / "a.png")
    model, files = find_model("tiny", root=finished), [tmp_path / "a.png"]
    runs = [replace(model, runs=[run]) for run in model.runs]
    predict_files(model, files, tmp_path / "mean.csv")
    predict_files(runs[0], files, tmp_path / "joint.csv", others=runs[1:])  # a run each: the mean of all
    mean, joint = (pd.read_csv(tmp_path / f"{name}.csv").filter(like="p_").to_numpy() for name in ("mean", "joint"))
    assert np.allclose(mean, joint, atol=1e-6)
    other = replace(model, card=model.card | {"image_size": 64})
    with pytest.raises(UserError, match="its image_size is 64, but tiny has"):
        predict_files(model, files, tmp_path / "b.csv", others=[other])


def test_unreadable_files_are_returned_and_the_others_written(finished: Path, tmp_path: Path) -> None:
    Image.new("L", (40, 30), 100).save(tmp_path / "good, with a comma.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    files = [tmp_path / "bad.png", tmp_path / "good, with a comma.png"]
    (line,) = predict_files(find_model("tiny", root=finished), files, tmp_path / "a.csv")
    assert line.startswith(f"{tmp_path}/bad.png: unreadable: ")
    assert list(pd.read_csv(tmp_path / "a.csv")["path"]) == [str(files[1])]


def test_nothing_is_written_if_no_file_can_be_read(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(UserError) as raised:
        predict_files(find_model("tiny", root=finished), [tmp_path / "bad.png"], tmp_path / "a.csv")
    assert raised.value.problems[1] == f"{tmp_path}/a.csv: not written, as none of 1 file could be read"
    assert [path.name for path in tmp_path.iterdir()] == ["bad.png"]


def test_masks_are_written_at_the_size_of_their_images(of_masks: Path, tmp_path: Path) -> None:
    prepared, model = Prepared(of_masks / "data/prepared"), find_model("tiny", root=of_masks)
    files = [of_masks / "raw" / path for path in prepared.table["path"][:3]]
    predict_files(model, files, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table) == ["path", "mask", "share_foreground"]
    expected = Predictor(model.folder, model.runs, model.compute()).answers(prepared.images[:3])
    assert 0 < np.count_nonzero(expected) < expected.size
    for line, mask in zip(table.itertuples(), expected, strict=True):
        written = Image.open(line.mask)
        assert written.size == (48, 48)
        np.testing.assert_array_equal(np.asarray(written), np.asarray(Image.fromarray(mask).resize((48, 48), 0)))
        assert set(np.unique(np.asarray(written.convert("L")))) <= {0, 255}
        assert line.share_foreground == pytest.approx(np.mean(np.asarray(written)), abs=1e-5)
    assert Path(table["mask"][0]).parent == tmp_path / "a_masks"


def test_there_is_one_map_per_image_the_mean_over_runs_and_the_table_is_otherwise_unchanged(
    finished: Path, tmp_path: Path
) -> None:
    prepared, model = Prepared(finished / "data/prepared"), find_model("tiny", root=finished)
    files = [finished / "raw" / path for path in prepared.table["path"][:3]]
    predict_files(model, files, tmp_path / "plain.csv")
    predict_files(model, files, tmp_path / "a.csv", MapOptions("occlusion"))
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


def test_a_map_has_the_aspect_ratio_of_its_image_and_a_limited_size(finished: Path, tmp_path: Path) -> None:
    Image.new("L", (60, 30), 100).save(tmp_path / "wide.png")
    Image.new("RGB", (1000, 2 * LONGEST), (90, 20, 30)).save(tmp_path / "large.jpg")
    model = find_model("tiny", run="fold0_seed1", root=finished)
    predict_files(model, [tmp_path / "wide.png", tmp_path / "large.jpg"], tmp_path / "a.csv", MapOptions())
    sizes = [Image.open(path).size for path in pd.read_csv(tmp_path / "a.csv")["map"]]
    assert sizes == [(60, 30), (500, LONGEST)]


@pytest.mark.parametrize(
    ("maps", "problem"),
    [
        (MapOptions("gradcam"), "--method: no explanation method 'gradcam'; did you mean 'grad_cam'?"),
        (MapOptions(block="features.77"), "--block: no block 'features.77'; did you mean 'features.7'?"),
    ],
)
def test_an_unknown_method_or_block_is_an_error_and_nothing_is_written(
    finished: Path, tmp_path: Path, maps: MapOptions, problem: str
) -> None:
    Image.new("L", (60, 30), 100).save(tmp_path / "wide.png")
    with pytest.raises(UserError) as caught:
        predict_files(find_model("tiny", root=finished), [tmp_path / "wide.png"], tmp_path / "a.csv", maps)
    assert str(caught.value) == problem
    assert [path.name for path in tmp_path.iterdir()] == ["wide.png"]


def test_a_model_of_masks_cannot_be_explained(of_masks: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="maps need a model that predicts one class of each image, which tiny does not"):
        predict_files(find_model("tiny", root=of_masks), [tmp_path / "a.png"], tmp_path / "a.csv", MapOptions())


def test_the_command_writes_maps_with_explain(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (60, 30), 100).save(tmp_path / "wide.png")
    monkeypatch.chdir(finished)
    arguments = ["predict", "tiny", str(tmp_path / "wide.png"), "-o", str(tmp_path / "a.csv")]
    main(arguments)
    assert not (tmp_path / "a_maps").exists()
    main([*arguments, "--explain", "--method", "occlusion"])
    assert (tmp_path / "a_maps" / "wide_map.png").exists()
