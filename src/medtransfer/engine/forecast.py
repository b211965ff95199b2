"""How long `medtransfer repro` takes on an engine, and what it costs, from the seconds of its stages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Any

from medtransfer.engine.engines import Workers
from medtransfer.engine.schedule import Schedule
from medtransfer.util.files import write_json
from medtransfer.util.places import state_folder
from medtransfer.util.text import counted, duration

TOOK = "seconds.json"
"""The file of the state folder with the seconds that each stage took when it last ran."""


def remember(took: Mapping[str, float]) -> None:
    """Store the seconds of stages that have run, next to those of others."""
    if took:
        write_json(state_folder() / TOOK, remembered() | {stage: round(each, 2) for stage, each in took.items()})


def remembered() -> dict[str, float]:
    """Return the seconds that stages took when they last ran in `medtransfer repro`."""
    try:
        found: dict[str, float] = json.loads((state_folder() / TOOK).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def in_a_warm_process(estimated: Mapping[str, float | None]) -> dict[str, float]:
    """Return the seconds of stages in a process that has imported what they need; those that are unknown are left out.

    A stage takes no less than the fastest of its kind so far: writing tables and figures is in no estimate. One without
    an estimate takes as long as when it last ran, or as the mean of its kind.
    """
    known = remembered()
    kinds: dict[str, list[float]] = {}
    for stage, took in known.items():
        kinds.setdefault(stage.partition("@")[0], []).append(took)
    found: dict[str, float] = {}
    for stage, seconds in estimated.items():
        alike = kinds.get(stage.partition("@")[0], [])
        if seconds is not None:
            found[stage] = max([seconds, *([min(alike)] if alike else [])])
        elif alike:
            found[stage] = known.get(stage, sum(alike) / len(alike))
    return found


def makespan(seconds: Mapping[str, float], needs: Mapping[str, frozenset[str]], slots: int) -> float:
    """Return the seconds until all stages of `needs` are done, if `slots` of them run at once."""
    schedule, now = Schedule(needs), 0.0
    running: list[tuple[float, str]] = []
    while not schedule.finished:
        for stage in schedule.ready()[: slots - len(running)]:
            schedule.start(stage)
            heappush(running, (now + seconds.get(stage, 0.0), stage))
        now, ended = heappop(running)
        schedule.finish(ended, succeeded=True)
    return now


def forecast(
    estimated: Mapping[str, float | None], needs: Mapping[str, frozenset[str]], engine: str, workers: Workers
) -> str:
    """Return the time, the processor and GPU hours, and the price of running the stages of `needs`, as one sentence.

    estimated: the seconds of each stage, without those for starting a process; None if unknown.
    """
    seconds = in_a_warm_process(estimated)
    hours = sum(seconds.values()) / 3600
    used: list[Any] = [f"{_amount(hours * workers.cpus)} CPU hours"]
    if workers.gpus:
        used.append(f"{_amount(hours * workers.gpus)} GPU hours")
    if workers.prices != (0.0, 0.0):
        price = hours * (workers.cpus * workers.prices[0] + workers.gpus * workers.prices[1])
        used.append(f"{_amount(price)} at your prices")
    about = f"about {duration(makespan(seconds, needs, workers.slots))}"
    unknown = len(estimated) - len(seconds)
    left_out = f", and {counted(unknown, 'stage')} that never ran here" if unknown else ""
    return f"`medtransfer repro` on the engine {engine}, {workers.slots} at once: {about}, {', '.join(used)}{left_out}."


def _amount(value: float) -> str:
    """Return a number with two digits that count."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
