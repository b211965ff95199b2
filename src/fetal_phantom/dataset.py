"""Writing the simulated data set as a one-hot image export, together with the truth behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fetal_phantom.anatomy import CLASSES
from fetal_phantom.challenge import Challenge
from fetal_phantom.frames import Frame, render
from fetal_phantom.limits import SMALLEST_SIZE, require_at_least
from fetal_phantom.patients import Patient, draw_patient
from fetal_phantom.splits import SPLITS, stratified_splits
from fetal_phantom.streams import Stream, generator

README = """\
Simulated B-mode ultrasound of fetal heads in the transventricular plane.

No image here comes from a patient: anatomy, probe and speckle are simulated. The data set is meant for trying
and testing software, and says nothing about medicine.

train/, valid/, test/   8-bit grey PNG files and _classes.csv, one row a file and one 0/1 column a class.
masks/<split>/          255 where the image shows what is abnormal (the cyst, the mass, the enlarged or fused
                        ventricles), 0 elsewhere; all 0 for normal heads.
anatomy.csv             the truth behind each image:
  filename, split, class
  patient, frame            the same patient's frames show the same head
  atrial_width_mm           larger atrial width of the head; 10 mm or more is ventriculomegaly; empty where
                            the ventricles are fused
  apparent_atrial_width_mm  the same in the plane of this frame
  biparietal_diameter_mm    outer breadth of the skull
  cephalic_index            breadth over length of the skull
  head_angle_degrees        of the head's long axis with the horizontal, clockwise in the image
  head_x_px, head_y_px      centre of the head
  lesion_area_mm2           area of what the mask shows, from its outline
  pixel_spacing_mm          side of a pixel
"""


def write_phantom(
    folder: Path,
    *,
    patients: int,
    frames: int,
    size: int,
    difficulty: float,
    split_by: Literal["patient", "image"],
    seed: int,
) -> None:
    """Write a simulated data set of fetal head ultrasound; the README in the folder describes its files.

    The images of a patient depend on the seed, the difficulty, the size and the patient's number only, so a
    larger data set contains the smaller one, though perhaps in other splits.

    Args:
        folder: where to write; made if missing.
        patients: number of patients, at least 1.
        frames: largest number of frames a patient, at least 1; each has at least 2 unless it is 1.
        size: side of the square images in pixels, at least 32.
        difficulty: from 0, easy, to 1, hard even to experts.
        split_by: "patient" keeps a patient's frames in one split, "image" scatters them, which leaks.
        seed: of everything random, at least 0.

    Raises:
        ValueError: when an argument is out of its range.
        FileExistsError: when one of the split folders exists in `folder`.
    """
    _check(patients, frames, size, split_by, seed)
    challenge = Challenge.of(difficulty)
    drawn = [draw_patient(seed, index, frames, challenge) for index in range(patients)]
    splits = _splits(drawn, split_by, seed)
    _make_folders(folder)
    rows = [
        _write_frame(folder, splits[patient.name, number], patient, number, frame)
        for patient, number, frame in _rendered(drawn, size, seed, challenge)
    ]
    table = pd.DataFrame(rows)
    _write_csv(table, folder / "anatomy.csv")
    for split in SPLITS:
        _write_csv(_one_hot(table[table["split"] == split]), folder / split / "_classes.csv")
    (folder / "README.txt").write_text(README, encoding="utf-8", newline="\n")


def _check(patients: int, frames: int, size: int, split_by: str, seed: int) -> None:
    require_at_least(1, patients=patients, frames=frames)
    require_at_least(SMALLEST_SIZE, size=size)
    require_at_least(0, seed=seed)
    if split_by not in ("patient", "image"):
        raise ValueError(f"split_by must be 'patient' or 'image', got {split_by!r}")


def _splits(drawn: list[Patient], split_by: str, seed: int) -> dict[tuple[str, int], str]:
    """The split of each frame, by the patient's name and the frame's number."""
    rng = generator(Stream.SPLITS, seed)
    every = {(patient.name, number): patient for patient in drawn for number in range(1, patient.frames + 1)}
    if split_by == "image":
        return stratified_splits({key: patient.label for key, patient in every.items()}, rng)
    of_patient = stratified_splits({patient.name: patient.label for patient in drawn}, rng)
    return {key: of_patient[patient.name] for key, patient in every.items()}


def _rendered(drawn: list[Patient], size: int, seed: int, challenge: Challenge) -> Iterator[tuple[Patient, int, Frame]]:
    for patient in drawn:
        for number in range(1, patient.frames + 1):
            yield patient, number, render(patient, number, size, seed, challenge)


def _make_folders(folder: Path) -> None:
    for split in SPLITS:
        (folder / split).mkdir(parents=True)
        (folder / "masks" / split).mkdir(parents=True)


def _write_frame(folder: Path, split: str, patient: Patient, number: int, frame: Frame) -> dict[str, object]:
    """Write a frame's image and mask; the row of the anatomy table."""
    filename = f"{patient.name}_frame{number}.png"
    _write_png(folder / split / filename, frame.image)
    _write_png(folder / "masks" / split / filename, frame.mask.astype(np.uint8) * np.uint8(255))
    head, view, side = patient.head, frame.view, len(frame.image)
    width = head.atrial_width_mm
    return {
        "filename": filename,
        "split": split,
        "patient": patient.name,
        "frame": number,
        "class": patient.label,
        "atrial_width_mm": width,
        "apparent_atrial_width_mm": None if width is None else width * frame.plane,
        "biparietal_diameter_mm": head.biparietal_diameter_mm,
        "cephalic_index": head.cephalic_index,
        "head_angle_degrees": float(np.rad2deg(view.angle)),
        "head_x_px": view.centre[0] * side,
        "head_y_px": view.centre[1] * side,
        "lesion_area_mm2": frame.lesion_area_mm2,
        "pixel_spacing_mm": frame.pixel_spacing_mm,
    }


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), image):
        raise OSError(f"could not write {path}")


def _one_hot(rows: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame({"filename": rows["filename"]})
    for name in CLASSES:
        table[name] = (rows["class"] == name).astype(int)
    return table


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
