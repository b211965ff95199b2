"""What the pretraining task asks for: the parameters of a simulated scene, scaled by constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Target:
    """A parameter of the scene, with the mean and the standard deviation that it has over many scenes."""

    name: str
    mean: float
    deviation: float


# Means and deviations follow from the ranges that scenes are drawn from.
TARGETS: tuple[Target, ...] = (
    Target("ellipse_present", 0.803, 0.4),
    Target("ellipse_x", 0.5, 0.052),
    Target("ellipse_y", 0.539, 0.047),
    Target("ellipse_length", 0.65, 0.12),
    Target("ellipse_breadth", 0.506, 0.1),
    Target("ellipse_angle", 0.0, 0.4),
    Target("line_present", 0.596, 0.49),
    Target("line_angle", 0.0, 0.48),
    Target("gap_width", 0.0741, 0.053),
    Target("anechoic_count", 0.297, 0.54),
    Target("anechoic_area", 0.0343, 0.061),
    Target("hypoechoic_count", 0.307, 0.55),
    Target("hypoechoic_area", 0.0351, 0.061),
    Target("hyperechoic_count", 0.303, 0.54),
    Target("hyperechoic_area", 0.0348, 0.061),
    Target("heterogeneous_count", 0.298, 0.54),
    Target("heterogeneous_area", 0.0344, 0.061),
    Target("striped_count", 0.297, 0.53),
    Target("striped_area", 0.0343, 0.061),
    Target("inclusions_x", 0.501, 0.11),
    Target("inclusions_y", 0.541, 0.099),
    Target("grain", 1.13, 0.16),
    Target("smoothing", 0.499, 0.13),
    Target("clutter_db", -33.2, 2.8),
    Target("gain_db", -0.0345, 3.5),
    Target("dynamic_range_db", 54, 6.9),
    Target("compensated", 0.26, 0.058),
    Target("shadows", 0.328, 0.53),
    Target("tissue_db", -14.7, 5.4),
    Target("surrounding_db", -4.98, 3.1),
)


def scaled(truth: Mapping[str, float]) -> NDArray[np.float32]:
    """The targets of a scene, [d], each of about zero mean and unit variance over many scenes.

    `truth` holds each target's parameter by its name. One that the scene does not have, such as the position
    of a missing ellipse, is left out and becomes 0, the mean.
    """
    values = [(truth.get(target.name, target.mean) - target.mean) / target.deviation for target in TARGETS]
    return np.array(values, np.float32)
