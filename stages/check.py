"""DVC stage `check`: everything in `params.yaml` that can be wrong, found before anything runs."""

from __future__ import annotations

from pathlib import Path

from medtransfer.checking import study_problems
from medtransfer.errors import UserError, run
from medtransfer.files import write_json
from medtransfer.study import SCHEMA_VERSION, load_study


def main() -> None:
    """Check the params; leave the mark that the other stages depend on."""
    problems = study_problems(load_study())
    if problems:
        raise UserError(problems)
    write_json(Path("data/checked.json"), {"schema": SCHEMA_VERSION})


if __name__ == "__main__":
    run(main)
