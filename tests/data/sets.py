"""Small sets for the tests of `prepare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medtransfer.data.prepare import prepare
from medtransfer.data.prepared import Prepared
from medtransfer.study import Data
from medtransfer.util.places import Places

BY_PATIENT = {"pattern": r"^(patient\d+)_"}


def data_of(**fields: Any) -> Data:
    return Data.model_validate(
        {
            "source": "folder",
            "folder": "somewhere",
            "layout": "split_folders",
            "group": BY_PATIENT,
            "image_size": 16,
            "resize": "stretch",
            "split": {"method": "published"},
            "leakage": "fail",
        }
        | fields
    )


def phantom_data(**fields: Any) -> Data:
    return data_of(source="phantom", phantom={}, layout="one_hot_csv", image_size=32, **fields)


def write_images(raw: Path, *names: str, seed: int = 0) -> Path:
    """Write a different grey image of noise under each name."""
    rng = np.random.default_rng(seed)
    for name in names:
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 24), np.uint8)).save(raw / name)
    return raw


def write_dicom(path: Path, **elements: str) -> None:
    """Write a DICOM file of 2 x 2 grey pixels with further elements."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.Rows = image.Columns = 2
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit = 7
    image.PixelData = bytes([0, 50, 100, 200])
    for name, value in elements.items():
        setattr(image, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)


def names_of(split: str, patients: range, frames: int = 2) -> list[str]:
    return [
        f"{split}/{'cyst' if patient % 2 else 'normal'}/patient{patient:02}_{frame}.png"
        for patient in patients
        for frame in range(frames)
    ]


SPLIT_SET = [*names_of("train", range(8)), *names_of("val", range(8, 12)), *names_of("test", range(12, 16))]


def prepared_from(raw: Path, data: Data, seed: int = 1) -> tuple[Prepared, dict[str, Any]]:
    places = Places(raw.parent)
    audit = prepare(raw, data, seed, places)
    assert json.loads(places.audit.read_text(encoding="utf-8")) == audit
    return Prepared(places.prepared), audit
