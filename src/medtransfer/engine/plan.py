"""The command `medtransfer plan`: what `dvc repro` would run, and what that will cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from medtransfer.data.prepared import ABOUT, Prepared
from medtransfer.engine.estimate import Estimate, Estimator
from medtransfer.engine.probe import Probe, probe
from medtransfer.engine.stages import stages_expected
from medtransfer.study import Study, Variant, load_study
from medtransfer.tasks import TASKS
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_json
from medtransfer.util.places import PLAN, state_folder
from medtransfer.util.progress import progress
from medtransfer.util.text import duration, markdown_table

HEADER = ["Stage", "What", "Time", "Memory MB", "Disk MB"]
ALIKE = ("optimizer", "train", "head", "hidden", "head_batch_norm", "batch_size")
"""What of a strategy decides how long a step takes."""


def plan(prepared_folder: Path = Path("data/prepared")) -> str:
    """List the stages that `dvc repro` would run, each with its estimate, as Markdown; keep it for the page.

    Raises `UserError` where the images are not prepared yet, for their number decides, or a network cannot be built.
    """
    stages = list(stages_expected())
    if not stages:
        return "Everything is up to date.\n"
    if not (prepared_folder / ABOUT).is_file():
        raise UserError(
            f"{len(stages)} stages would run; how long they take depends on the images, which are not there yet: "
            "run `dvc repro prepare` first"
        )
    study, prepared = load_study(), Prepared(prepared_folder)
    found = estimate(stages, study, prepared)
    write_json(state_folder() / PLAN, _kept(found, study))
    return page(found)


def estimate(stages: list[str], study: Study, prepared: Prepared) -> dict[str, Estimate | None]:
    """Estimate each stage; None where nothing is known of it beforehand."""
    estimator, probes = Estimator(study, prepared), _probes(stages, study, prepared)
    found: dict[str, Estimate | None] = {}
    for stage in stages:
        kind, _, name = stage.partition("@")
        if kind == "augment":
            found[stage] = estimator.augment(name)
        elif kind == "train":
            found[stage] = estimator.train(study.variant(name), probes[name])
        elif kind == "evaluate":
            found[stage] = estimator.evaluate(study.variant(name), probes[name])
        else:
            found[stage] = None
    return found


def page(found: dict[str, Estimate | None]) -> str:
    """Lay the estimates out as a table, and sum them up."""
    known = {stage: each for stage, each in found.items() if each is not None}
    rows = [
        [
            stage,
            each.what,
            duration(each.seconds),
            f"{each.memory:,.0f}" if each.memory else "–",
            f"{each.disk:,.0f}" if each.disk else "–",
        ]
        if each
        else [stage, "", "–", "–", "–"]
        for stage, each in found.items()
    ]
    total, disk = sum(each.seconds for each in known.values()), sum(each.disk for each in known.values())
    told = (
        f"{len(found)} stages, {duration(total)} in all where they run one after another and none stops early, "
        f"{disk:,.0f} MB written. –: not known beforehand."
    )
    return f"{markdown_table(HEADER, rows, left=2)}\n\n{told}\n"


def _kept(found: dict[str, Estimate | None], study: Study) -> dict[str, dict[str, object]]:
    """Give the estimates of trainings as they are kept: with the variant, which may be another one when it runs."""
    names = {stage: stage.removeprefix("train@") for stage in found if stage.startswith("train@")}
    trainings = {name: each for stage, name in names.items() if (each := found[stage]) is not None}
    return {name: asdict(each) | {"key": study.variant(name).key()} for name, each in trainings.items()}


def _probes(stages: list[str], study: Study, prepared: Prepared) -> dict[str, Probe]:
    """Probe the networks of the variants among the stages, those that are alike once."""
    names = {stage.partition("@")[2]: None for stage in stages if stage.startswith(("train@", "evaluate@"))}
    outputs = len(TASKS[prepared.task].outputs(prepared))
    alike: dict[str, Probe] = {}
    found: dict[str, Probe] = {}
    with progress(total=len(names), desc="probe", unit="variant") as bar:
        for name in names:
            key = _likeness(study.variant(name))
            if key not in alike:
                alike[key] = probe(name, int(prepared.images.shape[-1]), outputs)
            found[name] = alike[key]
            bar.update()
    return found


def _likeness(variant: Variant) -> str:
    strategy = variant.strategy.model_dump(mode="json", include=set(ALIKE))
    return f"{variant.model} {variant.backbone.unet} {strategy}"
