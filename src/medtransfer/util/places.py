"""Where the stages' files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Paths below the root of the repository."""

    root: Path = Path()

    @property
    def prepared(self) -> Path:
        """The prepared images."""
        return self.root / "data" / "prepared"

    @property
    def results(self) -> Path:
        """The folder of metrics and tables."""
        return self.root / "metrics"

    @property
    def plots(self) -> Path:
        """The folder of figures and points of curves."""
        return self.root / "plots"

    def predictions(self, name: str) -> Path:
        """Give the predictions of a variant."""
        return self.root / "predictions" / f"{name}.parquet"

    def metrics(self, name: str) -> Path:
        """Give the metrics of a variant."""
        return self.results / "variants" / f"{name}.json"

    def explained(self, name: str) -> Path:
        """Give what the maps of a variant came to."""
        return self.results / "explain" / f"{name}.json"

    def contact_sheet(self, name: str) -> Path:
        """Give the contact sheet of a variant's maps."""
        return self.plots / "explain" / f"{name}.png"

    def model(self, name: str) -> Path:
        """Give the folder of a trained variant."""
        return self.root / "models" / name


HERE = Places()
