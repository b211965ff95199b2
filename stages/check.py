"""DVC stage `check`: find every mistake in `params.yaml`, and write the digest of each stage's code."""

from __future__ import annotations

from pathlib import Path

from medtransfer.check import study_problems
from medtransfer.study import SCHEMA_VERSION, load_study
from medtransfer.tasks import TASKS
from medtransfer.util.command import run
from medtransfer.util.digests import script_digest
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, write_json, write_text
from medtransfer.util.places import Places


def main() -> None:
    """Check the parameters, then write what the other stages depend on."""
    study, places = load_study(), Places()
    problems = study_problems(study)
    if problems:
        raise UserError(problems)
    scripts = sorted(Path(__file__).parent.glob("*.py"))
    with atomic_folder(places.code) as folder:
        for script in scripts:
            write_text(folder / f"{script.stem}.txt", f"{script_digest(script)}\n")
    task = TASKS[study.params.study.task]
    write_json(places.checked, {"schema": SCHEMA_VERSION, "per_pixel": task.per_pixel})


if __name__ == "__main__":
    run(main)
