"""Write the simulated data set as folders of images with one-hot tables, together with the truth behind it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fetal_phantom.anatomy import CLASSES
from fetal_phantom.arguments import SMALLEST_SIZE, Stream, generator, require_at_least
from fetal_phantom.challenge import Challenge
from fetal_phantom.geometry import polygon_length
from fetal_phantom.patients import Frame, Patient, draw_patient, render

README = """\
Simulated B-mode ultrasound of fetal heads in the transventricular plane.

No image shows a patient: anatomy, probe and speckle are simulated. The data set is for trying and testing
software; it supports no medical conclusion.

train/, valid/, test/   8-bit grey PNG files and _classes.csv: one row per file, one 0/1 column per class.
masks/<split>/          255 at abnormal structures (the cyst, the mass, the enlarged or fused ventricles),
                        0 elsewhere; all 0 for normal heads.
anatomy.csv             the truth behind each image:
  filename, split, class
  patient, frame            frames of one patient show the same head
  atrial_width_mm           larger atrial width of the head; 10 mm or more is ventriculomegaly; empty if
                            the ventricles are fused
  apparent_atrial_width_mm  the same in the plane of this frame
  ventriculomegaly          its grade by the larger atrial width of the head: none (below 10 mm), mild (below
                            13 mm), moderate (below 15 mm) or severe; empty if the ventricles are fused
  findings                  the abnormal structure and the shape of the head, joined by |, or "no finding":
                            dolichocephaly is a cephalic index below .74, brachycephaly one above .83
  biparietal_diameter_mm    outer breadth of the skull
  head_circumference_mm     length of the skull's outer outline
  head_circumference_px     the same in pixels of this frame, whose zoom differs
  cephalic_index            breadth over length of the skull
  head_angle_degrees        angle of the head's long axis to the horizontal, clockwise in the image
  head_x_px, head_y_px      centre of the head
  lesion_area_mm2           area of the abnormal structures, from their outlines
  pixel_spacing_mm          side of a pixel
"""

SPLITS: tuple[str, ...] = ("train", "valid", "test")
OUTLINE_POINTS = 360
SPLIT_SHARES: tuple[float, ...] = (0.6, 0.2, 0.2)

Unit = TypeVar("Unit", bound=Hashable)


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

    The images of a patient depend only on the seed, the difficulty, the size and the patient's number, so a larger
    data set contains the images of a smaller one, possibly in other splits.

    Args:
        folder: target folder; created if missing.
        patients: number of patients, at least 1.
        frames: largest number of frames per patient, at least 1; each patient has at least 2 unless it is 1.
        size: side of the square images in pixels, at least 32.
        difficulty: from 0, easy, to 1, hard even for experts.
        split_by: "patient" keeps the frames of a patient in one split, "image" scatters them, which leaks.
        seed: seed of all random numbers, at least 0.

    Raises:
        ValueError: if an argument is out of range.
        FileExistsError: if one of the split folders exists in `folder`.
    """
    require_at_least(1, patients=patients, frames=frames)
    require_at_least(SMALLEST_SIZE, size=size)
    require_at_least(0, seed=seed)
    if split_by not in ("patient", "image"):
        raise ValueError(f"split_by must be 'patient' or 'image', got {split_by!r}")
    challenge = Challenge.of(difficulty)
    drawn = [draw_patient(seed, index, frames, challenge) for index in range(patients)]
    splits = _splits_of_frames(drawn, split_by, generator(Stream.SPLITS, seed))
    for split in SPLITS:
        (folder / split).mkdir(parents=True)
        (folder / "masks" / split).mkdir(parents=True)
    rows = []
    for patient in drawn:
        for number in range(1, patient.frames + 1):
            frame = render(patient, number, size, seed, challenge)
            rows.append(_write_frame(folder, splits[patient.name, number], patient, number, frame))
    table = pd.DataFrame(rows)
    _write_csv(table, folder / "anatomy.csv")
    for split in SPLITS:
        part = table[table["split"] == split]
        one_hot = {name: (part["class"] == name).astype(int) for name in CLASSES}
        _write_csv(pd.DataFrame({"filename": part["filename"]} | one_hot), folder / split / "_classes.csv")
    (folder / "README.txt").write_text(README, encoding="utf-8", newline="\n")


def _splits_of_frames(drawn: list[Patient], split_by: str, rng: np.random.Generator) -> dict[tuple[str, int], str]:
    """Return the split of each frame, by the name of its patient and its number."""
    labels = {(each.name, number): each.label for each in drawn for number in range(1, each.frames + 1)}
    if split_by == "image":
        return stratified_splits(labels, rng)
    of_patient = stratified_splits({patient.name: patient.label for patient in drawn}, rng)
    return {(name, number): of_patient[name] for name, number in labels}


def stratified_splits(labels: Mapping[Unit, str], rng: np.random.Generator) -> dict[Unit, str]:
    """Assign units (patients or frames) to splits at random, about 60/20/20 within each class.

    A class of at least three units is in every split; a smaller one fills the splits in their order.
    """
    splits: dict[Unit, str] = {}
    for label in sorted(set(labels.values())):
        units = [unit for unit, its_label in labels.items() if its_label == label]
        counts = _split_counts(len(units))
        names = [name for name, count in zip(SPLITS, counts, strict=True) for _ in range(count)]
        splits.update((units[place], name) for place, name in zip(rng.permutation(len(units)), names, strict=True))
    return splits


def _split_counts(total: int) -> list[int]:
    """Return the number of units in each split: one each while they last, then wherever most are missing."""
    counts = [int(position < total) for position in range(len(SPLITS))]
    for _ in range(total - sum(counts)):
        missing = [share * total - count for share, count in zip(SPLIT_SHARES, counts, strict=True)]
        counts[int(np.argmax(missing))] += 1
    return counts


def _write_frame(folder: Path, split: str, patient: Patient, number: int, frame: Frame) -> dict[str, object]:
    """Write the image and the mask of a frame; return its row of the anatomy table."""
    filename = f"{patient.name}_frame{number}.png"
    _write_png(folder / split / filename, frame.image)
    _write_png(folder / "masks" / split / filename, frame.mask.astype(np.uint8) * np.uint8(255))
    head, view, side = patient.head, frame.view, len(frame.image)
    width, circumference = head.atrial_width_mm, polygon_length(head.skull.points(OUTLINE_POINTS))
    return {
        "filename": filename,
        "split": split,
        "patient": patient.name,
        "frame": number,
        "class": patient.label,
        "atrial_width_mm": width,
        "apparent_atrial_width_mm": None if width is None else width * frame.plane,
        "ventriculomegaly": head.ventriculomegaly,
        "findings": "|".join([*{patient.label} - {"normal"}, *head.shapes]) or "no finding",
        "biparietal_diameter_mm": head.biparietal_diameter_mm,
        "head_circumference_mm": circumference,
        "head_circumference_px": circumference / frame.pixel_spacing_mm,
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


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
