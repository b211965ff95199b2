"""Random scenes for the pretraining: heads in which anything may lie, with yes-or-no answers about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fetal_phantom.acquisition import Acquisition, draw_acquisition
from fetal_phantom.anatomy import FALX_POINTS, draw_head
from fetal_phantom.challenge import Challenge, Range
from fetal_phantom.geometry import Ellipse
from fetal_phantom.head import head_elements
from fetal_phantom.inclusions import KINDS, Inclusion, draw_inclusion
from fetal_phantom.scene import Scene, placed
from fetal_phantom.sector import Sector
from fetal_phantom.surroundings import abdominal_wall, draw_surroundings, uterine_elements
from fetal_phantom.ventricles import LateralVentricles
from fetal_phantom.views import draw_view, jitter_view

# As in data sets that are not hard, for where little is to be seen there is little to learn in a minute.
_CHALLENGES = tuple(Challenge.of(float(difficulty)) for difficulty in np.linspace(0.0, 0.2, 5))
_ATRIUM_MM = Range(3.0, 22.0)
_WIDTHS_MM = (6.0, 9.0, 12.0, 15.0, 18.0)
_MIDLINE_CHANCE = 0.6
_INCLUSION_CHANCE = 0.5

QUESTIONS: tuple[str, ...] = (
    *(f"{kind} inclusion" for kind in KINDS),
    "midline",
    *(f"atrium over {width:g} mm" for width in _WIDTHS_MM),
)


@dataclass(frozen=True, eq=False)
class Scenario:
    """A scene with the way it is looked at, and the answers to `QUESTIONS`, 1 for yes."""

    scene: Scene
    sector: Sector
    acquisition: Acquisition
    answers: tuple[int, ...]


def draw_scenario(rng: np.random.Generator) -> Scenario:
    """Draw a head with ventricles of any width, with or without a midline, with or without an inclusion.

    The parts are drawn apart from each other, so no scene belongs to a class of the data set.
    """
    challenge = _CHALLENGES[int(rng.integers(len(_CHALLENGES)))]
    view = jitter_view(rng, draw_view(rng))
    atrium = _ATRIUM_MM.draw(rng)
    sides = atrium * rng.uniform(0.8, 1.0, 2)
    has_midline = bool(rng.random() < _MIDLINE_CHANCE)
    head = replace(
        draw_head(rng, "normal", challenge),
        ventricles=LateralVentricles(
            (float(sides[0]), float(sides[1])),
            body=float(rng.uniform(0.2, 0.7)),
            choroid_fill=float(rng.uniform(0.3, 0.8)),
        ),
    )
    if not has_midline:
        head = replace(head, falx=(0.0,) * (2 * FALX_POINTS))
    axes = head.skull.semi_axes
    field_mm = 2.0 * axes[0] / view.length
    placement = view.placement(field_mm)
    surroundings = draw_surroundings(rng, axes)
    room = Ellipse(placement.shift, (0.75 * axes[0], 0.75 * axes[1]), view.angle)
    inclusion = draw_inclusion(rng, room, head.brain, field_mm) if rng.random() < _INCLUSION_CHANCE else None
    elements = (
        *placed((*uterine_elements(surroundings), *head_elements(head, 1.0)), placement),
        *(inclusion.elements() if inclusion else ()),
        *abdominal_wall(surroundings, view.sector, field_mm),
    )
    scene = Scene(field_mm, surroundings.uterus, elements)
    answers = _answers(inclusion, has_midline, float(sides.max()))
    return Scenario(scene, view.sector, draw_acquisition(rng, challenge), answers)


def _answers(inclusion: Inclusion | None, has_midline: bool, atrium_mm: float) -> tuple[int, ...]:
    kinds = (int(inclusion is not None and inclusion.kind == kind) for kind in KINDS)
    return (*kinds, int(has_midline), *(int(atrium_mm > width) for width in _WIDTHS_MM))
