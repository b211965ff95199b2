"""A finished study as a page of the documentation: its tables and figures, and how to make them again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from medtransfer.report.origin import code_commit, versions
from medtransfer.study import load_study
from medtransfer.study.use import command_of
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, write_text
from medtransfer.util.places import Places

CODE = ("src", "stages", "dvc.yaml")
FIGURES = {
    "comparison": "Every variant with its interval",
    "size": "Against the number of parameters",
    "learning": "Learning curves",
}


def write_results(studies: Path, params: Path, places: Places, target: Path) -> Path:
    """Write `target/NAME.md`, NAME being `study.name`, with its figures in `target/NAME/`, from what `compare` left.

    Gives the page's path. Raises `UserError` where the study is not finished, or its parameters are not those that a
    command makes.
    """
    page, costs = places.results / "comparison.md", places.results / "cost.csv"
    for path in (page, costs):
        if not path.is_file():
            raise UserError(f"no {path}: `dvc repro` writes it; run it first")
    command = command_of(studies, params)
    name = load_study(params).params.study.name
    figures = _figures(places)
    with atomic_folder(target / name) as folder:
        for target_name, (figure, _) in figures.items():
            shutil.copy(figure, folder / target_name)
    parts = [page.read_text(encoding="utf-8").strip(), "## Figures"]
    parts += [f"![{title}]({name}/{target_name})" for target_name, (_, title) in figures.items()]
    parts += [_demoted((places.results / "cost.md").read_text(encoding="utf-8").strip())]
    parts += ["## How it was made", f"```\n{command}\ndvc repro\nmedtransfer results\n```", _origin(costs)]
    write_text(target / f"{name}.md", "\n\n".join(parts) + "\n")
    return target / f"{name}.md"


def _figures(places: Places) -> dict[str, tuple[Path, str]]:
    """Give each figure that there is, by its name on the page, with its title."""
    drawn, sheets = places.plots / "figures", places.plots / "explain"
    figures = {f"{key}.png": (drawn / f"{key}.png", title) for key, title in FIGURES.items()}
    for path in sorted(drawn.glob("masks-*.png")):
        figures[path.name] = path, f"Masks that {path.stem.removeprefix('masks-')} finds"
    for path in sorted(sheets.glob("*.png")):
        figures[f"maps-{path.name}"] = path, f"Where {path.stem} looks"
    return {name: (path, title) for name, (path, title) in figures.items() if path.is_file()}


def _demoted(text: str) -> str:
    """Make a page a section of another one."""
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in text.splitlines())


def _origin(costs: Path) -> str:
    table = pd.read_csv(costs)
    hours = table["stage_seconds"].sum() / 3600
    return (
        f"Git commit {code_commit(*CODE)}. Training took {hours:.2f} hours, all stages of all variants together. "
        f"{', '.join(versions())}."
    )
