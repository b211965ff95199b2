"""The trained variant that a command names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtransfer.util.errors import ELSEWHERE, UserError, near
from medtransfer.util.places import run_name

if TYPE_CHECKING:
    from medtransfer.util.compute import Compute

NEEDED = {"resize", "device"}
"""Entries that cards of earlier versions lack."""


@dataclass(frozen=True)
class Model:
    """A trained variant's folder, its card, and the runs to use, as (fold, seed)."""

    folder: Path
    card: dict[str, Any]
    runs: list[tuple[int, int]]

    @property
    def name(self) -> str:
        """The variant's name."""
        return str(self.card["variant"])

    def compute(self) -> Compute:
        """Return the precision of the model's evaluation, on its kind of device if this machine has one."""
        from medtransfer.util.compute import choose_compute, is_available

        device = self.card["device"] if is_available(self.card["device"]) else "auto"
        return replace(choose_compute(device), precision=self.card["precision"])


def find_model(name: str, run: str | None = None, root: Path = Path()) -> Model:
    """Find a variant of this repository by its name, or any variant by its folder; `run` selects one of its runs.

    Raises `UserError` if there is no such model or run.
    """
    from medtransfer.training.model_files import CARD, read_card

    folders = [folder for folder in (root / "models" / name, Path(name)) if (folder / CARD).is_file()]
    if not folders:
        trained = [card.parent.name for card in (root / "models").glob(f"*/{CARD}")]
        if trained:
            hint = near(name, trained)
        elif (root / "dvc.yaml").is_file():
            hint = "; none is trained here yet: run `dvc repro`"
        else:
            hint = f"; {ELSEWHERE}"
        raise UserError(f"{name}: neither a trained variant nor a folder of one{hint}")
    card = read_card(folders[0])
    if missing := NEEDED - card.keys():
        raise UserError(f"{folders[0]}: its card lacks {', '.join(sorted(missing))}; train it again with this version")
    runs = {run_name(line["fold"], line["seed"]): (line["fold"], line["seed"]) for line in card["runs"]}
    if run is not None and run not in runs:
        raise UserError(f"--run: {name} has no run {run!r}{near(run, runs)}")
    return Model(folders[0], card, [runs[run]] if run is not None else list(runs.values()))
