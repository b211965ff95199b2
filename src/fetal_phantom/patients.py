"""Simulated patients, and the frames in which they are seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetal_phantom.acquisition import acquire, draw_acquisition
from fetal_phantom.anatomy import CLASS_SHARES, CLASSES, Head, classify, draw_head
from fetal_phantom.arguments import Stream, generator
from fetal_phantom.challenge import Challenge
from fetal_phantom.geometry import polygon_area, polygon_mask
from fetal_phantom.head import head_elements, lesion_outlines
from fetal_phantom.scene import Scene, placed
from fetal_phantom.sector import polar_grid
from fetal_phantom.surroundings import Surroundings, abdominal_wall, draw_surroundings, uterine_elements
from fetal_phantom.views import View, draw_view, jitter_view

_GOLDEN_RATIO = (np.sqrt(5.0) - 1.0) / 2.0
_SMALLEST_PLANE = 0.88


@dataclass(frozen=True, eq=False)
class Patient:
    """A simulated patient; `label` is the class of the anatomy of `head`."""

    index: int
    head: Head
    label: str
    surroundings: Surroundings
    view: View
    frames: int

    @property
    def name(self) -> str:
        """Start of the names of the patient's files."""
        return f"patient{self.index:04d}"


@dataclass(frozen=True, eq=False)
class Frame:
    """A simulated frame and the truth about it."""

    image: NDArray[np.uint8]  # grey levels, [size, size], uint8
    mask: NDArray[np.bool_]  # True at abnormal structures, [size, size], bool
    view: View  # position of the head in this frame
    plane: float  # size of ventricles and lesion in this plane, relative to their largest section
    lesion_area_mm2: float  # area of the abnormal structures in this plane, from their outlines
    pixel_spacing_mm: float  # side of a pixel


def draw_patient(seed: int, index: int, frames: int, challenge: Challenge) -> Patient:
    """Draw a patient with 2 to `frames` frames, or with 1 if `frames` is 1."""
    rng = generator(Stream.PATIENT, seed, index)
    head = draw_head(rng, _condition(seed, index), challenge)
    surroundings = draw_surroundings(rng, head.skull.semi_axes)
    view = draw_view(rng)
    count = 1 if frames == 1 else int(rng.integers(2, frames + 1))
    return Patient(index, head, classify(head), surroundings, view, count)


def _condition(seed: int, index: int) -> str:
    """Return the condition of a patient.

    Multiples of the golden ratio, modulo 1, cover the unit interval evenly, so the classes of any number of patients
    are close to their planned frequencies, although no patient depends on that number.
    """
    start = generator(Stream.CLASSES, seed).random()
    position = (start + index * _GOLDEN_RATIO) % 1.0
    return CLASSES[int(np.searchsorted(np.cumsum(CLASS_SHARES)[:-1], position, side="right"))]


def render(patient: Patient, number: int, size: int, seed: int, challenge: Challenge) -> Frame:
    """Simulate frame `number`, from 1, of a patient; it depends only on the arguments."""
    rng = generator(Stream.FRAME, seed, patient.index, number)
    view = jitter_view(rng, patient.view)
    plane = float(rng.uniform(_SMALLEST_PLANE, 1.0))
    field_mm = view.field_mm(patient.head.skull.semi_axes[0])
    placement = view.placement(field_mm)
    contents = (*uterine_elements(patient.surroundings), *head_elements(patient.head, plane))
    wall = abdominal_wall(patient.surroundings, view.sector, field_mm)
    scene = Scene(field_mm, patient.surroundings.uterus, (*placed(contents, placement), *wall))
    outlines = lesion_outlines(patient.head, plane)
    mask = np.zeros((size, size), bool)
    for outline in outlines:
        mask |= polygon_mask(placement.apply(outline) * (size / field_mm), size)
    image = acquire(scene, polar_grid(view.sector, size), draw_acquisition(rng, challenge), rng)
    area = sum(polygon_area(outline) for outline in outlines)
    return Frame(image, mask, view, plane, area, field_mm / size)
