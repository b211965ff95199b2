"""Test-time augmentation against predictions of views that are made and averaged by hand, in every task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from builders import COMPUTE, pretrained, tiny_findings, tiny_grades, tiny_inputs, tiny_pairs, tiny_prepared
from PIL import Image

from medtransfer.augmentation.tta import TestTimeViews, moved_back, tta_problem
from medtransfer.cli import main
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.model import find_model
from medtransfer.deployment.predict import predict_files
from medtransfer.deployment.predictor import Predictor
from medtransfer.deployment.trained import load_run, predict_variant
from medtransfer.models.network import to_channels_first
from medtransfer.study import Policy
from medtransfer.tasks import TASKS
from medtransfer.tasks.masks.predictions import decode_mask
from medtransfer.training.runs import Inputs
from medtransfer.training.variant import train_variant
from medtransfer.util.errors import UserError

FLIP = {"transforms": [{"HorizontalFlip": {"p": 1.0}}]}
DRAWN = {"transforms": [{"Affine": {"rotate": [-20, 20]}}, {"RandomBrightnessContrast": {}}]}


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def trained(prepared: Prepared, folder: Path, policy: dict[str, Any], **strategy: Any) -> tuple[Inputs, Path]:
    inputs = replace(tiny_inputs(prepared, policy, **{"epochs": 1} | strategy), seeds=[0])
    train_variant(inputs, folder / "model", folder / "cost.json", lambda *_: None)
    return inputs, folder / "model"


def views_of(inputs: Inputs, count: int) -> TestTimeViews:
    return TestTimeViews(inputs.variant.policy, inputs.study_seed, count, 32)


def answers(inputs: Inputs, model: Path, count: int) -> pd.DataFrame:
    frames = predict_variant(inputs.variant, inputs.prepared, model, COMPUTE, views=views_of(inputs, count))
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("make", [tiny_prepared, tiny_findings, tiny_grades])
def test_probabilities_are_means_over_the_image_and_its_views(make: Callable[[Path], Prepared], tmp_path: Path) -> None:
    prepared = make(tmp_path)
    losses = {"loss": "binary_cross_entropy"} if make is tiny_findings else {}
    inputs, model = trained(prepared, tmp_path, FLIP, **losses)
    found = answers(inputs, model, 3)
    assert list(found["role"].unique()) == ["validation", "test"]
    network, images, task = load_run(model, 0, 0).to(COMPUTE.device), prepared.images[:], TASKS[prepared.task]
    with torch.inference_mode():
        plain, flipped = (
            task.probabilities(
                network(to_channels_first(np.ascontiguousarray(pixels))).cpu(), inputs.variant.strategy.loss
            ).numpy()
            for pixels in (images, images[:, :, ::-1])
        )
    expected = pd.DataFrame((plain + 2 * flipped) / 3, index=prepared.table["path"])
    assert np.abs(plain - flipped).max() > 1e-4
    columns = found.filter(like="p_").to_numpy()
    assert np.allclose(columns, expected.loc[found["path"]], atol=1e-5)


def test_masks_are_moved_back_before_they_are_averaged(tmp_path: Path) -> None:
    prepared = tiny_pairs(tmp_path)
    inputs, model = trained(prepared, tmp_path, FLIP, loss="dice", epochs=2, lr=3e-3)
    found = answers(inputs, model, 2).set_index("path")
    network, images = load_run(model, 0, 0).to(COMPUTE.device), prepared.images[:]
    with torch.inference_mode():
        plain = network(to_channels_first(images)).softmax(1)
        flipped = network(to_channels_first(np.ascontiguousarray(images[:, :, ::-1]))).softmax(1)
    mean = ((plain.double() + flipped.double().flip(-1)) / 2).cpu()
    sure = (mean[:, 0] - mean[:, 1]).abs() > 1e-5
    for row, path in enumerate(prepared.table["path"]):
        if path in found.index:
            mask = torch.from_numpy(decode_mask(found.loc[path, "mask"]))
            assert (mask == mean[row].argmax(0))[sure[row]].all()


def test_cached_features_of_views_give_the_bits_of_features_that_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = tiny_prepared(tmp_path)
    inputs = replace(
        pretrained(tiny_inputs(prepared, DRAWN, train="head", init="pretrained", epochs=1), tmp_path), seeds=[0]
    )
    train_variant(inputs, tmp_path / "model", tmp_path / "cost.json", lambda *_: None)
    kept = answers(inputs, tmp_path / "model", 3)
    monkeypatch.setattr("medtransfer.features.embedder.fits", lambda *_: False)
    pd.testing.assert_frame_equal(kept, answers(inputs, tmp_path / "model", 3))


def test_a_command_predicts_an_image_as_the_stage_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = tiny_prepared(tmp_path)
    inputs, model = trained(prepared, tmp_path, DRAWN)
    rows = prepared.roles(0).test[:5]
    expected = answers(inputs, model, 4).set_index("path").filter(like="p_").loc[prepared.table["path"].iloc[rows]]
    predictor = Predictor(model, [(0, 0)], COMPUTE, views=4)
    found = predictor.answers(prepared.images[rows])
    assert np.array_equal(found, expected.to_numpy(np.float32))
    assert np.array_equal(found[::-1], predictor.answers(prepared.images[rows[::-1]]))  # of the image, not its place
    for name, row in zip("ab", rows, strict=False):
        Image.fromarray(prepared.images[row][..., 0]).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    main(["predict", "model", "a.png", "b.png", "--views", "4", "-o", "p.csv"])
    assert np.allclose(pd.read_csv("p.csv").filter(like="p_"), expected.iloc[:2], atol=1e-6)
    for wrong in (["--views", "4", "--explain"], ["--views", "0"]):
        with pytest.raises(SystemExit, match="error: --views"):
            main(["predict", "model", "a.png", *wrong])


def test_a_number_is_the_mean_over_views(tmp_path: Path) -> None:
    several = TASKS["regression"].joint_answers([torch.tensor([[1.0], [4.0]]), torch.tensor([[2.0], [8.0]])], None)  # type: ignore[arg-type]
    assert several.tolist() == [[1.5], [6.0]]


def test_views_of_a_drawn_policy_differ_and_depend_on_seed_and_pixels_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), np.uint8)
    views = TestTimeViews(Policy.model_validate(DRAWN), 1, 3, 32)
    first, second = (views.draw(images, view)[0] for view in (1, 2))
    assert np.array_equal(views.draw(images, 0)[0], images)
    assert not np.array_equal(first, second)
    assert np.array_equal(views.draw(images[2:], 1)[0], first[2:])
    other = TestTimeViews(Policy.model_validate(DRAWN), 2, 3, 32)
    assert not np.array_equal(other.draw(images, 1)[0], first)


@pytest.mark.parametrize("name", ["HorizontalFlip", "VerticalFlip", "Transpose", "RandomRotate90", "D4"])
def test_moving_back_undoes_flips_and_turns(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 1), np.uint8)
    views = TestTimeViews(Policy(transforms=[{name: {"p": 1.0}}]), 0, 3, 32)
    drawn, places = views.draw(images, 1)
    assert not np.array_equal(drawn, images)
    moved = moved_back(torch.from_numpy(drawn).permute(0, 3, 1, 2).float(), places)
    assert np.array_equal(moved.permute(0, 2, 3, 1).numpy(), images)


def test_a_policy_without_use_is_refused() -> None:
    assert "no transforms" in str(tta_problem(Policy(transforms=[]), 32, masked=False))
    assert tta_problem(Policy.model_validate(DRAWN), 32, masked=False) is None
    assert "Affine of its augmentation moves pixels" in str(tta_problem(Policy.model_validate(DRAWN), 32, masked=True))
    right = [{"D4": {}}, {"RandomBrightnessContrast": {}}, {"GaussianBlur": {}}]
    assert tta_problem(Policy(transforms=right), 32, masked=True) is None


def test_a_model_without_views_is_refused(finished: Path, tmp_path: Path) -> None:
    Image.new("L", (40, 30), 100).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="--views: tiny: its augmentation has no transforms"):
        predict_files(find_model("tiny", root=finished), [tmp_path / "a.png"], tmp_path / "a.csv", views=2)
