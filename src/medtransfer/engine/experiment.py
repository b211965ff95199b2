"""`medtransfer repro -S`: experiments as `dvc exp run -S` makes them, several stages at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from medtransfer.engine.schedule import open_repository
from medtransfer.util.errors import UserError

PARAMS = Path("params.yaml")


def run_experiments(changes: Sequence[str], reproduce: Callable[[], None], name: str | None = None) -> list[str]:
    """Run an experiment for each combination of the values in `changes`, one after another, and save it by DVC.

    changes: as in `dvc exp run -S`, such as `strategies.frozen.lr=1e-3`; several values, `=1e-3,1e-4`, are as many
    experiments. name: of the experiment, with a number if there are several; by default DVC chooses. As after `dvc exp
    run`, the folder holds the last one. Returns the names. Raises `UserError` if a change is not valid, which leaves
    `params.yaml` as it was, or if the folder is not in a git repository.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
    from hydra.errors import HydraException

    if not Path(".git").exists():
        raise UserError("-S saves an experiment in git, and this folder is not a git repository; run `git init`")
    before, saved = PARAMS.read_bytes(), []
    try:
        combinations = [each[str(PARAMS)] for each in get_hydra_sweeps({str(PARAMS): list(changes)})]
        for number, combination in enumerate(combinations, 1):
            PARAMS.write_bytes(before)
            apply_overrides(PARAMS, combination)
            reproduce()
            numbered = f"{name}-{number}" if name and len(combinations) > 1 else name
            with open_repository() as repo:
                revision = repo.experiments.save(name=numbered, force=name is not None)
                saved.append(repo.experiments.get_exact_name([revision])[revision] or revision[:7])
            print(f"saved as experiment {saved[-1]}; `dvc exp show` lists all")  # noqa: T201
    except (DvcException, HydraException) as error:
        if not saved:
            PARAMS.write_bytes(before)
        raise UserError(f"-S: {' '.join(str(error.__cause__ or error).split())[:300]}") from None
    return saved
