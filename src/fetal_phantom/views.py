"""The position of a simulated head in the field of view."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fetal_phantom.geometry import Placement
from fetal_phantom.sector import SECTORS, Sector

_LARGEST_ANGLE = np.deg2rad(25.0)
_ANGLE_JITTER = np.deg2rad(6.0)
_SHIFT_JITTER = 0.03


@dataclass(frozen=True)
class View:
    """A probe's field of view and the head in it; lengths are fractions of the image's side."""

    sector: Sector  # the field of view
    angle: float  # angle of the head's long axis to the horizontal, radians, clockwise in the image
    mirror: tuple[int, int]  # 1 or -1 along and across the head's long axis
    centre: tuple[float, float]  # centre of the head
    length: float  # length of the head

    def field_mm(self, half_length: float) -> float:
        """Return the image's side in mm, for a head of the given half length (mm)."""
        return 2.0 * half_length / self.length

    def placement(self, field_mm: float) -> Placement:
        """Return the motion from the head's frame into a scan plane with the given side."""
        return Placement(self.angle, (self.centre[0] * field_mm, self.centre[1] * field_mm), self.mirror)


def draw_view(rng: np.random.Generator) -> View:
    """Draw a view; even with the jitter between frames the head is within 25 degrees of the horizontal."""
    limit = _LARGEST_ANGLE - _ANGLE_JITTER
    return View(
        sector=SECTORS[int(rng.integers(len(SECTORS)))],
        angle=float(rng.uniform(-limit, limit)),
        mirror=(1 if rng.random() < 0.5 else -1, 1 if rng.random() < 0.5 else -1),
        centre=(float(rng.uniform(0.46, 0.54)), float(rng.uniform(0.52, 0.58))),
        length=float(rng.uniform(0.66, 0.80)),
    )


def jitter_view(rng: np.random.Generator, view: View) -> View:
    """Return the view after a small movement of the probe and a small change of the zoom."""
    across, along = rng.uniform(-_SHIFT_JITTER, _SHIFT_JITTER, 2).tolist()
    return replace(
        view,
        angle=view.angle + float(rng.uniform(-_ANGLE_JITTER, _ANGLE_JITTER)),
        centre=(view.centre[0] + across, view.centre[1] + along),
        length=view.length * float(rng.uniform(0.94, 1.06)),
    )
