"""One image file to pixels, whatever its format, and an error for anything that is not an image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medtransfer.data.images.decode import Resize, UnreadableImageError, decode, read_pixels

HEIGHT, WIDTH = 12, 20
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
LOSSLESS = ["png", "bmp", "tif", "webp"]


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> Path:
    image = Image.fromarray(pixels)
    image = image.convert(mode) if mode else image
    image.save(path, **options)
    return path


def square(pixels: np.ndarray, size: int = 16) -> np.ndarray:
    """Embed pixels in a black square, so that decoding to its size changes nothing."""
    canvas = np.zeros((size, size, *pixels.shape[2:]), pixels.dtype)
    cut = pixels[:size, :size]
    canvas[: len(cut), : cut.shape[1]] = cut
    return canvas


@pytest.mark.parametrize("suffix", [*LOSSLESS, "gif", "pgm"])
def test_grey_images_keep_their_pixels(tmp_path: Path, suffix: str) -> None:
    found = decode(save(tmp_path / f"a.{suffix}", square(GREY), lossless=True), 16, "stretch")
    np.testing.assert_array_equal(found.pixels, square(GREY))
    assert (found.width, found.height) == (16, 16)


@pytest.mark.parametrize("suffix", [*LOSSLESS, "ppm"])
def test_colour_images_keep_their_pixels(tmp_path: Path, suffix: str) -> None:
    found = decode(save(tmp_path / f"a.{suffix}", square(COLOUR), lossless=True), 16, "stretch")
    np.testing.assert_array_equal(found.pixels, square(COLOUR))
    assert found.mode == "RGB"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_a_colour_file_without_colour_is_grey(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"), square(GREY), mode)
    found = decode(path, 16, "stretch")
    assert found.mode == mode
    np.testing.assert_array_equal(found.pixels, square(GREY))


def test_one_coloured_pixel_makes_a_colour_image(tmp_path: Path) -> None:
    pixels = np.stack([square(GREY)] * 3, axis=2)
    pixels[3, 5, 1] ^= 1
    np.testing.assert_array_equal(decode(save(tmp_path / "a.png", pixels), 16, "stretch").pixels, pixels)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [10, 20, 30]], np.uint8)
    index = RNG.integers(0, 3, (16, 16), dtype=np.uint8)
    image = Image.fromarray(index).convert("P")
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 16, "stretch").pixels, colours[index])


def test_black_and_white_becomes_0_and_255(tmp_path: Path) -> None:
    bits = (square(GREY) > 127).astype(np.uint8) * 255
    found = decode(save(tmp_path / "a.png", bits, "1"), 16, "stretch")
    assert found.mode == "1"
    np.testing.assert_array_equal(found.pixels, bits)


def test_transparency_is_composed_onto_black(tmp_path: Path) -> None:
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:, 8:], alpha[:4] = 0, 128
    pixels = np.dstack([np.full((16, 16), 200, np.uint8), np.full((16, 16, 2), 100, np.uint8), alpha])
    found = decode(save(tmp_path / "a.png", pixels), 16, "stretch").pixels
    assert found[8, 2].tolist() == [200, 100, 100]
    assert found[8, 12].tolist() == [0, 0, 0]
    np.testing.assert_allclose(found[2, 2], np.array([200, 100, 100]) * 128 / 255, atol=1)


def test_a_transparent_colour_of_a_palette_is_black(tmp_path: Path) -> None:
    image = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 8, axis=0).repeat(8, axis=1))
    image = image.convert("P")
    image.putpalette([250, 10, 10, 10, 250, 10])
    image.save(tmp_path / "a.png", transparency=0)
    found = decode(tmp_path / "a.png", 16, "stretch").pixels
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[0, 15].tolist() == [10, 250, 10]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_from_the_range_of_the_image(tmp_path: Path, suffix: str) -> None:
    values = np.full((16, 16), 1000, np.uint16)
    values[0, :4] = [1100, 1510, 1999, 2020]
    found = decode(save(tmp_path / f"a.{suffix}", values), 16, "stretch")
    assert found.pixels[0, :5].tolist() == [25, 128, 250, 255, 0]
    assert found.pixels.dtype == np.uint8


def test_floats_are_scaled_and_a_constant_image_is_black(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(-1, 1, 16, dtype=np.float32), (16, 1))
    expected = np.rint((ramp[0].astype(float) + 1) * 127.5)
    np.testing.assert_array_equal(decode(save(tmp_path / "a.tif", ramp), 16, "stretch").pixels[7], expected)
    constant = decode(save(tmp_path / "b.png", np.full((16, 16), 999, np.uint16)), 16, "stretch")
    assert not constant.pixels.any()


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, lambda shown: shown),
        (2, np.fliplr),
        (3, lambda shown: np.rot90(shown, 2)),
        (4, np.flipud),
        (5, lambda shown: np.swapaxes(shown, 0, 1)),
        (6, lambda shown: np.rot90(shown, 1)),
        (7, lambda shown: np.rot90(np.swapaxes(shown, 0, 1), 2)),
        (8, lambda shown: np.rot90(shown, -1)),
    ],
)
def test_an_image_is_rotated_by_its_exif_tag(tmp_path: Path, orientation: int, stored) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = decode(save(tmp_path / "upright.png", COLOUR), 16, "stretch")
    turned = decode(save(tmp_path / "turned.png", np.ascontiguousarray(stored(COLOUR)), exif=exif), 16, "stretch")
    assert turned.sha256 == upright.sha256
    assert (turned.width, turned.height) == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(turned.pixels, upright.pixels)


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_copies_in_other_formats_and_modes_have_the_same_hash(tmp_path: Path, pixels: np.ndarray) -> None:
    paths = [save(tmp_path / f"a.{suffix}", pixels, lossless=True) for suffix in LOSSLESS]
    paths.append(save(tmp_path / "packed.tif", pixels, compression="tiff_lzw"))
    paths.append(save(tmp_path / "alpha.png", pixels, "RGBA"))
    paths.append(save(tmp_path / "rgb.bmp", pixels, "RGB"))
    hashes = {decode(path, size, "stretch").sha256 for path in paths for size in (8, 16)}
    assert len(hashes) == 1


def test_other_pixels_sizes_and_shapes_have_other_hashes(tmp_path: Path) -> None:
    other = GREY.copy()
    other[3, 4] ^= 1
    images = [GREY, other, GREY[:-1], GREY.reshape(WIDTH, HEIGHT), COLOUR]
    found = [decode(save(tmp_path / f"{n}.png", pixels), 8, "stretch").sha256 for n, pixels in enumerate(images)]
    assert len(set(found)) == len(images)


def test_stretching_cropping_and_padding_place_the_image_correctly(tmp_path: Path) -> None:
    thirds = np.repeat(np.array([[60, 120, 240]], np.uint8), 16, axis=0).repeat(16, axis=1)  # 16 high, 48 wide
    path = save(tmp_path / "a.png", thirds)
    stretched, cut, padded = (decode(path, 48, resize).pixels for resize in ("stretch", "crop", "pad"))
    assert stretched[24, [2, 24, 45]].tolist() == [60, 120, 240]
    assert set(np.unique(cut[:, 4:-4])) == {120}
    assert padded[24, [2, 24, 45]].tolist() == [60, 120, 240]
    assert not padded[:16].any()
    assert not padded[32:].any()
    assert {image.shape for image in (stretched, cut, padded)} == {(48, 48)}


def test_shrinking_averages_rather_than_drops_pixels(tmp_path: Path) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    found = decode(save(tmp_path / "a.png", stripes), 8, "stretch").pixels
    assert np.abs(found.astype(int) - 127).max() <= 16


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00"])
def test_a_file_that_is_not_an_image_is_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"^a\.png: "):
        decode(tmp_path / "a.png", 16, "stretch")


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match=r"^a\.png: .*No such file"):
        decode(tmp_path / "a.png", 16, "stretch")


def encoded(suffix: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    options = {"exif": exif} if suffix in ("jpeg", "png", "webp") else {}
    Image.fromarray(COLOUR).save(buffer, suffix, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["png", "jpeg", "bmp", "ppm"])
def test_half_a_file_is_unreadable(tmp_path: Path, suffix: str) -> None:
    content = encoded(suffix)
    (tmp_path / "half").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImageError):
        decode(tmp_path / "half", 16, "stretch")


FILES = {suffix: encoded(suffix) for suffix in ("png", "jpeg", "gif", "bmp", "webp")}


@settings(max_examples=150)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_damaged_file_is_read_or_unreadable_and_never_another_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    content = bytearray(FILES[suffix])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), 200) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = decode(path, 16, "pad")
    except UnreadableImageError:
        return
    assert found.pixels.shape[:2] == (16, 16)


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_read_pixels_returns_the_pixels_of_the_decoded_image(
    tmp_path: Path, pixels: np.ndarray, resize: Resize
) -> None:
    path = save(tmp_path / "a.png", pixels)
    whole = decode(path, 16, resize).pixels
    found, size = read_pixels(path, 16, resize, 3)
    np.testing.assert_array_equal(found, np.broadcast_to(whole.T, (3, 16, 16)).T)
    assert size == (WIDTH, HEIGHT)
    if whole.ndim == 2:
        np.testing.assert_array_equal(read_pixels(path, 16, resize, 1)[0], whole[..., None])


def test_colour_becomes_grey_for_a_model_of_grey_images(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (200, 100, 50)).save(tmp_path / "a.png")
    grey = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.png", 4, "stretch", 1)[0], np.full((4, 4, 1), grey))


def test_pixels_of_a_broken_file_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UnreadableImageError, match=r"a\.png: "):
        read_pixels(tmp_path / "a.png", 16, "stretch", 1)
