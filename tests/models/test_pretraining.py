"""Pretraining on simulated images is done once for all studies of a user."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import COMPUTE
from safetensors.torch import load_file

from medtransfer.models import pretraining
from medtransfer.models.assemble import read_weights
from medtransfer.study import Pretraining

SPEC = Pretraining(images=64, size=32, epochs=1)


def test_a_second_study_reads_what_the_first_has_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDTRANSFER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "first"))
    network, card = pretraining.pretrain("cnn_small", SPEC, 3, COMPUTE)
    folder = pretraining.shared_pretraining("cnn_small", SPEC, 3, COMPUTE, "float32")
    assert folder.is_relative_to(tmp_path / "cache")
    state = load_file(folder / "weights.safetensors")
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert read_weights(folder).card == card
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "second"))
    monkeypatch.setattr(pretraining, "pretrain", None)
    assert pretraining.shared_pretraining("cnn_small", SPEC, 3, COMPUTE, "float32") == folder
    with pytest.raises(TypeError):  # another seed is another pretraining
        pretraining.shared_pretraining("cnn_small", SPEC, 4, COMPUTE, "float32")
