"""The surroundings of the simulated head: abdominal wall, uterus, amniotic fluid and placenta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantom.geometry import Ellipse, Points, Wobble
from fetal_phantom.scene import Element, Reflector, Region
from fetal_phantom.sector import Sector
from fetal_phantom.tissue import FLUID, PLACENTA, UTERUS, Tissue

# Slightly wider than the sector, so that layers do not end inside it.
_FAN = np.linspace(-1.05, 1.05, 11)


@dataclass(frozen=True)
class Surroundings:
    """Surroundings of one head."""

    fluid: Ellipse | None  # pocket of amniotic fluid, in the head's frame (mm); None if the uterus is close
    uterus: Tissue  # tissue of the uterine wall
    placenta: Ellipse  # brighter part of the uterus, in the head's frame (mm)
    layers: tuple[float, ...]  # depths of the interfaces in the abdominal wall, as fractions of the recorded depth


def draw_surroundings(rng: np.random.Generator, head_axes: tuple[float, float]) -> Surroundings:
    """Draw the surroundings of a head with the given outer semi-axes (mm)."""
    length, breadth = head_axes
    drift, widening = rng.uniform(-0.15, 0.15, 2), rng.uniform(0.0, 0.45, 2)
    fluid = Ellipse(
        centre=(float(drift[0] * length), float(drift[1] * breadth)),
        semi_axes=(float(length * (1.0 + widening[0])), float(breadth * (1.0 + widening[1]))),
        wobble=Wobble.draw(rng, 0.06, 4),
    )
    direction = rng.uniform(0.0, 2.0 * np.pi)
    placenta = Ellipse(
        centre=(float(1.5 * length * np.cos(direction)), float(1.6 * breadth * np.sin(direction))),
        semi_axes=(float(rng.uniform(0.5, 0.9) * length), float(rng.uniform(0.3, 0.7) * breadth)),
        angle=float(direction + np.pi / 2.0),
        wobble=Wobble.draw(rng, 0.08, 4),
    )
    depths = np.sort(rng.uniform(0.0, 0.13, int(rng.integers(3, 7))))
    return Surroundings(
        fluid=fluid if rng.random() < 0.85 else None,
        uterus=UTERUS.shifted(float(rng.uniform(-9.0, 0.0))),
        placenta=placenta,
        layers=tuple(depths.tolist()),
    )


def uterine_elements(surroundings: Surroundings) -> tuple[Element, ...]:
    """Return placenta and amniotic fluid, in the head's frame; paint them before the head."""
    placenta = Region(surroundings.placenta.points(), PLACENTA)
    if surroundings.fluid is None:
        return (placenta,)
    return (placenta, Region(surroundings.fluid.points(64), FLUID))


def abdominal_wall(surroundings: Surroundings, sector: Sector, field_mm: float) -> tuple[Element, ...]:
    """Return the layers next to the probe, in the scan plane (mm); paint them over the uterus and its contents."""
    depths = (-0.05, *surroundings.layers, max(surroundings.layers) + 0.01)
    face, *layers, end = _arcs(sector, depths) * field_mm
    tissue = Region(np.concatenate([face, end[::-1]]), surroundings.uterus)
    return (tissue, *(Reflector(layer, 0.9, 4.0) for layer in layers))


def _arcs(sector: Sector, depths: tuple[float, ...]) -> Points:
    """Return lines of equal depth across the sector, [depths, n, 2], as fractions of the image's side."""
    angle = _FAN * sector.half_angle
    radius = sector.near + np.array(depths)[:, None, None] * (sector.far - sector.near)
    arcs: Points = radius * np.stack([np.sin(angle), np.cos(angle)], axis=1) + (0.5, -sector.apex)
    return arcs
