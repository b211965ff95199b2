"""What running a network costs: counted right, measured once, and anew for another network or size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import COMPUTE, assembled

from medtransfer.models.network import count_multiply_adds
from medtransfer.training import variant as module
from medtransfer.training.variant import running_cost
from medtransfer.util.compute import Compute


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def test_it_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = assembled("cnn_small", "linear", 32)
    first = running_cost(network, 32, 1, COMPUTE)
    assert first.multiply_adds == count_multiply_adds(network, 32)
    assert 0 < first.seconds_an_image < 1
    monkeypatch.setattr(module, "_latency", lambda *_: pytest.fail("timed again"))
    torch.manual_seed(9)  # other weights cost the same
    assert running_cost(assembled("cnn_small", "linear", 32), 32, 1, COMPUTE) == first
    assert len(list((tmp_path / ".medtransfer" / "costs").iterdir())) == 1


def test_what_may_cost_something_else_is_measured_anew(tmp_path: Path) -> None:
    network = assembled("cnn_small", "linear", 32)
    running_cost(network, 32, 1, COMPUTE)
    running_cost(network, 32, 3, COMPUTE)
    running_cost(network, 48, 1, COMPUTE)
    running_cost(network, 32, 1, Compute(COMPUTE.device, "bfloat16"))
    running_cost(assembled("cnn_small", "mlp", 32), 32, 1, COMPUTE)
    running_cost(assembled("cnn_large", "linear", 32), 32, 1, COMPUTE)
    assert len(list((tmp_path / ".medtransfer" / "costs").iterdir())) == 6


def test_a_network_in_training_is_timed_as_it_predicts() -> None:
    network = assembled("cnn_small", "linear", 32).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    running_cost(network, 32, 1, COMPUTE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
