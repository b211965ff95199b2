"""Early stopping compared with the same rule counted epoch by epoch."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.study import Strategy
from medtransfer.training.loop import Epoch, Job
from medtransfer.training.schedules import is_finished, lowest, resumes

LOSSES = st.lists(
    st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4, math.nan, math.inf]), min_size=12, max_size=12
)


def counted(losses: list[float], patience: int | None, resume: int | None) -> tuple[int, int | None]:
    """Return after how many epochs training ends, and after how many it resumed."""
    best, waited, resumed = math.inf, 0, None
    for number, loss in enumerate(losses):
        if math.isnan(loss) or math.isinf(loss):
            return number + 1, resumed
        if number == 0 or loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        allowed = patience if resumed is None else resume
        if allowed is not None and waited >= allowed:
            if resumed is not None or resume is None:
                return number + 1, resumed
            resumed, waited = number + 1, 0
    return len(losses), resumed


@given(LOSSES, st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, 1, 2, 4]))
def test_training_stops_and_resumes_as_counted_by_hand(
    losses: list[float], patience: int | None, resume: int | None
) -> None:
    resume = None if patience is None else resume
    strategy = Strategy(patience=patience, resume_patience=resume, epochs=len(losses))
    count = next(count for count in range(1, len(losses) + 1) if is_finished(losses[:count], strategy))
    resumed = next((number for number in range(1, count) if resumes(losses[:number], strategy)), None)
    end, expected = counted(losses, patience, resume)
    assert count == end
    assert resumed == (expected if expected != end else None)


@pytest.mark.parametrize(
    ("losses", "best"), [([0.3, 0.1, 0.1, 0.2], 1), ([math.nan, 0.5], 1), ([math.nan, math.nan], 0), ([0.2, -1.0], 1)]
)
def test_the_first_minimum_is_kept(losses: list[float], best: int) -> None:
    assert lowest(losses) == best


def test_resume_patience_needs_a_patience() -> None:
    with pytest.raises(ValueError, match="resume_patience needs patience"):
        Strategy(resume_patience=2)


@pytest.mark.parametrize(("lower_is_better", "monitored"), [(False, 0.25), (True, 0.75)])
def test_a_score_is_monitored_as_its_task_ranks_it(lower_is_better: bool, monitored: float) -> None:
    task = SimpleNamespace(lower_is_better=lower_is_better)
    job = SimpleNamespace(strategy=Strategy(monitor="score"), task=task)
    assert Job.monitored(job, Epoch(0, 1e-3, 1.0, 0.5, 2.0, 0.75)) == monitored  # type: ignore[arg-type]
    assert math.isnan(Job.monitored(job, Epoch(0, 1e-3, 1.0, 0.5, math.nan, 0.75)))  # type: ignore[arg-type]
    job.strategy = Strategy()
    assert Job.monitored(job, Epoch(0, 1e-3, 1.0, 0.5, 2.0, 0.75)) == 2.0  # type: ignore[arg-type]
