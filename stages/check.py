"""DVC stage `check`: find every mistake in `params.yaml`, and write the digest of each stage's code."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medtransfer.study import SCHEMA_VERSION, Study, load_study
from medtransfer.study.code import code_files
from medtransfer.util.command import run
from medtransfer.util.digests import remember, script_digest
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, measured, write_json, write_text
from medtransfer.util.places import Places

LIBRARIES = ("albumentations", "captum", "segmentation-models-pytorch", "timm", "torch", "torchvision")
"""Packages that know which models, weights and transforms exist."""


def main() -> None:
    """Check the parameters, then write what the other stages depend on.

    In a study of the installed package, this stage runs every time; parameters that were already checked by the same
    code are not checked again.
    """
    study, places = read(), Places()
    about = {
        "params": study.params.model_dump(mode="json"),
        "code": script_digest(Path(__file__)),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    checked = measured("checked", about, lambda: check(study))
    texts = code_files(study, Path(__file__).parent)
    with atomic_folder(places.code) as folder:
        for name, text in texts.items():
            write_text(folder / name, text)
    remember()
    write_json(places.checked, checked)


def read() -> Study:
    """Read the parameters; raises `UserError` with everything that is wrong with them, not just their form."""
    try:
        return load_study()
    except UserError:
        from medtransfer.check import study_problems

        return load_study(further=study_problems)


def check(study: Study) -> dict[str, Any]:
    """Return what other stages need to know of a study; raises `UserError` that lists its problems."""
    from medtransfer.check import remarks, study_problems
    from medtransfer.tasks import TASKS

    if problems := study_problems(study):
        raise UserError(problems)
    task = TASKS[study.params.study.task]
    for warning in [*task.warnings(study.params), *remarks(study)]:
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
    return {"schema": SCHEMA_VERSION, "target": task.target}


if __name__ == "__main__":
    run(main)
