"""The command `medtransfer plan`: which stages `dvc repro` would run, and what each will cost."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Literal

import numpy as np

from medtransfer.data.prepared import ABOUT, Prepared
from medtransfer.engine.engines import engine_name, open_engine
from medtransfer.engine.forecast import forecast
from medtransfer.engine.probe import Probe, probe
from medtransfer.engine.schedule import stages_expected
from medtransfer.features.cache import PAGE
from medtransfer.study import Policy, Study, Variant, load_study
from medtransfer.tasks import TASKS
from medtransfer.util.disk_cache import fits
from medtransfer.util.files import write_json
from medtransfer.util.places import PLAN, cache_folder, state_folder
from medtransfer.util.progress import progress
from medtransfer.util.text import aligned, counted, duration, markdown_table, terminal_width

HEADER = ["Stage", "Why", "Work", "Time", "Memory MB", "Disk MB"]
ALIKE = ("optimizer", "train", "head", "hidden", "head_batch_norm", "batch_size")
"""The fields of a strategy that decide how long a step takes."""
PROBED_VIEWS = 32
MEASURED = (
    "Measured: each network runs on random images on this machine, with random weights and in a process of its own, of "
    "which memory is the peak. Times are medians per image, multiplied by the number of images."
)

UNPREPARED = "The images are not prepared yet. To see the costs, too, run `dvc repro prepare`, then this command again."


@dataclass(frozen=True)
class Estimate:
    """The cost of a stage: seconds, peak memory in MB, MB written, and the amount of work in words.

    start: those of the seconds in which a new process imports what the stage needs.
    """

    seconds: float
    memory: float | None
    disk: float
    what: str
    start: float = 0.0


def plan(
    prepared_folder: Path = Path("data/prepared"), *, jobs: int | Literal["auto"] = "auto", engine: str | None = None
) -> str:
    """Return the stages that `dvc repro` would run, why, and at what cost, as Markdown; keep costs for the report.

    jobs, engine: of `medtransfer repro`, whose time and price are estimated, too.

    Costs depend on the number of images: if these are not prepared yet, none is estimated. Raises `UserError` if a
    network cannot be built.
    """
    reasons, needs = stages_expected()
    if not reasons:
        return "Everything is up to date.\n"
    study = load_study()
    if not (prepared_folder / ABOUT).is_file():
        unknown = page(dict.fromkeys(reasons), reasons)
        return f"{unknown}{fill(UNPREPARED, 80)}\n"
    found = estimate(list(reasons), study, Prepared(prepared_folder))
    trainings = {stage.removeprefix("train@"): each for stage, each in found.items() if stage.startswith("train@")}
    write_json(
        state_folder() / PLAN,
        {name: asdict(each) | {"key": study.variant(name).key()} for name, each in trainings.items() if each},
    )
    warm = {stage: None if each is None else each.seconds - each.start for stage, each in found.items()}
    with open_engine(engine, jobs) as workers:
        told = forecast(warm, needs, engine or engine_name(), workers)
    return f"{page(found, reasons)}\n{fill(told, 80)}\n{by_backbone(found, study)}"


def by_backbone(found: dict[str, Estimate | None], study: Study) -> str:
    """Sum the estimates of training and evaluation for each backbone, and say where they come from."""
    of_each: dict[str, list[Estimate]] = defaultdict(list)
    for stage, each in found.items():
        kind, _, name = stage.partition("@")
        if each is not None and kind in ("train", "evaluate"):
            of_each[study.variant(name).backbone_name] += [each]
    if not of_each:
        return ""
    rows = [
        [
            name,
            study.params.backbones[name].model or name,
            duration(sum(each.seconds for each in all_of_it)),
            f"{max(each.memory or 0.0 for each in all_of_it):,.0f}",
        ]
        for name, all_of_it in of_each.items()
    ]
    return f"\n{_table(['Backbone', 'Model', 'Time', 'Memory MB'], rows, left=2)}\n{fill(MEASURED, 80)}\n"


def estimate(stages: list[str], study: Study, prepared: Prepared) -> dict[str, Estimate | None]:
    """Estimate each stage; None if its cost cannot be predicted."""
    estimator, probes = Estimator(study, prepared), _probes(stages, study, prepared)
    found: dict[str, Estimate | None] = dict.fromkeys(stages)
    for stage in stages:
        kind, _, name = stage.partition("@")
        if kind == "augment":
            found[stage] = estimator.augment(name)
        elif kind == "train":
            found[stage] = estimator.train(study.variant(name), probes[name])
        elif kind == "evaluate":
            found[stage] = estimator.evaluate(study.variant(name), probes[name])
    return found


def page(found: dict[str, Estimate | None], reasons: dict[str, str]) -> str:
    """Lay out the estimates, the reasons and the sums as a Markdown table."""
    known = [each for each in found.values() if each is not None]
    if not known:
        rows = [[stage, reasons[stage]] for stage in found]
        return f"{_table(HEADER[:2], rows, left=2)}\n{counted(len(found), 'stage')}.\n"
    rows = [
        [
            stage,
            reasons[stage],
            *(
                [each.what, duration(each.seconds), *(f"{mb:,.0f}" if mb else "–" for mb in (each.memory, each.disk))]
                if each
                else ["", "–", "–", "–"]
            ),
        ]
        for stage, each in found.items()
    ]
    total, disk = sum(each.seconds for each in known), sum(each.disk for each in known)
    summary = (
        f"{counted(len(found), 'stage')}; {duration(total)} in all if run one after another and none stops early; "
        f"{disk:,.0f} MB written. –: not known in advance."
    )
    return f"{_table(HEADER, rows, left=3)}\n{fill(summary, 80)}\n"


def _table(header: list[str], rows: list[list[str]], left: int) -> str:
    """Lay a table out for the terminal, or as Markdown for a file or a pipe."""
    if terminal_width() is None:
        return f"{markdown_table(header, rows, left)}\n"
    return aligned(header, rows, header[left:])


class Estimator:
    """Estimates of stages, in the order in which they run, because a stage does not compute what an earlier one kept.

    Estimates are too high if training stops early.
    """

    def __init__(self, study: Study, prepared: Prepared) -> None:
        self._study, self._prepared = study, prepared
        self._learnable = len(prepared.learnable_rows)
        self._kept: dict[tuple[str, ...], int] = defaultdict(int)

    def augment(self, name: str) -> Estimate | None:
        """Estimate drawing the views of a policy; None if it keeps none."""
        policy = self._study.params.augmentation[name]
        if policy.distinct is None or policy.original:
            return None
        images = policy.distinct * self._learnable
        megabytes = images * int(np.prod(self._prepared.images.shape[1:])) / 1e6
        return Estimate(images * self._view_seconds(policy), None, megabytes, f"{images:,} views")

    def train(self, variant: Variant, probe: Probe) -> Estimate:
        """Estimate training all runs of a variant; heads trained at once cost little more than one of them."""
        from medtransfer.models.heads import HEADS  # imports torch

        strategy = variant.strategy
        one_step = HEADS[strategy.head].fitted or strategy.train == "none"
        epochs = 1 if one_step else strategy.epochs
        trained, validated = (epochs * count for count in self._images(variant))
        missing = self._missing(variant, probe)
        kept_bytes = 0 if missing is None else probe.row_bytes
        new = trained + validated if missing is None else missing
        runs = self._prepared.folds * len(self._study.params.training.seeds) * len(strategy.fractions)
        at_once = runs if missing is not None and strategy.train == "head" and not one_step else 1 / strategy.trials
        seconds = probe.start + new * probe.prefix + (trained * probe.step + validated * probe.forward) / at_once
        what = counted(runs, "run")
        if not one_step:
            what += f", {counted(epochs, 'epoch')}, {trained:,} training images"
        if probe.features is not None:
            what += f", {new:,} through frozen layers"
        mapped = kept_bytes * (self._learnable + len(self._prepared.table)) if kept_bytes < PAGE else 0
        return Estimate(seconds, probe.memory + mapped / 1e6, new * kept_bytes / 1e6, what, probe.start)

    def evaluate(self, variant: Variant, probe: Probe) -> Estimate:
        """Estimate predicting the validation and test images of all runs of a variant."""
        seeds = len(self._study.params.training.seeds) * len(variant.strategy.fractions)
        roles = [self._prepared.roles(fold) for fold in range(self._prepared.folds)]
        images = seeds * sum(len(role.validation) + len(role.test) for role in roles)
        seconds = probe.start + images * probe.forward
        return Estimate(seconds, probe.memory, 0.0, f"{images:,} images", probe.start)

    def _images(self, variant: Variant) -> tuple[int, int]:
        """Count the images that an epoch of all runs trains on, and those it validates on."""
        seeds, shots = len(self._study.params.training.seeds), variant.strategy.shots
        fractions = variant.strategy.fractions
        roles = [self._prepared.roles(fold) for fold in range(self._prepared.folds)]
        most = np.inf if shots is None else shots * len(self._prepared.classes)
        return (
            seeds * int(sum(fractions) * sum(min(len(role.train), most) for role in roles)),
            seeds * len(fractions) * sum(len(role.validation) for role in roles),
        )

    def _missing(self, variant: Variant, probe: Probe) -> int | None:
        """Count the views and images whose features are not cached yet; None if they are never cached."""
        from medtransfer.training.runs import views_used  # imports torch

        if probe.features is None:
            return None
        rows = min(self._images(variant)[0], self._learnable)
        views = rows * views_used(variant.strategy, variant.policy.distinct)
        if not fits(cache_folder() / "features", (views + len(self._prepared.table)) * probe.row_bytes):
            return None
        cache = (probe.features, variant.backbone.weights, variant.strategy.init)
        wanted = {(*cache, "images"): len(self._prepared.table)}
        if not variant.policy.original:
            wanted[(*cache, variant.augmentation_name)] = views
        missing = sum(max(0, count - self._kept[key]) for key, count in wanted.items())
        self._kept |= {key: max(count, self._kept[key]) for key, count in wanted.items()}
        return missing

    def _view_seconds(self, policy: Policy) -> float:
        from medtransfer.augmentation.drawers import drawer_count
        from medtransfer.augmentation.views import ViewMaker

        maker = ViewMaker(self._prepared, policy, self._study.params.study.seed)
        rows = np.resize(self._prepared.learnable_rows, PROBED_VIEWS + 1).tolist()
        maker.draw(rows[0], 0)
        started = time.perf_counter()
        for row in rows[1:]:
            maker.draw(row, 0)
        return (time.perf_counter() - started) / PROBED_VIEWS / drawer_count()


def _probes(stages: list[str], study: Study, prepared: Prepared) -> dict[str, Probe]:
    """Probe the networks of the variants among the stages, once if they are alike."""
    names = {stage.partition("@")[2]: None for stage in stages if stage.startswith(("train@", "evaluate@"))}
    outputs = len(TASKS[prepared.task].outputs(prepared))
    alike: dict[str, Probe] = {}
    found: dict[str, Probe] = {}
    with progress(total=len(names), desc="probe", unit="variant") as bar:
        for name in names:
            variant = study.variant(name)
            strategy = variant.strategy.model_dump(mode="json", include=set(ALIKE))
            key = f"{variant.model} {variant.backbone.unet} {strategy}"
            if key not in alike:
                alike[key] = probe(name, int(prepared.images.shape[-1]), outputs)
            found[name] = alike[key]
            bar.update()
    return found
