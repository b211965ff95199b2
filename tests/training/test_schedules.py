"""The learning rate of each epoch compared with torch's own schedulers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medtransfer.study import Schedule
from medtransfer.training.schedules import SCHEDULES, rate_factor

EPOCHS = 12


def torch_rates(scheduler_of, losses: list[float] | None = None) -> list[float]:  # type: ignore[no-untyped-def]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = scheduler_of(optimizer)
    rates = []
    for epoch in range(EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([losses[epoch]] if losses else []))
    return rates


def our_rates(schedule: Schedule, losses: list[float] | None = None) -> list[float]:
    losses = losses or [0.0] * EPOCHS
    return [rate_factor(schedule, epoch, EPOCHS, losses[:epoch]) for epoch in range(EPOCHS)]


def test_constant_stays() -> None:
    assert our_rates(Schedule()) == [1.0] * EPOCHS


def test_step_equals_torchs() -> None:
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.8))
    assert our_rates(Schedule(kind="step", every=2, factor=0.8)) == pytest.approx(expected)


def test_exponential_equals_torchs() -> None:
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9))
    assert our_rates(Schedule(kind="exponential", factor=0.9)) == pytest.approx(expected)


def test_cosine_equals_torchs() -> None:
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, EPOCHS))
    assert our_rates(Schedule(kind="cosine")) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60)
@given(
    losses=st.lists(st.floats(0.1, 2.0).map(lambda x: round(x, 1)), min_size=EPOCHS, max_size=EPOCHS),
    patience=st.integers(1, 3),
)
def test_plateau_equals_torchs(losses: list[float], patience: int) -> None:
    expected = torch_rates(
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=patience), losses
    )
    found = our_rates(Schedule(kind="plateau", factor=0.5, patience=patience), losses)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["constant", "step", "exponential", "plateau", "cosine"])
def test_warm_up_rises_linearly_and_then_the_schedule_starts(kind: str) -> None:
    rates = our_rates(Schedule(kind=kind, warmup=4))
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4] == pytest.approx(1.0)


def test_a_schedule_is_added_from_outside_by_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    def linear(epoch: int, epochs: int, losses: list[float], *, factor: float = 0.0) -> float:
        return 1 - (1 - factor) * epoch / epochs

    monkeypatch.setitem(SCHEDULES._items, "linear", linear)
    rates = our_rates(Schedule.model_construct(kind="linear", warmup=2, factor=0.5))
    assert rates == pytest.approx([0.5, 1.0, *(1 - 0.5 * epoch / 10 for epoch in range(10))])
