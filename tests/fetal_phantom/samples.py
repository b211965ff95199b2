"""Settings, and frames of chosen classes, for the tests of the simulation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from hypothesis import strategies as st

from fetal_phantom.challenge import Challenge
from fetal_phantom.patients import Frame, Patient, draw_patient, render

SETTINGS = {"patients": 40, "frames": 3, "size": 64, "difficulty": 0.3, "seed": 7}
difficulties = st.floats(0.0, 1.0)
seeds = st.integers(0, 2**32)


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image


def frames_of(*labels: str, difficulty: float) -> Iterator[tuple[Patient, Frame]]:
    challenge = Challenge.of(difficulty)
    for index in range(60):
        patient = draw_patient(21, index, 2, challenge)
        if patient.label in labels:
            yield patient, render(patient, 1, 64, 21, challenge)
