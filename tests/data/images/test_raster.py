"""All modes of image files, compared with values worked out by hand, and files that are refused."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from medtransfer.data.images.decode import UnreadableImageError, decode
from medtransfer.data.images.raster import BLOCK, MAX_PIXELS, eight_bits, read_raster, require_bounded

from .fuzzing import dicom


@pytest.mark.parametrize(
    ("values", "scaled"),
    [
        # low 1000, high 2020: 255 (v - 1000) / 1020 = (v - 1000) / 4
        (np.array([[1000, 1004, 1500, 2020]], np.uint16), [0, 1, 125, 255]),
        # halves round to even: 0.5 to 0, 1.5 to 2, 2.5 to 2
        (np.array([[0, 1, 3, 5, 510]], np.uint16), [0, 0, 2, 2, 255]),
        (np.array([[0, 257, 32768, 65535]], np.uint16), [0, 1, 128, 255]),
        (np.array([[-1000, 0, 1000, 4100]], np.int32), [0, 50, 100, 255]),
        (np.array([[-1.0, 0.0, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, 0.0, 1.0, np.inf, -np.inf]], np.float32), [0, 0, 255, 255, 0]),
        (np.full((1, 3), 40000, np.uint16), [0, 0, 0]),
    ],
)
def test_wide_values_are_scaled_from_their_own_range(values: np.ndarray, scaled: list[int]) -> None:
    assert eight_bits(values)[0].tolist() == scaled


def test_scaling_in_blocks_equals_scaling_at_once() -> None:
    values = np.random.default_rng(0).integers(0, 4096, (2 * BLOCK + 7, 5)).astype(np.uint16)
    low, high = int(values.min()), int(values.max())
    np.testing.assert_array_equal(eight_bits(values), np.rint((values.astype(float) - low) * (255 / (high - low))))


def test_an_image_without_any_finite_value_is_unreadable(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError, match=r"^a\.tif: has no finite value$"):
        decode(tmp_path / "a.tif", 16, "stretch")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_files_of_other_writers(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), np.array([[1000, 1500], [1004, 2020]], np.uint16))
    image, _ = read_raster(tmp_path / f"a.{suffix}")
    assert np.asarray(image).tolist() == [[0, 125], [1, 255]]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_colour_keeps_its_high_byte(tmp_path: Path, suffix: str) -> None:
    rgb = np.array([[[0x1234, 0x00FF, 0xFFFF], [0x8000, 0x0100, 0x7FFF]]], np.uint16)
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), rgb[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    image, mode = read_raster(tmp_path / f"a.{suffix}")
    assert mode == "RGB"
    assert np.asarray(image).tolist() == [[[0x12, 0, 0xFF], [0x80, 1, 0x7F]]]


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_cmyk_is_ink_on_white(tmp_path: Path, suffix: str) -> None:
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[:, :4] = (255, 0, 0, 0)  # cyan: no red
    ink[:, 4:] = (0, 0, 0, 255)  # key: black
    Image.fromarray(ink, "CMYK").save(tmp_path / f"a.{suffix}")
    image, mode = read_raster(tmp_path / f"a.{suffix}")
    assert mode == "CMYK"
    np.testing.assert_allclose(np.asarray(image)[4, [1, 6]], [[0, 255, 255], [0, 0, 0]], atol=8)


def test_a_file_is_read_by_its_content_and_not_by_its_suffix(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(tmp_path / "a", "PNG")
    (tmp_path / "a").rename(tmp_path / "a.jpg")
    assert np.asarray(read_raster(tmp_path / "a.jpg")[0]).tolist() == [[7] * 4] * 4


@pytest.mark.parametrize("suffix", ["tif", "gif", "webp", "png"])
def test_several_pages_are_refused_and_counted(tmp_path: Path, suffix: str) -> None:
    pages = [Image.fromarray(np.full((16, 16), value, np.uint8)) for value in (10, 90, 200)]
    pages[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=pages[1:])
    with pytest.raises(UnreadableImageError, match="has 3 pages or frames, but one image is expected; save each"):
        decode(tmp_path / f"a.{suffix}", 16, "stretch")


def test_the_previews_of_a_camera_file_are_not_pages(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (10, 90)]
    pages[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=pages[1:])
    assert decode(tmp_path / "a.jpg", 16, "stretch").pixels.max() <= 12


@pytest.mark.parametrize(("width", "height"), [(MAX_PIXELS, 1), (1, 1), (5000, 10_000)])
def test_the_largest_allowed_number_of_pixels(width: int, height: int) -> None:
    require_bounded(width, height)


@pytest.mark.parametrize(("width", "height"), [(MAX_PIXELS + 1, 1), (0, 5), (65535, 65535)])
def test_more_pixels_or_none_are_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match=f"{width} x {height} pixels; expected 1 to 50,000,000 in total"):
        require_bounded(width, height)


def test_postscript_is_not_handed_to_an_interpreter(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(UnreadableImageError, match="cannot identify"):
        decode(tmp_path / "a.png", 16, "stretch")


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 4000), (4000, 1), (1, 1)])
def test_images_of_any_shape_are_resized(tmp_path: Path, shape: tuple[int, int], resize) -> None:
    Image.fromarray(np.full(shape, 90, np.uint8)).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", 16, resize).pixels.shape == (16, 16)


PEAK = """
import resource, sys
from pathlib import Path
from medtransfer.data.images.decode import decode
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(Path(sys.argv[1]), 32, "pad")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def wide_png(side: int) -> bytes:
    """Return a black PNG of 16-bit RGBA, packed row by row."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(1 + 8 * side)) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def large_dicom(side: int) -> bytes:
    """Return a grey DICOM file of 16 bits with a window."""
    pixels = np.zeros((side, side), np.uint16)
    return dicom(pixels, BitsAllocated=16, BitsStored=16, HighBit=15, RescaleSlope=2, RescaleIntercept=-1024)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="its peak is in bytes")
@pytest.mark.parametrize(("name", "make"), [("a.png", wide_png), ("a.dcm", large_dicom)], ids=["RGBA", "DICOM"])
def test_the_largest_images_take_bounded_memory(tmp_path: Path, name: str, make: Callable[[int], bytes]) -> None:
    pytest.importorskip("pydicom")
    (tmp_path / name).write_bytes(make(7000))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 500_000  # kB; 49 million pixels, 4 bytes each twice
