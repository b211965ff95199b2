"""The joint answer of several networks for the class of an image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medtransfer.study import Loss
from medtransfer.tasks import TASKS

TASK = TASKS["classification"]


@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy"])
def test_the_joint_answer_of_one_network_is_its_own_to_the_bit(kind: str) -> None:
    logits, loss = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), Loss.model_validate({"kind": kind})
    assert np.array_equal(TASK.joint_answers([logits], loss), TASK.answers(logits, loss))


def test_several_networks_give_the_mean_of_their_probabilities() -> None:
    first, second = torch.tensor([[0.25, 0.75]]).log(), torch.tensor([[0.5, 0.5]]).log()
    np.testing.assert_allclose(TASK.joint_answers([first, second], Loss()), [[0.375, 0.625]], rtol=1e-6)
    np.testing.assert_allclose(TASK.probabilities(first, Loss()), [[0.25, 0.75]], rtol=1e-6)
