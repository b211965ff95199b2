"""The time and price of a run follow from the seconds of its stages, their order, and what runs at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from medtransfer.engine.engines import Workers, open_engine
from medtransfer.engine.engines.local import Threads
from medtransfer.engine.forecast import forecast, in_a_warm_process, makespan, remember, remembered
from medtransfer.util.errors import UserError

NEEDS = {f"train@{name}": frozenset[str]() for name in "abc"}
NEEDS |= {f"evaluate@{name}": frozenset({f"train@{name}"}) for name in "abc"}
NEEDS |= {"compare": frozenset({f"evaluate@{name}" for name in "abc"})}
SECONDS = {stage: {"train": 3.0, "evaluate": 1.0, "compare": 2.0}[stage.partition("@")[0]] for stage in NEEDS}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("medtransfer.engine.engines.configuration", lambda: tmp_path / "engine.toml")


@pytest.mark.parametrize(
    ("slots", "seconds"),
    [
        (1, 3 * 3 + 3 * 1 + 2),
        (2, 3 + 3 + 1 + 2),  # c trains while a and b are evaluated, then c is
        (3, 3 + 1 + 2),
        (64, 3 + 1 + 2),
    ],
)
def test_the_time_is_that_of_stages_side_by_side(slots: int, seconds: float) -> None:
    assert makespan(SECONDS, NEEDS, slots) == seconds


def test_a_stage_takes_what_it_took_and_no_less_than_its_kind() -> None:
    assert remembered() == {}
    remember({"train@a": 4.0, "train@b": 2.0, "compare": 9.0})
    remember({"train@b": 3.0})
    assert remembered() == {"train@a": 4.0, "train@b": 3.0, "compare": 9.0}
    estimated = {"train@c": 1.0, "train@d": 10.0, "train@e": None, "train@a": None, "compare": None, "prepare": None}
    assert in_a_warm_process(estimated) == {
        "train@c": 3.0, "train@d": 10.0, "train@e": 3.5, "train@a": 4.0, "compare": 9.0,
    }  # fmt: skip


def test_hours_and_prices_are_those_of_what_stages_occupy() -> None:
    workers = Workers(Threads(1, []), 2, {}, cpus=4, gpus=0.25, prices=(0.05, 2.0))
    told = forecast({stage: 360 * seconds for stage, seconds in SECONDS.items()}, NEEDS, "ray", workers)
    hours = 14 * 360 / 3600
    assert f"on the engine ray, 2 at once: about {9 * 360 // 60}:00" in told
    assert f"{hours * 4:.2g} CPU hours, {hours / 4:.2g} GPU hours, {hours * (4 * 0.05 + 0.25 * 2):.2g} at" in told
    free = forecast({"train@a": 3600.0, "prepare": None}, {"train@a": frozenset()}, "local", Workers(None, 1, {}))
    assert free.endswith("engine local, 1 at once: about 1:00:00, 1 CPU hours, and 1 stage that never ran here.")


def test_prices_are_numbers_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "engine.toml").write_text("[local]\ncpu_hour = 0.05\ngpu_hour = 2\n")
    with open_engine(None, 3) as workers:
        assert workers.prices == (0.05, 2)
        assert workers.slots == 3
    (tmp_path / "engine.toml").write_text("[local]\ncpu_hour = 'cheap'\n")
    with pytest.raises(UserError, match=r"engine.toml: cpu_hour: expected a number$"):
        open_engine(None, 1)
