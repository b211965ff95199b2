"""The cost of prediction: measured once, and again for another network or size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import COMPUTE, assembled

from medtransfer.models.network import count_multiply_adds
from medtransfer.training import variant as module
from medtransfer.training.variant import running_cost
from medtransfer.util.compute import Compute


def test_it_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = assembled("cnn_small", "linear", 32)
    first = running_cost(network, 32, 1, COMPUTE)
    assert first["multiply_adds"] == count_multiply_adds(network, 32)
    assert 0 < first["seconds_an_image"] < 1
    monkeypatch.setattr(module, "_latency", lambda *_: pytest.fail("timed again"))
    torch.manual_seed(9)  # other weights cost the same
    assert running_cost(assembled("cnn_small", "linear", 32), 32, 1, COMPUTE) == first
    assert len(list((tmp_path / ".medtransfer" / "costs").iterdir())) == 1


def test_another_network_size_or_precision_is_measured_again(tmp_path: Path) -> None:
    network = assembled("cnn_small", "linear", 32)
    running_cost(network, 32, 1, COMPUTE)
    running_cost(network, 32, 3, COMPUTE)
    running_cost(network, 48, 1, COMPUTE)
    running_cost(network, 32, 1, Compute(COMPUTE.device, "bfloat16"))
    running_cost(assembled("cnn_small", "mlp", 32), 32, 1, COMPUTE)
    running_cost(assembled("cnn_large", "linear", 32), 32, 1, COMPUTE)
    assert len(list((tmp_path / ".medtransfer" / "costs").iterdir())) == 6


def test_a_network_in_train_mode_is_timed_in_eval_mode() -> None:
    network = assembled("cnn_small", "linear", 32).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    running_cost(network, 32, 1, COMPUTE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
