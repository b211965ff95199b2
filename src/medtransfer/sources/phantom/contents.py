"""The main part of a random scene for the pretraining: a head, a ring in its place, or bare tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medtransfer.sources.phantom.anatomy import FALX_POINTS, draw_head
from medtransfer.sources.phantom.challenge import Challenge, Range
from medtransfer.sources.phantom.geometry import Ellipse, Placement, Points, Wobble, closed, tube
from medtransfer.sources.phantom.head import head_elements
from medtransfer.sources.phantom.scene import Element, Reflector, Region, placed
from medtransfer.sources.phantom.surroundings import Surroundings, draw_surroundings, uterine_elements
from medtransfer.sources.phantom.tissue import BRAIN, FLUID, UTERUS, Tissue
from medtransfer.sources.phantom.ventricles import LateralVentricles
from medtransfer.sources.phantom.views import View

_GAP_MM = Range(3.0, 22.0)
_LINE_CHANCE = 0.6


@dataclass(frozen=True, eq=False)
class Content:
    """The main part of a scene in the scan plane.

    Attributes:
        field_mm: side of the field of view.
        elements: what to paint.
        room: where inclusions may lie.
        tissue: what surrounds them.
        surroundings: what lies outside.
        truth: the parameters of this part, by the names of the targets.
    """

    field_mm: float
    elements: tuple[Element, ...]
    room: Ellipse
    tissue: Tissue
    surroundings: Surroundings
    truth: dict[str, float]


def draw_head_content(rng: np.random.Generator, view: View, challenge: Challenge) -> Content:
    """A head with ventricles of any width, with or without a midline."""
    atria = _GAP_MM.draw(rng) * rng.uniform(0.8, 1.0, 2)
    ventricles = LateralVentricles(
        (float(atria[0]), float(atria[1])),
        body=float(rng.uniform(0.2, 0.7)),
        choroid_fill=float(rng.uniform(0.3, 0.8)),
    )
    has_line = bool(rng.random() < _LINE_CHANCE)
    head = replace(draw_head(rng, "normal", challenge), ventricles=ventricles)
    if not has_line:
        head = replace(head, falx=(0.0,) * (2 * FALX_POINTS))
    axes = head.skull.semi_axes
    field_mm = 2.0 * axes[0] / view.length
    surroundings = draw_surroundings(rng, axes)
    placement = view.placement(field_mm)
    elements = placed((*uterine_elements(surroundings), *head_elements(head, 1.0)), placement)
    room = Ellipse(placement.shift, (0.75 * axes[0], 0.75 * axes[1]), view.angle)
    truth = {
        **_ellipse_truth(view, axes, field_mm),
        **_line_truth(view.angle if has_line else None),
        "gap_width": max(atria) / field_mm,
    }
    return Content(field_mm, elements, room, head.brain, surroundings, truth)


def draw_ring_content(rng: np.random.Generator, view: View) -> Content:
    """An elliptic ring around homogeneous tissue, with or without gaps of fluid and a line across."""
    field_mm = float(rng.uniform(100.0, 160.0))
    length = view.length * field_mm / 2.0
    axes = (length, length * float(rng.uniform(0.6, 0.95)))
    ring = Ellipse((0.0, 0.0), axes, wobble=Wobble.draw(rng, 0.03, 5))
    tissue = BRAIN.shifted(float(rng.uniform(-8.0, 10.0)))
    surroundings = draw_surroundings(rng, axes)
    wall = Reflector(closed(ring.points(64)), float(rng.uniform(0.8, 3.5)), float(rng.uniform(1.0, 10.0)))
    elements = (*uterine_elements(surroundings), Region(ring.points(64), tissue), wall)
    room = Ellipse((0.0, 0.0), (0.75 * axes[0], 0.75 * axes[1]))
    inner, truth = _draw_inner(rng, room, view, field_mm)
    placement = view.placement(field_mm)
    return Content(
        field_mm,
        placed((*elements, *inner), placement),
        replace(room, centre=placement.shift, angle=view.angle),
        tissue,
        surroundings,
        {**_ellipse_truth(view, axes, field_mm), **truth},
    )


def draw_bare_content(rng: np.random.Generator, view: View) -> Content:
    """Tissue without any outline, with or without gaps of fluid and a line across."""
    field_mm = float(rng.uniform(100.0, 160.0))
    room = Ellipse((0.0, 0.0), (0.32 * field_mm, 0.28 * field_mm))
    surroundings = draw_surroundings(rng, room.semi_axes)
    tissue = UTERUS.shifted(float(rng.uniform(-14.0, 0.0)))
    inner, truth = _draw_inner(rng, room, view, field_mm)
    placement = view.placement(field_mm)
    return Content(
        field_mm,
        placed(inner, placement) if inner else (),
        replace(room, centre=placement.shift, angle=view.angle),
        tissue,
        replace(surroundings, uterus=tissue),
        {"ellipse_present": 0.0, **truth},
    )


def _draw_inner(
    rng: np.random.Generator, room: Ellipse, view: View, field_mm: float
) -> tuple[list[Element], dict[str, float]]:
    """Gaps of fluid and a line, in the frame of the room, with their parameters in the scan plane."""
    elements: list[Element] = []
    widths = [_GAP_MM.draw(rng) for _ in range(int(rng.integers(0, 3)))]
    for width in widths:
        gap = _draw_gap(rng, room, width)
        elements += [Region(gap, FLUID), Reflector(closed(gap), 0.8, float(rng.uniform(0.3, 1.5)))]
    angle = None
    if rng.random() < _LINE_CHANCE:
        tilt = float(rng.uniform(-0.6, 0.6))
        direction = np.array([np.cos(tilt), np.sin(tilt)])
        line = np.linspace(-1.1, 1.1, FALX_POINTS)[:, None] * room.semi_axes[1] * direction
        elements.append(Reflector(line, 1.1, rng.uniform(0.5, 3.0) * rng.uniform(0.4, 1.0, FALX_POINTS)))
        angle = view.angle + tilt * view.mirror[0] * view.mirror[1]
    return elements, {**_line_truth(angle), "gap_width": max(widths, default=0.0) / field_mm}


def _draw_gap(rng: np.random.Generator, room: Ellipse, width: float) -> Points:
    """Outline of a curved gap whose widest place has the given width."""
    progress = np.linspace(-1.0, 1.0, 16)
    half = float(rng.uniform(0.35, 0.7)) * room.semi_axes[0]
    bend = float(rng.uniform(-0.5, 0.5)) * half
    course = np.stack([half * progress, bend * progress**2], axis=1)
    middle = Ellipse((0.0, 0.0), (0.7 * room.semi_axes[0], 0.7 * room.semi_axes[1])).draw_inside(rng)
    moved = Placement(float(rng.uniform(-0.6, 0.6)), middle).apply(course)
    return tube(moved, width * np.sqrt(1.0 - 0.98 * progress**4))


def _ellipse_truth(view: View, axes: tuple[float, float], field_mm: float) -> dict[str, float]:
    return {
        "ellipse_present": 1.0,
        "ellipse_x": view.centre[0],
        "ellipse_y": view.centre[1],
        "ellipse_length": 2.0 * axes[0] / field_mm,
        "ellipse_breadth": 2.0 * axes[1] / field_mm,
        "ellipse_angle": view.angle,
    }


def _line_truth(angle: float | None) -> dict[str, float]:
    return {"line_present": 0.0} if angle is None else {"line_present": 1.0, "line_angle": angle}
