"""The search of a strategy's numbers: which values the next trainings of a run take, by the outcomes of earlier ones.

Trials come in rounds. What a round proposes is a function of the run's key and the trials of the rounds before it, so
that it does not matter whether the trainings of a round ran together, one after another, or in another process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medtransfer.study import Strategy
from medtransfer.study.search import Number, Range, Search
from medtransfer.training.loop import Fit, Job
from medtransfer.training.schedules import lowest
from medtransfer.training.subsets import Run
from medtransfer.util.files import read_json, write_json
from medtransfer.util.seeds import Key, seed_from

ROUND = 5
"""The trials that a sampler proposes at a time, after the random ones of the first round."""

PRUNED_FROM = 0.25
"""The share of its epochs that every training is allowed."""

COMPLETE, PRUNED, DIVERGED = "complete", "pruned", "diverged"


@dataclass(frozen=True)
class Trial:
    """A finished training of a run: its values, how it ended, and what was monitored after each epoch.

    kept: the epoch that was kept; its loss and score on validation images, and what is compared between trials, where
    smaller is better.
    """

    values: dict[str, Any]
    state: str
    monitored: list[float]
    kept: int
    validation_loss: float
    validation_score: float
    seconds: float

    @property
    def worth(self) -> float:
        """The value compared between trials; smaller is better, and a training that ended early is never the best."""
        return self.monitored[self.kept] if self.state == COMPLETE else math.inf

    @classmethod
    def of(cls, values: dict[str, Any], job: Job, fit: Fit) -> Trial:
        """Describe the outcome of a training."""
        monitored = list(map(job.monitored, fit.epochs))
        state = DIVERGED if not math.isfinite(monitored[-1]) else PRUNED if job.pruned(monitored) else COMPLETE
        kept = fit.epochs[fit.kept]
        return cls(values, state, monitored, fit.kept, kept.validation_loss, kept.validation_score, fit.seconds)


class Trials:
    """The trials of a run, in order; with a `record`, a file from which an interrupted search resumes.

    key: that of everything random, such as (seed, fold).
    """

    def __init__(self, strategy: Strategy, key: tuple[Key, ...], record: Path | None = None) -> None:
        self._strategy, self._key, self._record = strategy, key, record
        self.found: list[Trial] = []
        if record is not None and record.exists():
            self.found = [Trial(**each) for each in read_json(record)]

    def proposals(self) -> list[dict[str, Any]]:
        """Return the values of the current round that are still to be trained; empty at the end of the search."""
        start, size = self._round()
        return self._propose(self.found[:start], size)[len(self.found) - start :] if size else []

    def bars(self) -> list[float]:
        """Return the bar of each epoch: a training of the current round that has not been better until then ends.

        It is the median of the complete trainings of earlier rounds at the same epoch (the median stopping rule of
        Golovin et al. 2017); empty in the first round.
        """
        earlier = [trial.monitored for trial in self.found[: self._round()[0]] if trial.state == COMPLETE]
        first = math.ceil(PRUNED_FROM * self._strategy.epochs)
        longest = max(map(len, earlier), default=0)
        return [
            math.inf if epoch < first else float(np.median([each[epoch] for each in earlier if len(each) > epoch]))
            for epoch in range(longest)
        ]

    def add(self, trial: Trial) -> bool:
        """Add a trial to the record; return whether it is the best so far."""
        self.found.append(trial)
        if self._record is not None:
            write_json(self._record, [asdict(each) for each in self.found])
        return self.best == len(self.found) - 1

    @property
    def best(self) -> int:
        """The number of the best trial."""
        return best_trial(self.found)

    def _round(self) -> tuple[int, int]:
        """Return the number of trials before the current round, and how many it has; 0 at the end."""
        start, done = 0, len(self.found)
        for size in rounds(self._strategy):
            if done < start + size:
                return start, size
            start += size
        return start, 0

    def _propose(self, earlier: Sequence[Trial], size: int) -> list[dict[str, Any]]:
        search = self._strategy.search
        if search is None or search.sampler == "grid":
            return self._strategy.grid
        return sampled(search, seed_from("search", *self._key, len(earlier)), earlier, size)


def best_trial(found: Sequence[Trial]) -> int:
    """Return the number of the best trial: of the complete ones, if there are any."""
    worths = [trial.worth for trial in found]
    if not any(map(math.isfinite, worths)):
        worths = [trial.monitored[trial.kept] for trial in found]
    return lowest(worths)


def trial_rows(run: Run, found: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return the rows of a run in the table of trials; values are columns."""
    best = best_trial(found)
    return [
        {
            "fold": run.fold,
            "seed": run.seed,
            "fraction": run.fraction,
            "trial": number,
            "state": trial.state,
            "kept": number == best,
            "epochs": len(trial.monitored),
            "validation_loss": trial.validation_loss,
            "validation_score": trial.validation_score,
            **flat(trial.values),
        }
        for number, trial in enumerate(found)
    ]


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """Return values with those of sections by dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= (
            {f"{name}.{inner}": each for inner, each in value.items()} if isinstance(value, dict) else {name: value}
        )
    return found


def rounds(strategy: Strategy) -> list[int]:
    """Return the numbers of trials that are proposed at once: all of them, unless later ones follow earlier ones."""
    budget = strategy.trials
    if strategy.search is None or strategy.search.sampler != "tpe":
        return [budget]
    first = math.ceil(budget / 2)
    return [first, *(min(ROUND, budget - start) for start in range(first, budget, ROUND))]


def sampled(search: Search, seed: int, earlier: Sequence[Trial], size: int) -> list[dict[str, Number]]:
    """Ask Optuna for the values of `size` trials after some earlier ones; without any they are random."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    samplers = optuna.samplers
    random = samplers.RandomSampler(seed=seed % 2**32)
    later = samplers.TPESampler(seed=seed % 2**32, n_startup_trials=1, constant_liar=True) if earlier else random
    study = optuna.create_study(sampler=later)
    scales = {name: _scale(values) for name, values in search.space.items()}
    for trial in earlier:
        study.add_trial(_told(trial, scales))
    return [study.ask(scales).params for _ in range(size)]


def _scale(values: list[Number] | Range) -> Any:
    """Return the distribution of a number as Optuna's."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(values, Range):
        return FloatDistribution(*values.ends, log=values.log is not None)
    return CategoricalDistribution(values)


def _told(trial: Trial, scales: dict[str, Any]) -> Any:
    """Return a trial as Optuna's; those that ended early rank behind the others, and diverged ones last."""
    from optuna.trial import TrialState, create_trial

    if trial.state == COMPLETE:
        return create_trial(params=trial.values, distributions=scales, value=trial.worth)
    worths = dict(enumerate(trial.monitored)) if trial.state == PRUNED else {0: math.inf}
    return create_trial(params=trial.values, distributions=scales, state=TrialState.PRUNED, intermediate_values=worths)
