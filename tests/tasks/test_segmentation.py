"""Segmentation: its scores by hand, its networks, and whole trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from builders import tiny_inputs, tiny_pairs
from PIL import Image

from medtransfer.data.images.packed import IGNORED
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import load_run
from medtransfer.models.assemble import Weights
from medtransfer.models.network import Normalise
from medtransfer.models.weights_card import without_weights
from medtransfer.study import Backbone, Loss, Policy, Strategy, Variant
from medtransfer.tasks import TASKS
from medtransfer.tasks.masks.predictions import decode_mask
from medtransfer.training.loop import Epoch
from medtransfer.training.model_files import read_card
from medtransfer.training.runs import Inputs, job_key
from medtransfer.training.variant import train_variant
from medtransfer.util.files import sha256_of_folder

TASK = TASKS["segmentation"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_pairs(tmp_path_factory.mktemp("pairs"))


def train(inputs: Inputs, folder: Path) -> list[Epoch]:
    heard: list[Epoch] = []
    train_variant(inputs, folder / "model", folder / "cost.json", lambda fold, seed, epoch: heard.append(epoch))
    return heard


def logits_of(masks: list[list[int]], classes: int) -> torch.Tensor:
    """Return logits [n, classes, 1, w] that say the class numbers of masks of one row each."""
    return torch.eye(classes)[torch.tensor(masks)].movedim(-1, 1)[:, :, None]


def test_the_score_is_dice_by_image_averaged_over_classes() -> None:
    truth = [[1, 1, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    guess = [[1, 0, 2, 2], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    found = TASK.scores(logits_of(guess, 3), torch.tensor(truth, dtype=torch.uint8)[:, None])
    assert found.tolist() == pytest.approx([(2 / 3 + 2 / 3) / 2, 1.0, 0.5, 0.5])


def test_ignored_pixels_do_not_count_in_the_score() -> None:
    truth = torch.tensor([[1, 1, 0, IGNORED, IGNORED]], dtype=torch.uint8)[:, None]
    for guess in ([1, 0, 0, 1, 1], [1, 0, 0, 0, 1]):
        assert TASK.scores(logits_of([guess], 2), truth).tolist() == pytest.approx([2 / 3])


@pytest.mark.slow
def test_a_training_learns_and_reports_dice(prepared: Prepared, tmp_path: Path) -> None:
    inputs = tiny_inputs(prepared, loss="dice_cross_entropy", epochs=25, batch_size=4, lr=3e-3)
    epochs = train(inputs, tmp_path)
    assert epochs[24].train_score > epochs[0].train_score + 0.15
    assert epochs[24].train_loss < 0.7 * epochs[0].train_loss
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    assert {"train_dice", "validation_dice"} <= set(history)
    assert history["validation_dice"].between(0, 1).all()
    card = read_card(tmp_path / "model")
    assert (card["task"], card["classes"]) == ("segmentation", ["background", "foreground"])


def test_two_trainings_are_equal_and_so_is_a_loaded_one(prepared: Prepared, tmp_path: Path) -> None:
    policy = {"transforms": [{"HorizontalFlip": {"p": 0.5}}], "views": 2, "mix": {"method": "cutmix"}}
    inputs = tiny_inputs(prepared, policy, loss="dice", dropout=0.2, epochs=2)
    for name in ("one", "two"):
        train(inputs, tmp_path / name)
    assert sha256_of_folder(tmp_path / "one/model") == sha256_of_folder(tmp_path / "two/model")
    network = load_run(tmp_path / "one/model", 0, 1)
    pixels = torch.from_numpy(np.array(prepared.images[:2])).permute(0, 3, 1, 2)
    logits = network(pixels)
    assert logits.shape == (2, 2, 32, 32)
    assert torch.equal(logits, load_run(tmp_path / "two/model", 0, 1)(pixels))


def test_other_masks_are_another_training(prepared: Prepared, tmp_path: Path) -> None:
    other = tiny_pairs(tmp_path)
    masks = np.load(other.folder / "masks.npy")
    about = other.about | {"masks": other.about["masks"] | {"sha256": "0" * 64}}
    changed = Prepared(other.folder)
    vars(changed)["about"] = about
    assert masks.shape == (len(other.table), 32, 32)
    assert job_key(tiny_inputs(other)) == job_key(tiny_inputs(prepared)) != job_key(tiny_inputs(changed))


@pytest.fixture(scope="module")
def partly_ignored(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Return the same set, where the upper half of each mask has the value of pixels to ignore."""
    folder = tmp_path_factory.mktemp("ignored")
    return tiny_pairs(folder, ignore=128, change=hide_the_upper_half)


def hide_the_upper_half(raw: Path) -> None:
    for path in (raw / "masks").rglob("*.png"):
        mask = np.asarray(Image.open(path)).copy()
        mask[: len(mask) // 2] = 128
        Image.fromarray(mask).save(path)


def test_ignored_pixels_reach_neither_answers_nor_scores_nor_weights(partly_ignored: Prepared, tmp_path: Path) -> None:
    masks = np.asarray(partly_ignored.masks)
    assert (masks[:, :16] == IGNORED).all()
    assert set(np.unique(masks[:, 16:])) == {0, 1}
    assert partly_ignored.ignores
    rows = partly_ignored.roles(0)
    loss = TASK.loss(Loss(class_weights="balanced"), partly_ignored, rows.train)
    pixels = np.bincount(masks[rows.train][:, 16:].ravel(), minlength=2)
    np.testing.assert_allclose(loss.weight.numpy(), pixels.sum() / (2 * pixels), rtol=1e-6)  # type: ignore[union-attr]
    for name in TASK.baselines:
        for frame in TASK.baseline_frames(name, partly_ignored):
            assert all(decode_mask(mask).max() <= 1 for mask in frame["mask"])
            assert (frame["found_pixels"] <= 16 * 32).all()
    epochs = train(tiny_inputs(partly_ignored, loss="dice_cross_entropy", epochs=6, batch_size=4, lr=3e-3), tmp_path)
    assert epochs[5].train_loss < 0.9 * epochs[0].train_loss


def test_classes_are_weighted_by_the_pixels_of_the_training_masks(prepared: Prepared) -> None:
    rows = prepared.roles(0).train
    loss = TASK.loss(Loss(class_weights="balanced"), prepared, rows)
    pixels = np.bincount(np.asarray(prepared.masks)[rows].ravel(), minlength=2)
    np.testing.assert_allclose(loss.weight.numpy(), pixels.sum() / (2 * pixels), rtol=1e-6)  # type: ignore[union-attr]


@pytest.mark.parametrize("train_part", ["all", "head"])
def test_a_pretrained_encoder_starts_with_its_weights_and_can_be_frozen(train_part: str) -> None:
    source = torch.nn.Module()
    from medtransfer.models.families import build_backbone

    torch.manual_seed(7)
    source = build_backbone("resnet18", 64)
    strategy = Strategy.model_validate({"train": train_part})
    variant = Variant("v", "resnet18", Backbone(weights="x.pth"), "s", strategy, "none", Policy(transforms=[]))
    weights = Weights(source.state_dict(), without_weights("resnet18"), Path("x.pth"))
    network = TASK.assemble(variant, weights, 3, 64, Normalise((0.5,) * 3, (0.2,) * 3), (0, 0)).train()
    for name, tensor in network.body.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name]), name
    before = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
    logits = network(torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8))
    assert logits.shape == (2, 3, 64, 64)
    moved = any(not torch.equal(tensor, before[name]) for name, tensor in network.body.state_dict().items())
    assert moved == (train_part == "all")  # the statistics of batch norm
    assert all(p.requires_grad == (train_part == "all") for p in network.body.parameters())
    assert all(p.requires_grad for p in network.head.parameters())


def test_the_joint_answer_is_by_the_mean_of_probabilities() -> None:
    sure, unsure = torch.tensor([4.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    logits = [row.view(1, 3, 1, 1).expand(1, 3, 2, 2) for row in (sure, unsure, unsure)]
    assert TASK.joint_answers(logits[:1], Loss()).tolist() == [[[0, 0], [0, 0]]]
    assert TASK.joint_answers(logits[1:], Loss()).tolist() == [[[1, 1], [1, 1]]]
    mean = (torch.stack([sure, unsure, unsure]).softmax(dim=1)).mean(dim=0)
    assert TASK.joint_answers(logits, Loss())[0, 0, 0] == mean.argmax()
    assert sum(row.argmax() == mean.argmax() for row in (sure, unsure, unsure)) == 1


def test_the_answer_of_one_run_is_by_its_logits_even_if_probabilities_tie() -> None:
    logits = torch.tensor([[0.0, 1e-9, -5.0]]).view(1, 3, 1, 1)
    assert TASK.probabilities(logits, Loss()).flatten().argmax() == 0
    assert TASK.joint_answers([logits], Loss()).item() == TASK.answers(logits, Loss()).item() == 1
