"""The simulated set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medtransfer.data.sources import SOURCES
from medtransfer.study import Data


@SOURCES.entry("phantom")
def simulate(folder: Path, data: Data, seed: int) -> dict[str, Any]:
    """Simulate the images that `data.phantom` describes."""
    from fetal_phantom import write_phantom

    assert data.phantom is not None
    write_phantom(folder, **data.phantom.model_dump(), seed=seed)
    return {"source": "phantom", "reference": "simulation", "version": None, "licence": "simulated; free to use"}
