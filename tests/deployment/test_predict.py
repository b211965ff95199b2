"""The table that `medtransfer predict` writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.model import find_model
from medtransfer.deployment.predict import compute_of, predict_files
from medtransfer.deployment.predictor import Predictor
from medtransfer.util.errors import UserError


def test_a_row_an_image_with_the_mean_over_runs(finished: Path, tmp_path: Path) -> None:
    prepared, model = Prepared(finished / "data/prepared"), find_model("tiny", root=finished)
    paths = prepared.table["path"][:40]
    assert predict_files(model, [finished / "data/raw" / path for path in paths], tmp_path / "new/a.csv") == []
    table = pd.read_csv(tmp_path / "new/a.csv")
    assert list(table) == ["path", "predicted", *(f"p_{name}" for name in prepared.classes)]
    assert list(table["path"]) == [str(finished / "data/raw" / path) for path in paths]
    predictor = Predictor(model.folder, model.runs, compute_of(model.card))
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


def test_unreadable_files_are_returned_and_the_others_written(finished: Path, tmp_path: Path) -> None:
    Image.new("L", (40, 30), 100).save(tmp_path / "good, with a comma.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    files = [tmp_path / "bad.png", tmp_path / "good, with a comma.png"]
    (line,) = predict_files(find_model("tiny", root=finished), files, tmp_path / "a.csv")
    assert line.startswith(f"{tmp_path}/bad.png: unreadable: ")
    assert list(pd.read_csv(tmp_path / "a.csv")["path"]) == [str(files[1])]


def test_where_no_file_can_be_read_nothing_is_written(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(UserError) as raised:
        predict_files(find_model("tiny", root=finished), [tmp_path / "bad.png"], tmp_path / "a.csv")
    assert raised.value.problems[1] == f"none of 1 files could be read; {tmp_path}/a.csv is not written"
    assert [path.name for path in tmp_path.iterdir()] == ["bad.png"]


def test_masks_are_written_at_the_size_of_their_images(of_masks: Path, tmp_path: Path) -> None:
    prepared, model = Prepared(of_masks / "data/prepared"), find_model("tiny", root=of_masks)
    files = [of_masks / "data/raw" / path for path in prepared.table["path"][:3]]
    predict_files(model, files, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table) == ["path", "mask", "share_foreground"]
    expected = Predictor(model.folder, model.runs, compute_of(model.card)).answers(prepared.images[:3])
    assert 0 < np.count_nonzero(expected) < expected.size
    for line, mask in zip(table.itertuples(), expected, strict=True):
        written = Image.open(line.mask)
        assert written.size == (48, 48)
        np.testing.assert_array_equal(np.asarray(written), np.asarray(Image.fromarray(mask).resize((48, 48), 0)))
        assert set(np.unique(np.asarray(written.convert("L")))) <= {0, 255}
        assert line.share_foreground == pytest.approx(np.mean(np.asarray(written)), abs=1e-5)
    assert Path(table["mask"][0]).parent == tmp_path / "a_masks"
