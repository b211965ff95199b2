"""Simulated scenes with yes-or-no questions about their contents, for a short pretraining."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fetal_phantom.acquisition import Acquisition, acquire, draw_acquisition
from fetal_phantom.anatomy import FALX_POINTS, draw_head
from fetal_phantom.arguments import SMALLEST_SIZE, Stream, generator, require_at_least
from fetal_phantom.challenge import Challenge, Range
from fetal_phantom.geometry import Ellipse, Placement, Points, Wobble
from fetal_phantom.head import head_elements
from fetal_phantom.scene import Element, Region, Scene, placed
from fetal_phantom.sector import Sector, polar_grid
from fetal_phantom.surroundings import abdominal_wall, draw_surroundings, uterine_elements
from fetal_phantom.tissue import FLUID, Tissue
from fetal_phantom.ventricles import LateralVentricles
from fetal_phantom.views import draw_view, jitter_view

# Easy scenes: there is little to learn in a minute from structures that are hardly visible.
_CHALLENGES = tuple(Challenge.of(float(difficulty)) for difficulty in np.linspace(0.0, 0.2, 5))
_ATRIUM_MM = Range(3.0, 22.0)
_WIDTHS_MM = (6.0, 9.0, 12.0, 15.0, 18.0)
_MIDLINE_CHANCE = 0.6
_INCLUSION_CHANCE = 0.5

KINDS: tuple[str, ...] = ("anechoic", "hypoechoic", "hyperechoic", "heterogeneous", "striped")
QUESTIONS: tuple[str, ...] = (
    *(f"{kind} inclusion" for kind in KINDS),
    "midline",
    *(f"atrium over {width:g} mm" for width in _WIDTHS_MM),
)


def pretraining_set(count: int, size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], tuple[str, ...]]:
    """Simulate scenes with questions about tissues and measures, not about any class of the data set.

    Image `i` and its answers depend only on `seed`, `size` and `i`, so a smaller set is the start of a larger one.

    Args:
        count: number of images, at least 0.
        size: side of the images in pixels, at least 32.
        seed: seed of all random numbers, at least 0.

    Returns:
        Images, [count, size, size], 0 to 255; answers, [count, q], 0 or 1; and the q questions.

    Raises:
        ValueError: if an argument is out of range.
    """
    require_at_least(0, count=count, seed=seed)
    require_at_least(SMALLEST_SIZE, size=size)
    images = np.empty((count, size, size), np.uint8)
    answers = np.empty((count, len(QUESTIONS)), np.float32)
    for index in range(count):
        rng = generator(Stream.PRETRAINING, seed, index)
        scenario = draw_scenario(rng)
        images[index] = acquire(scenario.scene, polar_grid(scenario.sector, size), scenario.acquisition, rng)
        answers[index] = scenario.answers
    return images, answers, QUESTIONS


@dataclass(frozen=True, eq=False)
class Scenario:
    """A scene, the settings of its acquisition, and the answers to `QUESTIONS`, 1 for yes."""

    scene: Scene
    sector: Sector
    acquisition: Acquisition
    answers: tuple[int, ...]


def draw_scenario(rng: np.random.Generator) -> Scenario:
    """Draw a head with ventricles of any width, with or without a midline, with or without an inclusion.

    The parts are drawn independently, so no scene belongs to a class of the data set.
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
    field_mm = view.field_mm(axes[0])
    placement = view.placement(field_mm)
    surroundings = draw_surroundings(rng, axes)
    room = Ellipse(placement.shift, (0.75 * axes[0], 0.75 * axes[1]), view.angle)
    inclusion = draw_inclusion(rng, room, head.brain, field_mm) if rng.random() < _INCLUSION_CHANCE else None
    elements = (
        *placed((*uterine_elements(surroundings), *head_elements(head, 1.0)), placement),
        *(inclusion.elements() if inclusion else ()),
        *abdominal_wall(surroundings, view.sector, field_mm),
    )
    answers = (
        *(int(inclusion is not None and inclusion.kind == kind) for kind in KINDS),
        int(has_midline),
        *(int(sides.max() > width) for width in _WIDTHS_MM),
    )
    scene = Scene(field_mm, surroundings.uterus, elements)
    return Scenario(scene, view.sector, draw_acquisition(rng, challenge), answers)


@dataclass(frozen=True)
class Inclusion:
    """A patch of one of `KINDS` in the scan plane (mm), surrounded by the tissue `around`."""

    kind: str
    shape: Ellipse
    around: Tissue
    contrast_db: float
    stripes: int

    def elements(self) -> tuple[Element, ...]:
        """Return the inclusion as regions of tissue."""
        patch = Region(self.shape.points(), self._tissue())
        if self.kind != "striped":
            return (patch,)
        bright = self.around.shifted(self.contrast_db + 4.0)
        return (patch, *(Region(stripe, bright) for stripe in self._stripes()))

    def _tissue(self) -> Tissue:
        bright = Tissue(self.around.echo_db + self.contrast_db, attenuation=0.45, mottle_db=1.0)
        return {
            "anechoic": FLUID,
            "hypoechoic": self.around.shifted(-0.7 * self.contrast_db),
            "hyperechoic": bright,
            "heterogeneous": replace(bright, mottle_db=7.0),
            "striped": self.around.shifted(-0.5 * self.contrast_db),
        }[self.kind]

    def _stripes(self) -> list[Points]:
        """Return the corners of parallel bands across the smooth ellipse, each [4, 2]."""
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
