"""The anatomy of a simulated fetal head in the transventricular plane, and the class that follows from it.

The head's frame is in mm: origin at its centre, x towards the forehead, y across the midline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fetal_phantom.challenge import GRADES_FROM_MM, VENTRICULOMEGALY_MM, Challenge, Range
from fetal_phantom.geometry import Ellipse, Points, Wobble
from fetal_phantom.tissue import BRAIN, Tissue
from fetal_phantom.ventricles import (
    SIDES,
    Axes,
    FusedVentricle,
    LateralVentricles,
    atrium_centre,
    draw_fused_ventricle,
    draw_lateral_ventricles,
)

CLASSES: tuple[str, ...] = ("normal", "ventriculomegaly", "cyst", "mass", "holoprosencephaly")
GRADES: tuple[str, ...] = ("none", "mild", "moderate", "severe")
CLASS_SHARES: tuple[float, ...] = (0.32, 0.23, 0.19, 0.15, 0.11)

# The biparietal diameters are those of the second half of pregnancy. The cephalic index, breadth over length
# of the head, is 78.3 % with a standard deviation of 4.4 % (Hadlock et al., AJR 1981).
BIPARIETAL_MM = Range(65.0, 95.0)
CEPHALIC_INDEX = Range(0.70, 0.86)
# One standard deviation to either side.
USUAL_INDEX = Range(0.74, 0.83)
# In each half of the midline, in front of the cavum and behind it.
FALX_POINTS = 8


@dataclass(frozen=True)
class Lesion:
    """A cyst or mass in the head's frame; `contrast_db` is its echo relative to the brain."""

    kind: Literal["cyst", "mass"]
    shape: Ellipse
    contrast_db: float


@dataclass(frozen=True, eq=False)
class Head:
    """A simulated head."""

    biparietal_diameter_mm: float  # outer breadth
    cephalic_index: float  # breadth over length
    contour: Wobble  # deviation of the skull from an ellipse
    skull_mm: float  # thickness of the skull
    brain: Tissue
    sutures: tuple[float, ...]  # directions in which the skull hardly reflects, radians
    falx: tuple[float, ...]  # echo amplitude at equally spaced points of the midline, relative to uterine muscle
    cavum_mm: float  # breadth of the cavum septi pellucidi
    ventricles: LateralVentricles | FusedVentricle  # fused in holoprosencephaly
    lesion: Lesion | None
    sulci: tuple[Points, ...]  # courses of small bright interfaces, each [n, 2]

    @property
    def skull(self) -> Ellipse:
        """The skull's outer outline."""
        breadth = self.biparietal_diameter_mm / 2.0
        return Ellipse((0.0, 0.0), (breadth / self.cephalic_index, breadth), wobble=self.contour)

    @property
    def brain_axes(self) -> Axes:
        """Half length and half breadth of the inside of the skull."""
        length, breadth = self.skull.semi_axes
        return length - self.skull_mm, breadth - self.skull_mm

    @property
    def atrial_width_mm(self) -> float | None:
        """The larger of the two atrial widths; None if the ventricles are fused."""
        return max(self.ventricles.atria_mm) if isinstance(self.ventricles, LateralVentricles) else None

    @property
    def shapes(self) -> list[str]:
        """The name of the shape of the head, if its cephalic index is out of the usual range."""
        long, short = self.cephalic_index < USUAL_INDEX.low, self.cephalic_index > USUAL_INDEX.high
        return ["dolichocephaly"] * long + ["brachycephaly"] * short

    @property
    def ventriculomegaly(self) -> str | None:
        """The grade of ventriculomegaly, by the larger atrial width; None if the ventricles are fused."""
        width = self.atrial_width_mm
        return None if width is None else GRADES[int(np.searchsorted(GRADES_FROM_MM, width, side="right"))]


def classify(head: Head) -> str:
    """Return the class of a head's anatomy.

    Ventricles fused across a missing midline are holoprosencephaly; an atrium of 10 mm or more is ventriculomegaly
    (ISUOG Practice Guidelines, 2020).
    """
    width = head.atrial_width_mm
    if width is None:
        return "holoprosencephaly"
    if head.lesion is not None:
        return head.lesion.kind
    return "ventriculomegaly" if width >= VENTRICULOMEGALY_MM else "normal"


def draw_head(rng: np.random.Generator, condition: str, challenge: Challenge) -> Head:
    """Draw a head with a condition, one of `CLASSES`."""
    breadth, index = BIPARIETAL_MM.draw(rng), CEPHALIC_INDEX.draw(rng)
    skull_mm = float(rng.uniform(2.2, 3.4))
    axes = (breadth / 2.0 / index - skull_mm, breadth / 2.0 - skull_mm)
    lateral = draw_lateral_ventricles(rng, challenge, enlarged=condition == "ventriculomegaly")
    fused = draw_fused_ventricle(rng, challenge)
    return Head(
        biparietal_diameter_mm=breadth,
        cephalic_index=index,
        contour=Wobble.draw(rng, 0.012, 4),
        skull_mm=skull_mm,
        brain=BRAIN.shifted(float(rng.uniform(-3.0, 3.0))),
        sutures=tuple(rng.uniform(0.0, 2.0 * np.pi, 3).tolist()),
        falx=_draw_falx(rng, challenge),
        cavum_mm=float(rng.uniform(3.0, 6.5)),
        ventricles=fused if condition == "holoprosencephaly" else lateral,
        lesion=_draw_lesion(rng, condition, axes, lateral, challenge),
        sulci=_draw_sulci(rng, axes),
    )


def _draw_falx(rng: np.random.Generator, challenge: Challenge) -> tuple[float, ...]:
    """Draw the echoes of the midline, patchy because parts of it are outside the plane."""
    strengths = challenge.falx_strength.draw(rng) * rng.uniform(0.35, 1.0, 2 * FALX_POINTS)
    return tuple(strengths.tolist())


def _draw_lesion(
    rng: np.random.Generator, condition: str, axes: Axes, ventricles: LateralVentricles, challenge: Challenge
) -> Lesion | None:
    if condition not in ("cyst", "mass"):
        return None
    is_cyst = condition == "cyst"
    radius = challenge.lesion_radius.draw(rng) * axes[1]
    stretch = float(rng.uniform(1.0, 1.35 if is_cyst else 1.2))
    wobble = Wobble.draw(rng, 0.03 if is_cyst else 0.13, 5)
    shape = Ellipse(
        centre=_free_place(rng, radius * stretch * 1.1, axes, ventricles),
        semi_axes=(radius * stretch, radius / stretch),
        angle=float(rng.uniform(0.0, np.pi)),
        wobble=wobble,
    )
    contrast = challenge.cyst_contrast_db if is_cyst else challenge.mass_contrast_db
    return Lesion("cyst" if is_cyst else "mass", shape, contrast.draw(rng))


def _free_place(
    rng: np.random.Generator, reach: float, axes: Axes, ventricles: LateralVentricles
) -> tuple[float, float]:
    """Draw a centre inside the brain for a lesion of the given reach, clear of both atria if 12 draws find one."""
    room = Ellipse((0.0, 0.0), (axes[0] * 0.9 - reach, axes[1] * 0.94 - reach))
    for _ in range(12):
        centre = room.draw_inside(rng)
        gaps = [
            np.hypot(*np.subtract(centre, atrium_centre(axes, width, side))) - reach - width / 2.0
            for width, side in zip(ventricles.atria_mm, SIDES, strict=True)
        ]
        if min(gaps) > 0.0:
            break
    return centre


def _draw_sulci(rng: np.random.Generator, axes: Axes) -> tuple[Points, ...]:
    """Draw short arcs roughly parallel to the skull."""
    count = int(rng.integers(6, 14))
    depth = rng.uniform(0.5, 0.9, count)
    start = rng.uniform(0.0, 2.0 * np.pi, count)
    extent = rng.uniform(0.1, 0.35, count)
    bend = rng.uniform(-0.12, 0.12, count)
    progress = np.linspace(0.0, 1.0, 5)
    phase = start[:, None] + extent[:, None] * progress
    radius = depth[:, None] + bend[:, None] * progress
    arcs = np.stack([axes[0] * radius * np.cos(phase), axes[1] * radius * np.sin(phase)], axis=2)
    return tuple(arcs)
