"""What the page's sections are made of, and what they are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from medtransfer.comparison.results import Comparison
from medtransfer.report.svg import inline_svg
from medtransfer.util.places import Places
from medtransfer.util.plotting import Look, looks, save_png


@dataclass(frozen=True)
class Section:
    """A section of the page: its anchor, which names its template too, its title, and what the template shows."""

    name: str
    title: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Material:
    """A comparison, the places of the study's files, and what the sections leave for the page's script."""

    found: Comparison
    places: Places
    script: dict[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> Path:
        """The folder of the figures that a paper takes."""
        return self.places.root / "plots" / "figures"

    @property
    def names(self) -> list[str]:
        """The variants from the best to the worst."""
        table = self.found.table
        return list(table.loc[table["kind"] == "variant", "variant"])

    @property
    def looks(self) -> dict[str, Look]:
        """The look of each backbone, the same everywhere on the page."""
        table = self.found.table
        return looks(table.loc[table["kind"] == "variant", "backbone"])

    @property
    def unit(self) -> str:
        """The unit of lengths on masks."""
        return str(self.found.about.get("masks", {}).get("unit", ""))

    def backbone(self, variant: str) -> str:
        """Give the backbone of a variant."""
        return self.found.study.variant(variant).backbone_name

    def show(self, figure: Figure, name: str, description: str, folder: Path | None = None) -> Markup:
        """Write a figure as `save` does; give it for the page."""
        self.save(figure, name, folder)
        return inline_svg(figure, name, description)

    def save(self, figure: Figure, name: str, folder: Path | None = None) -> None:
        """Write a figure as `NAME.png` for papers, to `plots/figures` unless told otherwise."""
        save_png(figure, (folder or self.figures) / f"{name}.png", dpi=150)


def best_of_each_backbone(material: Material, most: int = 8) -> list[str]:
    """Give the best variant of each backbone, from the best to the worst, at most as many as there are colours."""
    firsts: dict[str, str] = {}
    for name in material.names:
        firsts.setdefault(material.backbone(name), name)
    return list(firsts.values())[:most]
