"""Shrunk studies: a few simulated images, laid out and named as the set of the study, two epochs, one seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from fetal_phantom import write_phantom
from medtransfer.study.schema import Params
from medtransfer.study.use import read_study

Picture = tuple[Path, int, int, str]
"""A simulated image: its file, the numbers of its class and patient, and its split."""

PIXELS = 80
"""The smallest size that Inception accepts."""

MULTIPLE = 96
"""A size for encoders of U-Nets, which need multiples of 32."""


def pictures(folder: Path) -> list[Picture]:
    """Simulate 60 patients with two frames each."""
    write_phantom(folder, patients=60, frames=2, size=PIXELS, difficulty=0.0, split_by="patient", seed=1)
    found = []
    for split in ("train", "valid", "test"):
        for name, row in pd.read_csv(folder / split / "_classes.csv").set_index("filename").iterrows():
            patient = int(str(name).removeprefix("patient").split("_")[0])
            found.append((folder / split / str(name), int(row.to_numpy().argmax()), patient, split))
    return sorted(found)


def pretrained(params: Params) -> dict[str, str]:
    """Return the models of the backbones whose weights are downloaded, by the names of the backbones."""
    return {
        name: backbone.model or name
        for name, backbone in params.backbones.items()
        if backbone.weights not in ("none", "package")
    }


def changes(path: Path) -> list[str]:
    """Return the changes for `medtransfer use -S`: the folder of the images, and shorter training."""
    params = read_study(path).params
    pixels = MULTIPLE if path.stem == "own_masks" else PIXELS
    found = ["training.seeds=[0]", "comparison.resamples=200", f"data.image_size={pixels}"]
    if params.data.source != "phantom":
        found += ["data.source=folder", "data.folder=mine"]
        for name, external in params.data.external.items():
            is_here = external.folder == params.data.folder
            found.append(f"data.external.{name}.folder={'mine' if is_here else 'mine_elsewhere'}")
    else:
        found += ["data.phantom.patients=60", "data.phantom.frames=2"]
    if path.stem == "own_numbers":  # which column is meant is never guessed
        columns = "file: circumference.csv, image: file, label: head_circumference_px, images: images"
        found += [f"data.layout={{kind: label_csv, {columns}}}", "data.group={column: exam}"]
    if path.stem == "own_findings":
        columns = "file: findings.csv, image: file, label: findings, images: images"
        found += [f"data.layout={{kind: label_csv, {columns}}}", "data.labels={none: [No Finding]}"]
    if params.data.split.train_images is not None:
        found.append("data.split.train_images=40")
    found += [f"augmentation.{name}.views=2" for name, policy in params.augmentation.items() if policy.views != 1]
    found += [f"backbones.{name}.weights={name}.safetensors" for name in pretrained(params)]
    found += [f"strategies.{name}.epochs=2" for name in params.strategies]
    found += [
        f"variants.{name}.epochs=2" for name, line in params.variants.items() if "epochs" in (line.model_extra or {})
    ]
    if path.stem in ("stroke_mri", "brain_mri"):  # a quarter of the lines, with every backbone, depth and rate
        found += ["grid.augmentation={augmented: {augmentation: standard}}", "grid.optimizer={adam: {optimizer: adam}}"]
    return found


def lay_out(study: str, images: list[Picture], folder: Path) -> None:
    """Write the images to `folder` in the layout of the study's set."""
    LAYOUTS[study](images, folder)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _fetal_head(images: list[Picture], folder: Path) -> None:
    """One-hot CSVs by split; the source image before `_aug_`."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for number, (file, label, patient, split) in enumerate(images):
        name = f"source{patient}_png_aug_{number}.png"
        _copy(file, folder / split / name)
        rows.setdefault(split, []).append({"filename": name} | {f" class{n}": int(n == label) for n in range(5)})
    for split, lines in rows.items():
        pd.DataFrame(lines).to_csv(folder / split / "_classes.csv", index=False)


def _chest_xray(images: list[Picture], folder: Path) -> None:
    """Split and class folders below a folder named as the set; file names identify the patient."""
    for number, (file, label, patient, split) in enumerate(images):
        sick = label > 0
        name = f"person{patient}_bacteria_{number}.png" if sick else f"IM-{patient:04}-{number:04}.png"
        folders = ("val" if split == "valid" else split, "PNEUMONIA" if sick else "NORMAL")
        _copy(file, folder.joinpath("chest_xray", *folders, name))


def _fractures(images: list[Picture], folder: Path) -> None:
    """Split and class folders two levels down; the second image of a patient is named as a copy of the first."""
    place, seen = folder.joinpath(*["Bone_Fracture_Binary_Classification"] * 2), set()
    for file, label, patient, split in images:
        name = f"{patient}-rotated1-rotated2.jpg" if patient in seen else f"{patient}.jpg"
        seen.add(patient)
        folders = ("val" if split == "valid" else split, "fractured" if label > 1 else "not fractured")
        _copy(file, place.joinpath(*folders, name))


def _lesions(images: list[Picture], folder: Path) -> None:
    """Split and class folders, without validation images."""
    for number, (file, label, _, split) in enumerate(images):
        folders = ("test" if split == "test" else "train", "malignant" if label > 1 else "benign")
        _copy(file, folder.joinpath(*folders, f"{number}.png"))


def _two_folders(images: list[Picture], folder: Path) -> None:
    for number, (file, label, _, _) in enumerate(images):
        _copy(file, folder / ("Stroke" if label > 1 else "Normal") / f"{number:04}.png")


def _tumours(images: list[Picture], folder: Path) -> None:
    """Class folders alone, with files numbered within their class."""
    for number, (file, label, _, _) in enumerate(images):
        _copy(file, folder / ("yes" if label > 1 else "no") / f"{'Y' if label > 1 else 'No'}{number}.png")


def _fetal_planes(images: list[Picture], folder: Path) -> None:
    rows = []
    for number, (file, label, patient, _) in enumerate(images):
        name = f"Patient{patient:05}_Plane{label}_{number}_of_99"
        _copy(file, folder / "images" / f"{name}.png")
        rows.append({"Image_name": name, "Plane": f"plane {label}"})
    pd.DataFrame(rows).to_csv(folder / "image_label.csv", index=False)


def _xray_segmentation(images: list[Picture], folder: Path) -> None:
    """Images and masks in two folders; half of the masks have the suffix `_mask`, and a few are missing."""
    for number, (file, _, patient, split) in enumerate(images):
        name, behind = (
            (f"CHNCXR_{patient:04}_{number}", "_mask") if patient % 2 else (f"MCUCXR_{patient:04}_{number}", "")
        )
        _copy(file, folder / "Lung Segmentation/CXR_png" / f"{name}.png")
        if number % 9:
            mask = file.parents[1] / "masks" / split / file.name
            _copy(mask, folder / "Lung Segmentation/masks" / f"{name}{behind}.png")


def _hc18(images: list[Picture], folder: Path) -> None:
    """Images and masks of the same names in two folders; second frames of an examination are named as such."""
    seen = set()
    for file, _, patient, split in images:
        name = f"{patient:03}_{'2' if patient in seen else ''}HC.png"
        seen.add(patient)
        _copy(file, folder / "images" / name)
        _copy(file.parents[1] / "masks" / split / file.name, folder / "masks" / name)


def _numbers(images: list[Picture], folder: Path) -> None:
    """A folder of images, and a table with the examination and a number of each."""
    rows = []
    for number, (file, label, patient, _) in enumerate(images):
        _copy(file, folder / "images" / f"{number}.png")
        rows.append({"file": f"{number}.png", "exam": patient, "head_circumference_px": 200 + 7 * patient + label})
    pd.DataFrame(rows).to_csv(folder / "circumference.csv", index=False)


def _blood_cells(images: list[Picture], folder: Path) -> None:
    """Two laboratories, each with numbered images and their masks in a folder, and a table of classes."""
    for laboratory, (column, suffix) in enumerate((("class label", "bmp"), ("class", "jpg")), start=1):
        rows = []
        for file, label, patient, _ in images:
            if patient % 2 == laboratory % 2:
                rows.append({"image ID": len(rows) + 1, column: label + 1})
                target = folder / f"Dataset {laboratory}" / f"{len(rows):03}.{suffix}"
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.open(file).save(target)
                Image.new("L", (PIXELS, PIXELS)).save(target.with_suffix(".png"))
        pd.DataFrame(rows).to_csv(folder / f"Class Labels of Dataset {laboratory}.csv", index=False)


def _knee_kl(images: list[Picture], folder: Path) -> None:
    """Split folders of grades; both knees of a patient share the first seven digits; test images twice."""
    for number, (file, label, patient, split) in enumerate(images):
        name = f"{9000000 + patient}{'LR'[number % 2]}.png"
        _copy(file, folder / ("val" if split == "valid" else split) / str(label) / name)
        if split == "test":
            _copy(file, folder / "auto_test" / str(label) / name)


def _odir(images: list[Picture], folder: Path) -> None:
    """A table of marks, one column for each finding, those of the patient."""
    rows = []
    for number, (file, label, patient, _) in enumerate(images):
        marks = {
            name: int(label == place or (label and place == 1 + patient % 7)) for place, name in enumerate("NDGCAHMO")
        }
        name = f"{patient}_{'left' if number % 2 else 'right'}.png"
        _copy(file, folder / "preprocessed_images" / name)
        rows.append({"ID": patient, "filename": name} | marks)
    pd.DataFrame(rows).to_csv(folder / "full_df.csv", index=False)


def _findings(images: list[Picture], folder: Path) -> None:
    """A folder of images, and a table with the findings of each in one column."""
    rows = []
    for number, (file, label, patient, _) in enumerate(images):
        _copy(file, folder / "images" / f"{number}.png")
        findings = {f"finding {label}", f"finding {1 + patient % 4}"} if label else {"No Finding"}
        rows.append({"file": f"{number}.png", "findings": "|".join(sorted(findings))})
    pd.DataFrame(rows).to_csv(folder / "findings.csv", index=False)


def _chest_xray_elsewhere(images: list[Picture], folder: Path) -> None:
    """Split and class folders; those of a third of the patients in class folders of another set, with its table."""
    _chest_xray([each for each in images if each[2] % 3], folder.parent / "chest")
    (folder.parent / "chest/chest_xray").rename(folder)
    elsewhere, rows = folder.with_name(f"{folder.name}_elsewhere"), []
    for number, (file, label, patient, _) in enumerate([each for each in images if not each[2] % 3]):
        name, kind = f"{patient:08}_{number:03}.png", ("No_findings", "Pneumonia", "Covid-19")[min(label, 2)]
        _copy(file, elsewhere / "X-Ray Image DataSet" / kind / name)
        about = {"Patient Age": 20 + patient, "Patient Gender": "MF"[patient % 2], "View Position": "PA"}
        rows.append({"Image Index": name, "Finding Labels": kind} | about)
    pd.DataFrame(rows).to_csv(elsewhere / "Data_Entry_2017_v2020.csv", index=False)


LAYOUTS: dict[str, Callable[[list[Picture], Path], None]] = {
    "blood_cells": _blood_cells,
    "bone_skin_fractures": _fractures,
    "bone_skin_lesions": _lesions,
    "fetal_head": _fetal_head,
    "fetal_head_grouped": _fetal_head,
    "chest_xray": _chest_xray,
    "chest_xray_backbones": _chest_xray,
    "chest_xray_external": _chest_xray_elsewhere,
    "chest_xray_features": _chest_xray,
    "chest_xray_folds": _chest_xray,
    "own_images": _two_folders,
    "stroke_mri": _two_folders,
    "brain_mri": _tumours,
    "fetal_planes": _fetal_planes,
    "xray_segmentation": _xray_segmentation,
    "hc18": _hc18,
    "head_circumference": _numbers,
    "knee_kl": _knee_kl,
    "odir": _odir,
    "own_findings": _findings,
    "own_masks": _hc18,
    "own_numbers": _numbers,
}
