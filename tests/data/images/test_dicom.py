"""DICOM files, compared with grey values worked out by hand from the formulas of the standard."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtransfer.data.images.decode import UnreadableImageError, decode
from medtransfer.data.images.dicom import read_dicom, read_elements, window
from medtransfer.data.images.pack import pack
from medtransfer.util.errors import UserError

pydicom = pytest.importorskip("pydicom")


def write(path: Path, values: np.ndarray, **fields: Any) -> Path:
    """Write an uncompressed file of one grey image (or RGB, for three axes), with further fields."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = fields.pop("syntax", pydicom.uid.ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = pydicom.dataset.Dataset()
    dataset.file_meta = meta
    bits = values.dtype.itemsize * 8
    described = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": "1.2.3",
        "Rows": values.shape[0],
        "Columns": values.shape[1],
        "SamplesPerPixel": 3 if values.ndim == 3 else 1,
        "PhotometricInterpretation": "RGB" if values.ndim == 3 else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"),
        "PixelData": values.tobytes(),
    }
    if values.ndim == 3:
        described["PlanarConfiguration"] = 0
    for name, value in (described | fields).items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def grey(path: Path) -> list[int]:
    image, _ = read_dicom(path)
    assert image.mode == "L"
    return np.asarray(image)[0].tolist()


VALUES = np.array([[0, 50, 100, 101, 150, 4000]], np.uint16)


@pytest.mark.parametrize(
    ("function", "centre", "width", "shown"),
    [
        # PS3.3 C.11.2.1.2.1, c = 100, w = 101: 255 ((v - 99.5) / 100 + 0.5): 0 -> below, 50 -> 0.25 / 255
        ("LINEAR", 100, 101, [0, 1, 129, 131, 255, 255]),
        ("LINEAR", 100.5, 1, [0, 0, 0, 255, 255, 255]),
        # C.11.2.1.3.2, c = 100, w = 100: 255 ((v - 100) / 100 + 0.5)
        ("LINEAR_EXACT", 100, 100, [0, 0, 128, 130, 255, 255]),
        # C.11.2.1.3.1, c = 100, w = 200: 255 / (1 + exp(-(v - 100) / 50)): e, e^2 worked out
        ("SIGMOID", 100, 200, [30, 69, 128, 129, 186, 255]),
    ],
)
def test_windows_follow_the_standard(function: str, centre: float, width: float, shown: list[int]) -> None:
    assert window(VALUES, centre, width, function)[0].tolist() == shown


def test_the_window_of_the_file_is_applied(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", VALUES, WindowCenter=100, WindowWidth=101)
    assert grey(path) == [0, 1, 129, 131, 255, 255]


def test_the_first_of_several_windows_and_its_function_are_used(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", VALUES, WindowCenter=[100, 5], WindowWidth=[100, 9], VOILUTFunction="LINEAR_EXACT")
    assert grey(path) == [0, 0, 128, 130, 255, 255]


def test_slope_and_intercept_are_applied_before_the_window(tmp_path: Path) -> None:
    # 2 v - 1000 of 0, 500, 1000 is -1000, 0, 1000; LINEAR with c = 0.5, w = 2001: 255 (v / 2000 + 0.5)
    values = np.array([[0, 250, 500, 1000]], np.int16)
    fields = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 0.5, "WindowWidth": 2001}
    assert grey(write(tmp_path / "a.dcm", values, **fields)) == [0, 64, 128, 255]


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    fields = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 100, "WindowWidth": 101}
    assert grey(write(tmp_path / "a.dcm", VALUES, **fields)) == [255, 254, 126, 124, 0, 0]


def test_without_a_window_wide_values_are_scaled_from_their_own_range(tmp_path: Path) -> None:
    assert grey(write(tmp_path / "a.dcm", np.array([[1000, 1004, 1500, 2020]], np.uint16))) == [0, 1, 125, 255]
    assert grey(write(tmp_path / "b.dcm", np.array([[-1000, 0, 1000, 4100]], np.int16))) == [0, 50, 100, 255]


def test_without_a_window_8_bit_values_are_kept(tmp_path: Path) -> None:
    assert grey(write(tmp_path / "a.dcm", np.array([[3, 7, 90, 100]], np.uint8))) == [3, 7, 90, 100]


def test_colour_is_kept_and_the_mark_identifies_a_file_without_a_suffix(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    found = decode(write(tmp_path / "scan.png", pixels), 16, "stretch")
    assert found.mode == "DICOM RGB"
    np.testing.assert_array_equal(found.pixels, pixels)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"NumberOfFrames": 2, "PixelData": VALUES.tobytes() * 2}, "has 2 frames, but one image is expected"),
        ({"Rows": 65535, "Columns": 65535}, "65535 x 65535 pixels; expected 1 to 50,000,000"),
        ({"WindowCenter": 0, "WindowWidth": 0}, "window centre 0, width 0 (LINEAR) is not allowed by DICOM"),
        ({"WindowCenter": 0, "WindowWidth": 9, "VOILUTFunction": "CUBIC"}, "window function 'CUBIC'; expected LINEAR"),
        ({"PixelData": b"\0\0"}, ""),
        ({"syntax": "1.2.840.10008.1.2.1.99"}, "a deflated DICOM file; save it uncompressed"),
    ],
)
def test_an_image_that_cannot_be_shown_is_unreadable(tmp_path: Path, fields: dict[str, Any], line: str) -> None:
    path = write(tmp_path / "a.dcm", VALUES, **fields)
    with pytest.raises(UnreadableImageError) as raised:
        decode(path, 16, "stretch")
    assert str(raised.value).startswith(f"a.dcm: {line}")


@pytest.mark.parametrize("content", [b"", b"no image", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 64])
def test_a_file_that_is_not_dicom_is_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"^a\.dcm: "):
        decode(tmp_path / "a.dcm", 16, "stretch")


def test_a_missing_extra_is_one_line_for_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [write(tmp_path / f"{number}.dcm", VALUES).name for number in range(3)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as raised:
        pack(tmp_path, names, 16, "stretch", tmp_path / "images.npy")
    assert raised.value.problems == [
        "3 of the images are DICOM files: DICOM needs pydicom, which is not installed; "
        "run: pip install 'medtransfer[dicom]'"
    ]
    with pytest.raises(UnreadableImageError, match="DICOM needs pydicom"):
        decode(tmp_path / "0.dcm", 16, "stretch")


@pytest.mark.parametrize("stated", [{"Rows": 2}, {"Columns": 2}, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}])
def test_more_pixels_than_the_header_states_are_an_error(tmp_path: Path, stated: dict[str, int]) -> None:
    path = write(tmp_path / "scan.dcm", np.arange(16, dtype=np.uint16).reshape(4, 4), **stated)
    with pytest.raises(UnreadableImageError, match="but its header states 16: rows would be missing"):
        decode(path, 4, "pad")


def test_a_file_that_pydicom_cannot_read_has_no_patient(tmp_path: Path) -> None:
    """Sequences within each other end in a `RecursionError`, a file that is cut off in a `struct.error`."""
    path = write(tmp_path / "scan.dcm", np.zeros((4, 4), np.uint8), PatientID="p1")
    assert read_elements([path], "PatientID") == ["p1"]
    content, item = path.read_bytes(), bytes.fromhex("08004011 5351 0000 ffffffff feff00e0 ffffffff")
    at = content.index(bytes.fromhex("08001800"))
    path.write_bytes(content[:at] + item * 3000 + content[at:])
    assert read_elements([path], "PatientID") == [None]
    with pytest.raises(UnreadableImageError):
        decode(path, 4, "pad")
