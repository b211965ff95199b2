"""How a simulated head lies in the field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantom.geometry import Placement
from fetal_phantom.sector import SECTORS, Sector

_LARGEST_ANGLE = np.deg2rad(25.0)
_ANGLE_JITTER = np.deg2rad(6.0)
_SHIFT_JITTER = 0.03


@dataclass(frozen=True)
class View:
    """Where a head lies, with lengths in shares of the image's side.

    Attributes:
        sector: the probe's field of view.
        angle: of the head's long axis with the horizontal, radians, clockwise in the image.
        mirror: 1 or -1 along and across the head's long axis.
        centre: of the head.
        length: of the head.
    """

    sector: Sector
    angle: float
    mirror: tuple[int, int]
    centre: tuple[float, float]
    length: float

    def placement(self, field_mm: float) -> Placement:
        """The motion from the head's frame into a scan plane with the given side."""
        return Placement(self.angle, (self.centre[0] * field_mm, self.centre[1] * field_mm), self.mirror)


def draw_view(rng: np.random.Generator) -> View:
    """Draw a view within 25 degrees of the horizontal, less the jitter between a patient's frames."""
    limit = _LARGEST_ANGLE - _ANGLE_JITTER
    return View(
        sector=SECTORS[int(rng.integers(len(SECTORS)))],
        angle=float(rng.uniform(-limit, limit)),
        mirror=(1 if rng.random() < 0.5 else -1, 1 if rng.random() < 0.5 else -1),
        centre=(float(rng.uniform(0.46, 0.54)), float(rng.uniform(0.52, 0.58))),
        length=float(rng.uniform(0.66, 0.80)),
    )


def jitter_view(rng: np.random.Generator, view: View) -> View:
    """The view after a small movement of the probe and a small change of the zoom."""
    across, along = rng.uniform(-_SHIFT_JITTER, _SHIFT_JITTER, 2).tolist()
    return View(
        sector=view.sector,
        angle=view.angle + float(rng.uniform(-_ANGLE_JITTER, _ANGLE_JITTER)),
        mirror=view.mirror,
        centre=(view.centre[0] + across, view.centre[1] + along),
        length=view.length * float(rng.uniform(0.94, 1.06)),
    )
