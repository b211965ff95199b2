"""Random scenes for the pretraining: more various than the data set, and with parameters for a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medtransfer.sources.phantom.acquisition import Acquisition, draw_acquisition
from medtransfer.sources.phantom.challenge import Challenge
from medtransfer.sources.phantom.contents import (
    Content,
    draw_bare_content,
    draw_head_content,
    draw_ring_content,
)
from medtransfer.sources.phantom.inclusions import KINDS, Inclusion, draw_inclusions
from medtransfer.sources.phantom.scene import Scene
from medtransfer.sources.phantom.sector import Sector
from medtransfer.sources.phantom.surroundings import abdominal_wall
from medtransfer.sources.phantom.views import View, draw_view

# As in data sets that are not hard, for where little is to be seen there is little to learn.
_CHALLENGES = tuple(Challenge.of(float(difficulty)) for difficulty in np.linspace(0.0, 0.6, 7))
_HEAD_SHARE, _RING_SHARE = 0.45, 0.35


@dataclass(frozen=True, eq=False)
class Scenario:
    """A scene with the way it is looked at, and its parameters by the names of the targets."""

    scene: Scene
    sector: Sector
    acquisition: Acquisition
    truth: dict[str, float]


def draw_scenario(rng: np.random.Generator) -> Scenario:
    """Draw a scene with a head, with a ring in its place, or with neither, and with inclusions."""
    challenge = _CHALLENGES[int(rng.integers(len(_CHALLENGES)))]
    view = _draw_wide_view(rng)
    content = _draw_content(rng, view, challenge)
    inclusions = draw_inclusions(rng, content.room, content.tissue, content.field_mm)
    inner = (element for inclusion in inclusions for element in inclusion.elements())
    wall = abdominal_wall(content.surroundings, view.sector, content.field_mm)
    scene = Scene(content.field_mm, content.surroundings.uterus, (*content.elements, *inner, *wall))
    acquisition = _draw_wide_acquisition(rng, challenge)
    truth = {
        **content.truth,
        **_inclusion_truth(inclusions, content.field_mm),
        **_acquisition_truth(acquisition),
        "tissue_db": content.tissue.echo_db,
        "surrounding_db": content.surroundings.uterus.echo_db,
    }
    return Scenario(scene, view.sector, acquisition, truth)


def _draw_wide_view(rng: np.random.Generator) -> View:
    return replace(
        draw_view(rng),
        angle=float(rng.uniform(-0.7, 0.7)),
        centre=(float(rng.uniform(0.41, 0.59)), float(rng.uniform(0.46, 0.62))),
        length=float(rng.uniform(0.45, 0.85)),
    )


def _draw_wide_acquisition(rng: np.random.Generator, challenge: Challenge) -> Acquisition:
    return replace(
        draw_acquisition(rng, challenge),
        compensated=float(rng.uniform(0.16, 0.36)),
        gain_db=float(rng.uniform(-6.0, 6.0)),
        dynamic_range_db=float(rng.uniform(42.0, 66.0)),
    )


def _draw_content(rng: np.random.Generator, view: View, challenge: Challenge) -> Content:
    choice = rng.random()
    if choice < _HEAD_SHARE:
        return draw_head_content(rng, view, challenge)
    if choice < _HEAD_SHARE + _RING_SHARE:
        return draw_ring_content(rng, view)
    return draw_bare_content(rng, view)


def _inclusion_truth(inclusions: Sequence[Inclusion], field_mm: float) -> dict[str, float]:
    """Number and area of the inclusions of each kind, and where they lie on average.

    The square root of the area's share of the field is taken, for it is nearer to normal.
    """
    truth: dict[str, float] = {}
    for kind in KINDS:
        same = [inclusion for inclusion in inclusions if inclusion.kind == kind]
        truth[f"{kind}_count"] = float(len(same))
        truth[f"{kind}_area"] = sum(inclusion.area_mm2 for inclusion in same) ** 0.5 / field_mm
    if inclusions:
        x, y = np.mean([inclusion.shape.centre for inclusion in inclusions], axis=0) / field_mm
        truth |= {"inclusions_x": float(x), "inclusions_y": float(y)}
    return truth


def _acquisition_truth(acquisition: Acquisition) -> dict[str, float]:
    return {
        "grain": acquisition.grain,
        "smoothing": acquisition.smoothing,
        "clutter_db": acquisition.clutter_db,
        "gain_db": acquisition.gain_db,
        "dynamic_range_db": acquisition.dynamic_range_db,
        "compensated": acquisition.compensated,
        "shadows": float(len(acquisition.shadows)),
    }
