"""The input of the page's sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from medtransfer.comparison.results import Comparison
from medtransfer.comparison.rows import best_of_each_backbone
from medtransfer.report.svg import inline_svg
from medtransfer.util.places import Places
from medtransfer.util.plotting import COLOURS, Look, looks, save_png


@dataclass(frozen=True)
class Material:
    """A comparison, the places of the study's files, and the data that sections collect for the page's script."""

    found: Comparison
    places: Places
    script: dict[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> Path:
        """The folder of the figures for papers."""
        return self.places.plots / "figures"

    @cached_property
    def variants(self) -> pd.DataFrame:
        """The rows of the comparison's table that are variants, from the best to the worst."""
        table = self.found.table
        return table[table["kind"] == "variant"]

    @property
    def names(self) -> list[str]:
        """The names of the variants, from the best to the worst."""
        return list(self.variants["variant"])

    @property
    def looks(self) -> dict[str, Look]:
        """The look of each backbone, the same in all figures of the page."""
        return looks(self.variants["backbone"])

    @property
    def unit(self) -> str:
        """The unit of what is measured."""
        return self.found.unit

    @cached_property
    def histories(self) -> dict[str, pd.DataFrame]:
        """The training histories of the variants, from the best variant to the worst."""
        return {name: pd.read_csv(self.places.model(name) / "history.csv") for name in self.names}

    def backbone(self, variant: str) -> str:
        """Return the name of a variant's backbone."""
        return self.found.study.variant(variant).backbone_name

    def best_of_each_backbone(self, most: int = len(COLOURS)) -> list[str]:
        """Return the best variant of each backbone, the best first; by default at most one per colour."""
        return list(best_of_each_backbone(self.found.table)["variant"])[:most]

    def show(self, figure: Figure, name: str, description: str, folder: Path | None = None) -> Markup:
        """Save a figure as `save` does and return it as SVG for the page."""
        self.save(figure, name, folder)
        return inline_svg(figure, name, description)

    def save(self, figure: Figure, name: str, folder: Path | None = None) -> None:
        """Write a figure for papers as `NAME.png`, by default to `plots/figures`."""
        save_png(figure, (folder or self.figures) / f"{name}.png", dpi=150)
