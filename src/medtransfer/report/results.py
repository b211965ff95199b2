"""A finished study as a page of the documentation: its tables and figures, and how to reproduce them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from medtransfer.report.sections.origin import code_commit, versions
from medtransfer.study import load_study
from medtransfer.study.use import command_of
from medtransfer.util.errors import UserError
from medtransfer.util.files import atomic_folder, write_text
from medtransfer.util.places import Places
from medtransfer.util.text import duration

CODE = ("src", "stages", "dvc.yaml")
FIGURES = {
    "comparison": "All variants with their intervals",
    "size": "Performance against the number of parameters",
    "learning": "Learning curves",
    "findings": "ROC-AUC of each finding",
    "predicted-0": "Predicted and true numbers of the best variant",
    "agreement-0": "Limits of agreement of the best variant",
    "error-by-range": "Error by range of the true number",
}


def write_results(studies: Path, params: Path, places: Places, target: Path) -> Path:
    """Write `target/NAME.md`, with figures in `target/NAME/`, from the files of `compare`; return its path.

    NAME is `study.name`. Raises `UserError` if the study is not finished, if the tables are those of other variants, or
    if no command produces its parameters.
    """
    study, page, costs = load_study(params), places.results / "comparison.md", places.results / "cost.csv"
    for path in (page, costs):
        if not path.is_file():
            raise UserError(f"{path} is missing; run `dvc repro` first")
    command = command_of(studies, params)
    name = study.params.study.name
    if set(pd.read_csv(costs)["variant"]) != set(study.variants):
        raise UserError(f"{costs} has other variants than {params}: the study is not finished; run `dvc repro` first")
    figures = _figures(places)
    with atomic_folder(target / name) as folder:
        for path, shown, _ in figures:
            shutil.copy(path, folder / shown)
    cost = (places.results / "cost.md").read_text(encoding="utf-8").strip()
    parts = [
        page.read_text(encoding="utf-8").strip(),
        "## Figures",
        *(f"![{title}]({name}/{shown})" for _, shown, title in figures),
        "\n".join(f"#{line}" if line.startswith("#") else line for line in cost.splitlines()),
        f"## Reproduction\n\n```\n{command}\ndvc repro\nmedtransfer results\n```",
        _origin(costs),
    ]
    write_text(target / f"{name}.md", "\n\n".join(parts) + "\n")
    return target / f"{name}.md"


def _figures(places: Places) -> list[tuple[Path, str, str]]:
    """Return the figures that exist: path, name on the page, title."""
    drawn, sheets = places.plots / "figures", places.plots / "explain"
    figures = [(drawn / f"{key}.png", f"{key}.png", title) for key, title in FIGURES.items()]
    for path in sorted(drawn.glob("masks-*.png")):
        figures.append((path, path.name, f"Masks predicted by {path.stem.removeprefix('masks-')}"))
    figures += [(path, f"maps-{path.name}", f"Where {path.stem} looks") for path in sorted(sheets.glob("*.png"))]
    return [figure for figure in figures if figure[0].is_file()]


def _origin(costs: Path) -> str:
    spent = duration(pd.read_csv(costs)["stage_seconds"].sum())
    unit = "h" if spent.count(":") == 2 else "min"
    return (
        f"Git commit {code_commit(*CODE)}. All training stages together took {spent} {unit}. {', '.join(versions())}."
    )
