"""The precision of training: the faster one where that is asked for, measured once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from medtransfer import precision
from medtransfer.compute import Compute, choose_compute
from medtransfer.study import Training

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def with_speedup(monkeypatch: pytest.MonkeyPatch, speedup: float) -> list[bool]:
    """Let bfloat16 be so many times as fast; the list grows with each measurement."""
    asked: list[bool] = []

    def seconds(_: torch.device, lower: bool) -> float:
        asked.append(lower)
        return 1.0 if lower else speedup

    monkeypatch.setattr(precision, "_step_seconds", seconds)
    return asked


def chosen(wanted: str) -> str:
    return choose_compute(Training.model_validate({"device": "cpu", "precision": wanted})).precision


@pytest.mark.parametrize(("speedup", "expected"), [(0.1, "float32"), (1.1, "float32"), (2.0, "bfloat16")])
def test_auto_takes_lower_precision_where_it_is_worth_it(
    monkeypatch: pytest.MonkeyPatch, speedup: float, expected: str
) -> None:
    with_speedup(monkeypatch, speedup)
    assert chosen("auto") == expected


def test_what_was_measured_once_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = with_speedup(monkeypatch, 2.0)
    assert chosen("auto") == "bfloat16"
    with_speedup(monkeypatch, 0.1)
    assert chosen("auto") == "bfloat16"
    assert asked == [False, True]


def test_other_threads_are_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with_speedup(monkeypatch, 2.0)
    assert precision.speedup_of_bfloat16(CPU, Compute(CPU, "float32").describe()) == 2.0
    with_speedup(monkeypatch, 0.5)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    assert precision.speedup_of_bfloat16(CPU, Compute(CPU, "float32").describe()) == 0.5


@pytest.mark.parametrize(("speedup", "said"), [(0.05, "20.0 times longer"), (1.5, "")])
def test_what_is_asked_for_is_taken_and_said_to_be_slow_where_it_is(
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


def test_the_measurement_itself_draws_nothing() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    assert precision.speedup_of_bfloat16(CPU, Compute(CPU, "float32").describe()) > 0
    torch.testing.assert_close(torch.rand(4), expected, rtol=0, atol=0)
