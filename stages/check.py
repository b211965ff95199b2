"""DVC stage `check`: find every mistake in `params.yaml`, and write the digest of each stage's code."""

from __future__ import annotations

from pathlib import Path

from medtransfer.check import study_problems
from medtransfer.study import SCHEMA_VERSION, load_study
from medtransfer.util.command import run
from medtransfer.util.digests import script_digest
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, write_json, write_text


def main() -> None:
    """Check the parameters, then write what the other stages depend on."""
    problems = study_problems(load_study())
    if problems:
        raise UserError(problems)
    scripts = sorted(Path(__file__).parent.glob("*.py"))
    with atomic_folder(Path("data/code")) as folder:
        for script in scripts:
            write_text(folder / f"{script.stem}.txt", f"{script_digest(script)}\n")
    write_json(Path("data/checked.json"), {"schema": SCHEMA_VERSION})


if __name__ == "__main__":
    run(main)
