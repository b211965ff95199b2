"""Losses of findings by hand, and what they do with unknown ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from medtransfer.study import Loss
from medtransfer.tasks import TASKS
from medtransfer.tasks.findings.losses import FINDING_LOSSES, FindingLoss

VALUES = np.array([[1, 0], [0, 0], [0, np.nan], [0, 1]], np.float32)


@pytest.mark.parametrize("kind", list(FINDING_LOSSES))
def test_unknown_findings_have_no_part_in_loss_gradient_or_score(kind: str) -> None:
    loss = FindingLoss(Loss.model_validate({"kind": kind}), VALUES)
    logits = torch.tensor([[0.5, 100.0], [-1.0, 2.0]], requires_grad=True)
    targets = torch.tensor([[1.0, torch.nan], [0.0, 1.0]])
    value = loss(logits, targets)
    value.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 1] == 0
    other = torch.tensor([[0.5, -100.0], [-1.0, 2.0]])
    assert loss(other, targets).item() == pytest.approx(value.item())
    assert TASKS["multilabel"].scores(other, targets).tolist() == [1.0, 1.0]
    assert TASKS["multilabel"].scores(-other, targets).tolist() == [0.0, 0.0]
    assert loss.takes_more_dimensions()


def test_weights_are_those_of_scikit_learn_for_each_finding() -> None:
    loss = FindingLoss(Loss(kind="binary_cross_entropy", class_weights="balanced"), VALUES)
    assert loss.constants is not None
    assert loss.constants.tolist() == pytest.approx([4 / 2, 3 / 2, 4 / 6, 3 / 4])
    logits, targets = torch.tensor([[0.3, -0.2]]), torch.tensor([[1.0, 0.0]])
    each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")[0]
    assert loss(logits, targets).item() == pytest.approx(float(2 * each[0] + 0.75 * each[1]) / 2)
    assert loss.takes_more_dimensions()


def test_focal_and_asymmetric_losses_are_those_of_their_papers() -> None:
    logits, targets = torch.tensor([[0.7, 0.7]]), torch.tensor([[1.0, 0.0]])
    p = float(torch.tensor(0.7).sigmoid())
    focal = FINDING_LOSSES["focal"](logits, targets)[0].tolist()
    assert focal == pytest.approx([-((1 - p) ** 2) * np.log(p), -(p**2) * np.log(1 - p)])
    found = FINDING_LOSSES["asymmetric"](logits, targets, gamma_present=1.0, gamma_absent=3.0, margin=0.1)[0].tolist()
    assert found == pytest.approx([-(1 - p) * np.log(p), -((p - 0.1) ** 3) * np.log(1 - (p - 0.1))])
    clear = FINDING_LOSSES["asymmetric"](torch.tensor([[-5.0]]), torch.tensor([[0.0]]))
    assert clear.item() == pytest.approx(0, abs=1e-12)
