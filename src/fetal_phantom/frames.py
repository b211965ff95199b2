"""One simulated frame: a patient's head seen once, with the mask of what is abnormal in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetal_phantom.acquisition import acquire, draw_acquisition
from fetal_phantom.challenge import Challenge
from fetal_phantom.geometry import polygon_area, polygon_mask
from fetal_phantom.head import head_elements, lesion_outlines
from fetal_phantom.patients import Patient
from fetal_phantom.scene import Scene, placed
from fetal_phantom.sector import polar_grid
from fetal_phantom.streams import Stream, generator
from fetal_phantom.surroundings import abdominal_wall, uterine_elements
from fetal_phantom.views import View, jitter_view

_SMALLEST_PLANE = 0.88


@dataclass(frozen=True, eq=False)
class Frame:
    """A simulated frame and the truth about it.

    Attributes:
        image: grey levels, [size, size], uint8.
        mask: what is abnormal, [size, size], bool.
        view: how the head lies in this frame.
        plane: size of ventricles and lesion in this plane relative to their largest section.
        lesion_area_mm2: area of what is abnormal in this plane, from its outline.
        pixel_spacing_mm: side of a pixel.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    view: View
    plane: float
    lesion_area_mm2: float
    pixel_spacing_mm: float


def render(patient: Patient, number: int, size: int, seed: int, challenge: Challenge) -> Frame:
    """Simulate frame `number`, from 1, of a patient; it depends on nothing but the arguments."""
    rng = generator(Stream.FRAME, seed, patient.index, number)
    view = jitter_view(rng, patient.view)
    plane = float(rng.uniform(_SMALLEST_PLANE, 1.0))
    field_mm = 2.0 * patient.head.skull.semi_axes[0] / view.length
    placement = view.placement(field_mm)
    scene = _scene(patient, view, plane, field_mm)
    outlines = lesion_outlines(patient.head, plane)
    mask = np.zeros((size, size), bool)
    for outline in outlines:
        mask |= polygon_mask(placement.apply(outline) * (size / field_mm), size)
    image = acquire(scene, polar_grid(view.sector, size), draw_acquisition(rng, challenge), rng)
    area = sum(polygon_area(outline) for outline in outlines)
    return Frame(image, mask, view, plane, area, field_mm / size)


def _scene(patient: Patient, view: View, plane: float, field_mm: float) -> Scene:
    placement = view.placement(field_mm)
    inner = (*uterine_elements(patient.surroundings), *head_elements(patient.head, plane))
    wall = abdominal_wall(patient.surroundings, view.sector, field_mm)
    return Scene(field_mm, patient.surroundings.uterus, (*placed(inner, placement), *wall))
