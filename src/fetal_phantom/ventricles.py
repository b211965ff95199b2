"""The simulated ventricles, in the head's frame: mm, x towards the forehead, y across the midline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetal_phantom.challenge import VENTRICULOMEGALY_MM, Challenge
from fetal_phantom.geometry import Ellipse, Points, tube

# Half length and half breadth of the brain, mm.
Axes = tuple[float, float]

SIDES = (-1, 1)
_FRONT, _BACK = 0.40, -0.64
# Position of the atrium between the frontal (0) and the occipital end (1): behind the thalami, at the level of the
# parieto-occipital groove, where its width is measured (ISUOG Practice Guidelines, 2020).
_ATRIUM = 0.64
_GAP_TO_MIDLINE_MM = 2.5
_PROGRESS = np.linspace(0.0, 1.0, 20)
_BULGE = np.exp(-(((_PROGRESS - _ATRIUM) / 0.17) ** 2))
_ENDS = np.sqrt(np.clip(np.minimum(_PROGRESS / 0.12, (1.0 - _PROGRESS) / 0.22), 0.0, 1.0))
_ROUND = np.linspace(-1.0, 1.0, 32)
_ROUND_ENDS = np.sqrt(np.clip((1.0 - np.abs(_ROUND)) / 0.2, 0.0, 1.0))


@dataclass(frozen=True)
class LateralVentricles:
    """Two ventricles, one on each side."""

    atria_mm: tuple[float, float]  # widths of both atria
    body: float  # width of the parts in front of the atria, relative to the atria
    choroid_fill: float  # fraction of an atrium's width that the choroid plexus fills

    def outlines(self, axes: Axes, scale: float) -> list[Points]:
        """Return the outline of each ventricle, [2 n, 2], with widths multiplied by `scale`; the atrium is widest."""
        profile = (self.body + (1.0 - self.body) * _BULGE) * _ENDS
        profile /= profile.max()
        return [
            tube(_course(_PROGRESS, axes, width * scale, side), width * scale * profile)
            for width, side in zip(self.atria_mm, SIDES, strict=True)
        ]

    def choroid_plexuses(self, axes: Axes, scale: float) -> list[Ellipse]:
        """Return the choroid plexus of each side, near the outer wall of its atrium."""
        plexuses = []
        for width, side in zip(self.atria_mm, SIDES, strict=True):
            x, y = atrium_centre(axes, width * scale, side)
            breadth = self.choroid_fill * width * scale / 2.0
            outwards = side * 0.7 * (width * scale / 2.0 - breadth)
            centre = (x + 0.04 * axes[0], y + outwards)
            plexuses.append(Ellipse(centre, (0.17 * axes[0], breadth), angle=-side * 0.12))
        return plexuses


@dataclass(frozen=True)
class FusedVentricle:
    """The single ventricle of holoprosencephaly: a horseshoe that is open towards the back.

    Both sides are joined across the midline in front of the fused thalami (Winter et al., RadioGraphics 2015).
    """

    width: float  # width, as a fraction of the brain's half breadth
    reach: float  # angle to which both sides extend towards the back, radians from the front
    radius: float  # distance of its centreline from the centre, as a fraction of the brain's half length and breadth

    def outlines(self, axes: Axes, scale: float) -> list[Points]:
        """Return a list of its one outline, [2 n, 2], with the width multiplied by `scale`."""
        direction = _ROUND * self.reach
        circle = np.stack([np.cos(direction), np.sin(direction)], axis=1) * self.radius
        profile = (0.85 + 0.15 * np.cos(3.0 * direction)) * _ROUND_ENDS
        return [tube((circle - np.array([0.08, 0.0])) * axes, self.width * scale * axes[1] * profile)]


def draw_lateral_ventricles(rng: np.random.Generator, challenge: Challenge, *, enlarged: bool) -> LateralVentricles:
    """Draw two normal or two enlarged ventricles, one of them slightly narrower."""
    width = (challenge.enlarged_atrium_mm if enlarged else challenge.normal_atrium_mm).draw(rng)
    other = max(width * float(rng.uniform(0.85, 1.0)), VENTRICULOMEGALY_MM if enlarged else 0.0)
    return LateralVentricles(
        atria_mm=(width, other) if rng.random() < 0.5 else (other, width),
        body=float(rng.uniform(0.3, 0.7) if enlarged else rng.uniform(0.2, 0.6)),
        choroid_fill=float(rng.uniform(0.3, 0.6) if enlarged else rng.uniform(0.45, 0.8)),
    )


def draw_fused_ventricle(rng: np.random.Generator, challenge: Challenge) -> FusedVentricle:
    """Draw the ventricle of holoprosencephaly."""
    return FusedVentricle(
        width=challenge.monoventricle_width.draw(rng),
        reach=float(rng.uniform(1.9, 2.6)),
        radius=float(rng.uniform(0.40, 0.50)),
    )


def atrium_centre(axes: Axes, width: float, side: int) -> tuple[float, float]:
    """Return the centre of the atrium, `width` mm wide, of one side (-1 or 1)."""
    x, y = _course(np.array([_ATRIUM]), axes, width, side)[0]
    return float(x), float(y)


def _course(progress: NDArray[np.float64], axes: Axes, width: float, side: int) -> Points:
    """Return the centreline of a lateral ventricle at each progress from front (0) to back (1), [n, 2].

    It leaves the midline on its way, further if the ventricle is wide.
    """
    away = 0.15 + 0.30 * np.sin(np.minimum(progress / 0.75, 1.0) * np.pi / 2.0)
    away -= 0.08 * (np.maximum(progress - 0.75, 0.0) / 0.25) ** 2
    least = (width / 2.0 + _GAP_TO_MIDLINE_MM) / (axes[1] * 0.43)
    x = axes[0] * (_FRONT + (_BACK - _FRONT) * progress)
    return np.stack([x, side * axes[1] * away * max(least, 1.0)], axis=1)
