"""DICOM files as radiologists see them: rescaled, windowed, and with the right polarity."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medtransfer.data.images.raster import BLOCK, eight_bits, require_bounded
from medtransfer.data.layouts.files import DICOM_SUFFIXES
from medtransfer.util.errors import UserError, near

DEFLATED = "1.2.840.10008.1.2.1.99"
MISSING = "DICOM needs pydicom, which is not installed; run: pip install 'medtransfer[dicom]'"

# pydicom warns of each odd element of a damaged or careless file; real problems are raised.
warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM, by its suffix or by the mark after its preamble."""
    if path.suffix.lower() in DICOM_SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def dicom_problem(paths: Iterable[str]) -> str | None:
    """Return one error line for all DICOM files of a set if pydicom is missing."""
    count = sum(Path(path).suffix.lower() in DICOM_SUFFIXES for path in paths)
    if not count or can_read_dicom():
        return None
    return f"{count} of the images are DICOM files: {MISSING}"


def can_read_dicom() -> bool:
    """Return whether pydicom is installed."""
    return importlib.util.find_spec("pydicom") is not None


def read_elements(paths: Iterable[Path], keyword: str) -> list[str | None]:
    """Read the element `keyword`, such as PatientID, from the header of each DICOM file.

    None for a file that is not DICOM or lacks the element. Raises `UserError` if pydicom is missing or does not know
    the keyword.
    """
    if not can_read_dicom():
        raise UserError(f"data.group.dicom: {MISSING}")
    from pydicom import config, dcmread
    from pydicom.datadict import keyword_dict

    if keyword not in keyword_dict:
        raise UserError(f"data.group.dicom: no DICOM element {keyword!r}{near(keyword, filter(None, keyword_dict))}")
    config.settings.reading_validation_mode = config.IGNORE
    found: list[str | None] = []
    for path in paths:
        try:
            dataset = dcmread(path, stop_before_pixels=True, specific_tags=[keyword]) if is_dicom(path) else {}
        except Exception:  # noqa: BLE001 - damaged files break pydicom in many ways; `decode` tells of each
            dataset = {}
        found.append(str(dataset.get(keyword) or "").strip() or None)
    return found


def read_dicom(path: Path) -> tuple[Image.Image, str]:
    """Read a DICOM image of one frame as `L` or `RGB`; return it and `DICOM` with its photometric interpretation.

    Grey values are rescaled (slope and intercept, or the modality table) and mapped through the first window of the
    file (`window`), or else its first VOI table. With neither, values stored in 8 bits are kept, and
    wider ones are scaled from their own range as in other files (`raster.eight_bits`). MONOCHROME1, where low
    values are bright, is inverted. Raises `ValueError`, or what pydicom raises.
    """
    if not can_read_dicom():
        raise ValueError(MISSING)
    from pydicom import config
    from pydicom.errors import BytesLengthException, InvalidDicomError

    config.settings.reading_validation_mode = config.IGNORE  # odd dates and names do not make an image unreadable
    try:
        return _decode(_open(path))
    except InvalidDicomError as error:
        raise ValueError("not a DICOM file: the mark DICM after the preamble is missing") from error
    except BytesLengthException as error:  # not a subclass of any error that other broken files raise
        raise ValueError(str(error)) from error


def window(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Map grey values to uint8 through a window, as section C.11.2.1.2 of PS3.3 of the DICOM standard defines it.

    LINEAR: 255 ((v - (c - 0.5)) / (w - 1) + 0.5), clipped to 0 and 255; LINEAR_EXACT: 255 ((v - c) / w + 0.5),
    clipped; SIGMOID: 255 / (1 + exp(-4 (v - c) / w)). Rounded half to even. Raises `ValueError` for another
    function and for a width that the standard does not allow.
    """
    if not np.isfinite([centre, width]).all() or width <= 0 or (function == "LINEAR" and width < 1):
        raise ValueError(f"window centre {centre:g}, width {width:g} ({function}) is not allowed by DICOM")
    values = values.astype(np.float64)
    if function == "SIGMOID":
        shown = 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    elif function == "LINEAR_EXACT":
        shown = (values - centre) / width + 0.5
    elif function == "LINEAR" and width == 1:
        shown = (values > centre - 0.5).astype(np.float64)
    elif function == "LINEAR":
        shown = (values - (centre - 0.5)) / (width - 1) + 0.5
    else:
        raise ValueError(f"window function {function!r}; expected LINEAR, LINEAR_EXACT or SIGMOID")
    return np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)


def _open(path: Path) -> Any:
    """Read the elements of a file after checking in its header that they fit in memory."""
    from pydicom import dcmread
    from pydicom.pixels.utils import get_expected_length

    with path.open("rb") as file:
        meta = dcmread(file, stop_before_pixels=True, specific_tags=["TransferSyntaxUID"]).file_meta
        # A deflated file is inflated whole before its size is known: a few bytes can fill the memory.
        if str(meta.get("TransferSyntaxUID", "")) == DEFLATED:
            raise ValueError("a deflated DICOM file; save it uncompressed or with JPEG 2000")
        file.seek(0)
        dataset = dcmread(file)
    if "PixelData" not in dataset:
        raise ValueError("a DICOM file without pixel data")
    require_bounded(int(dataset.Rows), int(dataset.Columns))
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise ValueError(f"has {frames} frames, but one image is expected; save each as its own file")
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        stated, found = get_expected_length(dataset), len(dataset.PixelData)
        if found >= stated + max(2, stated // int(dataset.Rows)):  # pydicom would cut the image off
            raise ValueError(f"{found:,} bytes of pixels, but its header states {stated:,}: rows would be missing")
    return dataset


def _decode(dataset: Any) -> tuple[Image.Image, str]:
    from pydicom.pixels import apply_color_lut

    kind = str(dataset.PhotometricInterpretation)
    values = dataset.pixel_array
    if kind == "PALETTE COLOR":
        colours = apply_color_lut(values, dataset)
        values = (colours >> 8 if colours.dtype == np.uint16 else colours).astype(np.uint8)
    if values.ndim == 3:
        return Image.fromarray(values if values.dtype == np.uint8 else eight_bits(values)), f"DICOM {kind}"
    shown = _shown(values, dataset)
    return Image.fromarray(255 - shown if kind == "MONOCHROME1" else shown), f"DICOM {kind}"


def _shown(stored: np.ndarray, dataset: Any) -> np.ndarray:
    """Return grey values as they are shown, uint8, by blocks of rows: a large image as float64 takes a gigabyte."""
    from pydicom.pixels import apply_modality_lut, apply_voi

    centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    window_of_file = None if centre is None or width is None else (centre, width)
    if window_of_file or dataset.get("VOILUTSequence"):
        shown = np.empty(stored.shape, np.uint8)
        for start in range(0, len(stored), BLOCK):
            values = apply_modality_lut(stored[start : start + BLOCK], dataset)
            if window_of_file:
                function = str(dataset.get("VOILUTFunction", "LINEAR"))
                shown[start : start + BLOCK] = window(values, *window_of_file, function)
            else:
                most = 2 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
                shown[start : start + BLOCK] = np.rint(apply_voi(values, dataset) * (255.0 / most))
        return shown
    values = apply_modality_lut(stored, dataset)
    if values.min() >= 0 and values.max() <= 255 and int(dataset.BitsStored) <= 8:
        return np.rint(values).astype(np.uint8)
    return eight_bits(values)


def _first(value: Any) -> float | None:
    """Return the first value of a window element: a file may name several windows, the first being the default."""
    if value is None or value == "":
        return None
    return float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value)
