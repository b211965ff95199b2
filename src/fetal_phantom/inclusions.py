"""Random inclusions of the pretraining scenes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantom.geometry import Ellipse, Placement, Points, Wobble
from fetal_phantom.scene import Element, Region
from fetal_phantom.tissue import FLUID, Tissue

KINDS: tuple[str, ...] = ("anechoic", "hypoechoic", "hyperechoic", "heterogeneous", "striped")


@dataclass(frozen=True)
class Inclusion:
    """A patch of one kind of tissue in the scan plane (mm), within surroundings of the tissue `around`."""

    kind: str
    shape: Ellipse
    around: Tissue
    contrast_db: float
    stripes: int

    def elements(self) -> tuple[Element, ...]:
        """The inclusion as regions of tissue."""
        patch = Region(self.shape.points(), self._tissue())
        if self.kind != "striped":
            return (patch,)
        bright = self.around.shifted(self.contrast_db + 4.0)
        return (patch, *(Region(stripe, bright) for stripe in self._stripes()))

    def _tissue(self) -> Tissue:
        if self.kind == "anechoic":
            return FLUID
        if self.kind == "hypoechoic":
            return self.around.shifted(-0.7 * self.contrast_db)
        if self.kind == "hyperechoic":
            return Tissue(self.around.echo_db + self.contrast_db, attenuation=0.45, mottle_db=1.0)
        if self.kind == "heterogeneous":
            return Tissue(self.around.echo_db + self.contrast_db, attenuation=0.45, mottle_db=7.0)
        return self.around.shifted(-0.5 * self.contrast_db)

    def _stripes(self) -> list[Points]:
        """Parallel bands across the smooth ellipse."""
        length, breadth = self.shape.semi_axes
        placement = Placement(self.shape.angle, self.shape.centre)
        heights = np.linspace(-1.0, 1.0, self.stripes + 2)[1:-1]
        corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        along = length * np.sqrt(1.0 - heights**2)[:, None] * corners[:, 0]
        across = breadth * (heights[:, None] + 0.35 / self.stripes * corners[:, 1])
        return list(placement.apply(np.stack([along, across], axis=2).reshape(-1, 2)).reshape(-1, 4, 2))


def draw_inclusion(rng: np.random.Generator, room: Ellipse, around: Tissue, field_mm: float) -> Inclusion:
    """Draw an inclusion of a random kind with its centre inside `room`."""
    radius = float(rng.uniform(0.06, 0.11)) * field_mm
    stretch = float(rng.uniform(1.0, 1.5))
    return Inclusion(
        kind=KINDS[int(rng.integers(len(KINDS)))],
        shape=Ellipse(
            centre=room.draw_inside(rng),
            semi_axes=(radius * stretch, radius / stretch),
            angle=float(rng.uniform(0.0, np.pi)),
            wobble=Wobble.draw(rng, float(rng.uniform(0.0, 0.14)), 5),
        ),
        around=around,
        contrast_db=float(rng.uniform(9.0, 20.0)),
        stripes=int(rng.integers(2, 6)),
    )
