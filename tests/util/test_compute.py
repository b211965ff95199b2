"""`training.precision: auto` chooses the faster precision, measured once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import COMPUTE, assembled

from medtransfer.models.network import Network
from medtransfer.util import compute as precision
from medtransfer.util.compute import Compute, in_precision

SIZE = 32


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def with_speedup(monkeypatch: pytest.MonkeyPatch, speedup: float, disturbed: str = "") -> list[str]:
    """Fake the speed-up of bfloat16, with every second step in `disturbed` slow; the list grows with each step."""
    asked: list[str] = []

    def seconds(compute: Compute, *_: object) -> float:
        asked.append(compute.precision)
        usual = 1e-3 if compute.precision == "bfloat16" else 1e-3 * speedup
        return 50 * usual if compute.precision == disturbed and asked.count(disturbed) % 2 else usual

    monkeypatch.setattr(precision, "_timed_step", seconds)
    return asked


def network(train: str = "all") -> Network:
    return assembled("cnn_small", "linear", SIZE, train)


def chosen(wanted: str, train: str = "all", size: int = SIZE) -> str:
    return in_precision(COMPUTE, wanted, network(train), 1, size).precision


@pytest.mark.parametrize(("speedup", "expected"), [(0.1, "float32"), (1.1, "float32"), (2.0, "bfloat16")])
def test_auto_chooses_bfloat16_if_it_is_fast_enough(
    monkeypatch: pytest.MonkeyPatch, speedup: float, expected: str
) -> None:
    with_speedup(monkeypatch, speedup)
    assert chosen("auto") == expected


@pytest.mark.parametrize("disturbed", ["float32", "bfloat16"])
@pytest.mark.parametrize(("speedup", "expected"), [(0.5, "float32"), (2.0, "bfloat16")])
def test_other_load_does_not_change_the_choice(
    monkeypatch: pytest.MonkeyPatch, speedup: float, expected: str, disturbed: str
) -> None:
    with_speedup(monkeypatch, speedup, disturbed)
    assert chosen("auto") == expected


def test_a_measurement_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with_speedup(monkeypatch, 2.0)
    assert chosen("auto") == "bfloat16"
    asked = with_speedup(monkeypatch, 0.1)
    assert chosen("auto") == "bfloat16"
    assert not asked


def test_a_different_strategy_size_or_thread_count_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with_speedup(monkeypatch, 2.0)
    assert chosen("auto") == "bfloat16"
    with_speedup(monkeypatch, 0.5)
    assert chosen("auto", train="head") == "float32"
    assert chosen("auto", size=SIZE * 2) == "float32"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    assert chosen("auto") == "float32"


@pytest.mark.parametrize(("speedup", "said"), [(0.05, "20.0 times as long"), (1.5, "")])
def test_a_requested_precision_is_used_with_a_notice_if_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], speedup: float, said: str
) -> None:
    with_speedup(monkeypatch, speedup)
    assert chosen("bfloat16") == "bfloat16"
    written = capsys.readouterr().err
    assert said in written
    assert bool(written) == bool(said)


def test_float32_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = with_speedup(monkeypatch, 2.0)
    assert chosen("float32") == "float32"
    assert not asked


@pytest.mark.parametrize("train", ["all", "head"])
def test_measuring_changes_neither_the_network_nor_the_random_state(train: str) -> None:
    one = network(train)
    before = {name: value.clone() for name, value in one.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    in_precision(COMPUTE, "auto", one, 1, SIZE)
    torch.testing.assert_close(torch.rand(4), expected, rtol=0, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())
    assert not any(parameter.grad is not None for parameter in one.parameters())
    assert not one.training
