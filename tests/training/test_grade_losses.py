"""Losses of grades compared with their definitions, one image and one grade after the other."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import tiny_grades
from frozen import inputs_of, predictions, train
from torch.nn import functional

from medtransfer.deployment.trained import load_run
from medtransfer.study import Loss
from medtransfer.tasks import TASKS
from medtransfer.training.losses import GRADE_LOSSES, ClassLoss, coral, cumulative_logits, earth_mover, squared_error
from medtransfer.training.runs import make_job

GRADES = 4
TASK = TASKS["ordinal"]


def logits_of(width: int, images: int = 6) -> torch.Tensor:
    return torch.randn(images, width, generator=torch.Generator().manual_seed(0))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_cumulative_logits_are_corns_conditional_cross_entropies() -> None:
    logits, labels = logits_of(GRADES - 1), [0, 1, 2, 3, 3, 0]
    found = cumulative_logits(logits, functional.one_hot(torch.tensor(labels), GRADES).float())
    for value, row, label in zip(found.tolist(), logits.tolist(), labels, strict=True):
        expected = 0.0
        for grade in range(GRADES - 1):  # the task "above this grade" sees the images that have reached it
            if label >= grade:
                expected -= math.log(sigmoid(row[grade]) if label > grade else 1 - sigmoid(row[grade]))
        assert value == pytest.approx(expected, rel=1e-5)


def test_cumulative_logits_are_the_log_loss_of_their_probabilities() -> None:
    logits, labels = logits_of(GRADES - 1), torch.tensor([0, 1, 2, 3, 3, 0])
    probabilities = TASK.probabilities(logits, Loss(kind="cumulative_logits"))
    assert probabilities.shape == (6, GRADES)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(6))
    found = cumulative_logits(logits, functional.one_hot(labels, GRADES).float())
    torch.testing.assert_close(found, functional.nll_loss(probabilities.log(), labels, reduction="none"))


def test_coral_is_the_cross_entropy_of_every_step() -> None:
    logits, labels = logits_of(GRADES - 1), [0, 1, 2, 3, 3, 0]
    found = coral(logits, functional.one_hot(torch.tensor(labels), GRADES).float())
    for value, row, label in zip(found.tolist(), logits.tolist(), labels, strict=True):
        steps = [sigmoid(one) if label > grade else 1 - sigmoid(one) for grade, one in enumerate(row)]
        assert value == pytest.approx(-sum(map(math.log, steps)), rel=1e-5)


def test_probabilities_of_coral_are_differences_of_steps_that_never_rise() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    found = TASK.probabilities(logits, Loss(kind="coral"))
    above = [sigmoid(2), 0.5, sigmoid(-1)]
    expected = [1 - above[0], above[0] - 0.5, 0.5 - above[2], above[2]]
    torch.testing.assert_close(found, torch.tensor([expected, [0.5, 0.0, 0.5 - above[2], above[2]]]))


def test_a_network_of_coral_has_one_score_for_all_steps_and_is_loaded_as_it_was_trained(tmp_path: Path) -> None:
    prepared = tiny_grades(tmp_path / "set")
    inputs = inputs_of(prepared, tmp_path, {"transforms": []}, loss="coral", head="mlp", hidden=4, epochs=2, lr=0.05)
    train(inputs, tmp_path)
    network, start = load_run(tmp_path / "model", 0, 0), make_job(inputs, 0, 0).network
    score, bias = network.head[-1].score, network.head[-1].bias
    assert (score.weight.shape, bias.shape) == ((1, 4), (2,))
    assert not torch.equal(score.weight, start.head[-1].score.weight)
    assert not torch.equal(bias, start.head[-1].bias)
    torch.testing.assert_close(start.head[-1].bias.detach(), torch.tensor([1.0, 0.5]))
    found = predictions(inputs, tmp_path)
    assert found.shape[1] == 3
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_probabilities_of_exceeding_a_grade_never_rise_with_it() -> None:
    probabilities = TASK.probabilities(10 * logits_of(GRADES - 1, 50), Loss(kind="cumulative_logits"))
    assert (probabilities >= 0).all()
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(50))


def test_earth_mover_is_the_squared_distance_of_cumulative_probabilities() -> None:
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    label = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    assert earth_mover(logits, label).item() == pytest.approx(0.1**2 + (0.3 - 1) ** 2 + (0.6 - 1) ** 2)


def test_squared_error_is_that_of_the_mean_grade_and_its_neighbours_share_the_probability() -> None:
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()  # their mean is 2
    assert squared_error(logits, torch.tensor([[0.5, 0.0, 0.0, 0.5]])).item() == pytest.approx((2 - 1.5) ** 2)
    shares = torch.tensor([[0.2, 0.2, 0.3, 0.3]]).log()  # their mean is 1.7
    found = TASK.probabilities(shares, Loss(kind="squared_error"))
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.3, 0.7, 0.0]]))


@pytest.mark.parametrize("kind", list(GRADE_LOSSES))
def test_every_loss_learns_the_order_mixes_labels_and_trains_with_other_heads(kind: str) -> None:
    loss = Loss(kind=kind, label_smoothing=0.05)
    width = TASK.width(GRADES, loss)
    module = ClassLoss(loss, np.ones(GRADES, int), GRADE_LOSSES, width)
    assert module.takes_more_dimensions()
    features = torch.linspace(0, 1, 64)[:, None]
    labels = (features[:, 0] * GRADES).long().clamp_max(GRADES - 1)
    shares = functional.one_hot(labels, GRADES).float()
    mixed = 0.9 * shares + 0.1 * shares.roll(1, dims=0)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, width))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        module(net(features), mixed).backward()
        optimizer.step()
    probabilities = TASK.probabilities(net(features).detach(), loss)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(64))
    assert (probabilities.argmax(dim=1) - labels).abs().float().mean() < 0.2
