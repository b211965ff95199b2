"""Simulated patients: a head, its surroundings and a view of it, by seed and index alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantom.anatomy import CLASS_SHARES, CLASSES, Head, classify, draw_head
from fetal_phantom.challenge import Challenge
from fetal_phantom.streams import Stream, generator
from fetal_phantom.surroundings import Surroundings, draw_surroundings
from fetal_phantom.views import View, draw_view

_GOLDEN_RATIO = (np.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True, eq=False)
class Patient:
    """A simulated patient; `label` is what the anatomy of `head` amounts to."""

    index: int
    head: Head
    label: str
    surroundings: Surroundings
    view: View
    frames: int

    @property
    def name(self) -> str:
        """What the patient's files start with."""
        return f"patient{self.index:04d}"


def draw_patient(seed: int, index: int, frames: int, challenge: Challenge) -> Patient:
    """Draw a patient with 2 to `frames` frames, or 1 where `frames` is 1."""
    rng = generator(Stream.PATIENT, seed, index)
    head = draw_head(rng, _condition(seed, index), challenge)
    surroundings = draw_surroundings(rng, head.skull.semi_axes)
    view = draw_view(rng)
    count = 1 if frames == 1 else int(rng.integers(2, frames + 1))
    return Patient(index, head, classify(head), surroundings, view, count)


def _condition(seed: int, index: int) -> str:
    """The condition to draw for a patient.

    Multiples of the golden ratio, modulo 1, cover the unit interval evenly however many are taken, so that
    every number of patients comes close to the shares of the classes, yet no patient depends on that number.
    """
    start = generator(Stream.CLASSES, seed).random()
    position = (start + index * _GOLDEN_RATIO) % 1.0
    return CLASSES[int(np.searchsorted(np.cumsum(CLASS_SHARES)[:-1], position, side="right"))]
