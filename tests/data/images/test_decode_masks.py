"""Mask files of many kinds to class numbers, and the masks of a set in one array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtransfer.data.images.decode import Resize, UnreadableImageError, decode, fit
from medtransfer.data.images.decode_masks import UnsuitableMaskError, class_numbers, decode_masks, unfit_mask
from medtransfer.data.images.pack import CHUNK, missing_masks, pack_masks
from medtransfer.data.images.packed import IGNORED
from medtransfer.study import MaskFiles
from medtransfer.util.errors import UserError

NEAREST = Image.Resampling.NEAREST
RED, BLUE = (255, 0, 0), (0, 0, 255)
TWO = {"lung": 3, "heart": 7}
COLOURED = {"lung": "#ff0000", "heart": "#0000FF"}
BLOCK = np.zeros((8, 12), np.uint8)
BLOCK[2:6, 3:9] = 1


def save(path: Path, values: np.ndarray, mode: str | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def decoded(path: Path, classes: Any = None, size: int | None = None) -> np.ndarray:
    """Decode one mask of the shape of the block, stretched to `size`, or to a square from which the block is read."""
    return decode_masks([path], (12, 8), classes, size or 24, "stretch")[0]


@pytest.mark.parametrize(
    ("name", "values", "mode"),
    [
        ("zero_one.png", BLOCK, None),
        ("bright.png", BLOCK * 255, None),
        ("bilevel.png", BLOCK * 255, "1"),
        ("palette.png", BLOCK * 255, "P"),
        ("rgb.png", BLOCK * 255, "RGB"),
        ("alpha.png", BLOCK * 255, "RGBA"),
        ("grey.bmp", BLOCK * 255, None),
        ("grey.tif", BLOCK * 255, None),
    ],
)
def test_a_mask_of_one_class_is_its_bright_part_in_any_format(
    tmp_path: Path, name: str, values: np.ndarray, mode: str | None
) -> None:
    found = decoded(save(tmp_path / name, values, mode))
    np.testing.assert_array_equal(found, np.asarray(Image.fromarray(BLOCK).resize((24, 24), Image.Resampling.NEAREST)))
    assert found.dtype == np.uint8


def test_a_compressed_mask_is_thresholded_at_half(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:64, :64]
    disc = ((rows - 30) ** 2 + (columns - 34) ** 2 < 15**2).astype(np.uint8)
    path = save(tmp_path / "a.jpg", disc * 255, quality=70)
    assert len(np.unique(np.asarray(Image.open(path)))) > 10
    np.testing.assert_array_equal(decode_masks([path], (64, 64), None, 64, "stretch")[0], disc)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (BLOCK * 2, "values 0, 2, neither dark nor bright; name those of the classes in data.masks.classes"),
        (np.kron(np.uint8([[0, 85], [170, 255]]), np.ones((9, 9), np.uint8)), "values 0, 85, 170, 255, neither dark"),
        (BLOCK.astype(np.uint16) * 700, "values up to 700; name those of the classes"),
        (np.where(BLOCK[..., None], np.uint8(RED), np.uint8(0)), "colours; name them in data.masks.classes"),
    ],
)
def test_several_classes_are_never_read_as_one(values: np.ndarray, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("(", "")):
        class_numbers(values, None)


SOLID = np.zeros((24, 24), np.uint8)
SOLID[2:12, 2:12], SOLID[14:20, 14:20] = 1, 2


@pytest.mark.parametrize(
    "greys", [(1, 255), (20, 255), (230, 255)], ids=["an index and what to ignore", "dark", "bright"]
)
def test_two_greys_are_never_read_as_one(tmp_path: Path, greys: tuple[int, int]) -> None:
    path = save(tmp_path / "a.png", np.uint8([0, *greys])[SOLID])
    with pytest.raises(UnreadableImageError, match=rf"values {greys[0]}, 255, which may be several classes"):
        decode_masks([path], (24, 24), None, 24, "stretch")
    found, _ = decode_masks([path], (24, 24), {"lesion": greys[0]}, 24, "stretch")
    np.testing.assert_array_equal(found, SOLID == 1)


@pytest.mark.parametrize("resample", [NEAREST, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
def test_the_edges_of_a_resized_mask_are_not_a_class(tmp_path: Path, resample: Any) -> None:
    rows, columns = np.mgrid[:200, :200]
    disc = ((rows - 90) ** 2 + (columns - 100) ** 2 < 60**2).astype(np.uint8) * 255
    path = save(tmp_path / "a.png", np.asarray(Image.fromarray(disc).resize((331, 331), resample)))
    found, _ = decode_masks([path], (200, 200), None, 200, "stretch")
    assert (found != disc // 255).mean() < 0.01


def test_a_mask_only_in_the_alpha_channel_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.dstack([np.full((24, 24, 3), 255, np.uint8), (SOLID == 1) * np.uint8(255)]))
    with pytest.raises(UnreadableImageError, match="only in the alpha channel; save that channel as a grey image"):
        decode_masks([path], (24, 24), None, 24, "stretch")


@pytest.mark.parametrize("kind", ["grey", "palette", "wide"])
def test_classes_by_value(tmp_path: Path, kind: str) -> None:
    values = np.zeros((8, 12), np.uint8)
    values[:4, :6], values[4:, 6:], values[0, 11] = 3, 7, 9
    image = Image.fromarray(values.astype(np.uint16) if kind == "wide" else values)
    if kind == "palette":
        image = Image.fromarray(values, "P")
        image.putpalette([number * 5 % 256 for number in range(768)])
    image.save(tmp_path / "a.png")
    expected = np.where(values == 3, 1, np.where(values == 7, 2, 0)).astype(np.uint8)
    np.testing.assert_array_equal(decode_masks([tmp_path / "a.png"], (12, 8), TWO, 24, "stretch")[0], np.asarray(
        Image.fromarray(expected).resize((24, 24), Image.Resampling.NEAREST)))  # fmt: skip


def test_classes_by_colour() -> None:
    values = np.zeros((4, 4, 3), np.uint8)
    values[0], values[1], values[2] = RED, BLUE, (255, 0, 1)
    assert class_numbers(values, COLOURED)[:, 0].tolist() == [1, 2, 0, 0]
    assert not class_numbers(np.zeros((4, 4), np.uint8), COLOURED).any()
    with pytest.raises(ValueError, match=r"colours, but data\.masks\.classes lists grey values"):
        class_numbers(values, TWO)


def test_masks_of_one_image_are_merged(tmp_path: Path) -> None:
    left, right = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    left[:, :3], right[:, 2:5] = 3, 7
    paths = [save(tmp_path / "a.png", right), save(tmp_path / "b.png", left)]
    found, present = decode_masks(paths, (8, 8), TWO, 8, "stretch")
    assert found[0].tolist() == [1, 1, 2, 2, 2, 0, 0, 0]
    assert present == {1, 2}


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (37, 53)])
def test_masks_are_aligned_with_their_images(tmp_path: Path, resize: Any, shape: tuple[int, int]) -> None:
    """An image that is its own mask, up to the pixels of the edge that the image's antialiasing mixes."""
    values = np.zeros(shape, np.uint8)
    values[10:28, 14:31] = 255
    path = save(tmp_path / "a.png", values)
    for size in (16, 32, 96):
        image = decode(path, size, resize).pixels
        mask = decode_masks([path], (shape[1], shape[0]), None, size, resize)[0]
        sharp = (image == 0) | (image == 255)
        assert sharp.mean() > 0.6
        np.testing.assert_array_equal(mask[sharp] * 255, image[sharp])


def test_rotation_in_the_file_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(BLOCK * 255).save(tmp_path / "a.png", exif=exif)
    found = decode_masks([tmp_path / "a.png"], (8, 12), None, 24, "stretch")[0]
    np.testing.assert_array_equal(found, np.asarray(
        Image.fromarray(np.rot90(BLOCK, -1)).resize((24, 24), Image.Resampling.NEAREST)))  # fmt: skip


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda path: path.write_bytes(b"not a mask"), "cannot identify image file"),
        (lambda path: save(path, np.zeros((8, 8), np.uint8)), "8 x 8 pixels, but its image has 12 x 8"),
        (lambda path: save(path, BLOCK * 2), "values 0, 2, neither dark nor bright"),
    ],
)
def test_masks_that_cannot_be_read(tmp_path: Path, write: Any, problem: str) -> None:
    write(tmp_path / "a.png")
    with pytest.raises(UnreadableImageError, match=rf"^a\.png: .*{problem}"):
        decoded(tmp_path / "a.png")


def packed(root: Path, masks: dict[str, list[str]], paths: list[str], **spec: Any) -> np.ndarray:
    images = pd.DataFrame({"path": paths, "width": 12, "height": 8})
    pack_masks(root, images, masks, MaskFiles(**spec), 24, "stretch", root / "masks.npy")
    return np.load(root / "masks.npy")


def test_masks_are_packed_in_the_order_of_the_images(tmp_path: Path) -> None:
    count = CHUNK + 3
    masks = {}
    for number in range(0, count, 2):
        values = np.zeros((8, 12), np.uint8)
        values[number % 8] = 255
        save(tmp_path / f"m/{number}.png", values)
        masks[f"{number}.png"] = [f"m/{number}.png"]
    found = packed(tmp_path, masks, [f"{number}.png" for number in range(count)])
    assert (found.shape, found.dtype) == ((count, 24, 24), np.uint8)
    for number in range(count):
        rows = np.flatnonzero(found[number].all(axis=1)).tolist()
        at = 3 * (number % 8)
        assert rows == ([] if number % 2 else [at, at + 1, at + 2])


def test_all_masks_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    save(tmp_path / "m/a.png", BLOCK)
    save(tmp_path / "m/b.png", BLOCK[:, :8])
    (tmp_path / "m/c.png").write_bytes(b"")
    masks = {f"{name}.png": [f"m/{name}.png"] for name in "abc"}
    with pytest.raises(UserError) as raised:
        packed(tmp_path, masks, list(masks))
    assert [line.split(": ")[:2] for line in raised.value.problems] == [
        ["m/b.png", "not a mask"],
        ["m/c.png", "unreadable"],
    ]


def test_a_class_that_no_mask_has_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "m/a.png", BLOCK * 3)
    with pytest.raises(UserError) as raised:
        packed(tmp_path, {"a.png": ["m/a.png"]}, ["a.png"], classes=TWO)
    assert raised.value.problems == [
        "data.masks.classes.heart: no mask has this class; expected one of the values in the masks"
    ]


def test_images_without_masks_are_an_error_or_left_out_or_empty() -> None:
    masks = {"b.png": ["m/b.png"]}
    with pytest.raises(UserError) as raised:
        missing_masks(["a.png", "b.png"], masks, MaskFiles())
    assert raised.value.problems[0].startswith("data.masks: 1 of 2 images have no mask; data.masks.missing: drop")
    assert raised.value.problems[1:] == ["a.png: has no mask"]
    assert missing_masks(["a.png", "b.png"], masks, MaskFiles(missing="drop")).tolist() == [True, False]
    assert missing_masks(["a.png", "b.png"], masks, MaskFiles(missing="empty")).tolist() == [False, False]


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize(("width", "height"), [(90, 60), (60, 90), (64, 64), (31, 17)])
def test_a_mask_returns_to_its_place_in_the_image(resize: Resize, width: int, height: int) -> None:
    rows, columns = np.ogrid[:height, :width]
    disc = (columns - 0.45 * width) ** 2 + (rows - 0.55 * height) ** 2 < (0.3 * min(width, height)) ** 2
    mask = Image.fromarray(disc.astype(np.uint8) * np.uint8(3))
    back = np.asarray(unfit_mask(fit(mask, 64, resize, NEAREST), width, height, resize))
    assert back.shape == (height, width)
    assert set(np.unique(back)) == {0, 3}
    assert (disc & (back == 3)).sum() / (disc | (back == 3)).sum() > 0.9


def test_cropped_parts_are_background() -> None:
    mask = Image.fromarray(np.full((40, 100), 1, np.uint8))
    back = np.asarray(unfit_mask(fit(mask, 20, "crop", NEAREST), 100, 40, "crop"))
    assert back[:, 30:70].all()
    assert not back[:, :30].any()
    assert not back[:, 70:].any()


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("classes", [None, {"lung": 3}])
def test_ignored_pixels_stay_apart_from_classes_and_background(tmp_path: Path, classes: Any, resize: Resize) -> None:
    values = np.zeros((24, 24), np.uint8)
    values[4:12], values[12:16] = 3 if classes else 1, 255
    path = save(tmp_path / "a.png", values)
    found, present = decode_masks([path], (24, 24), classes, 24, resize, ignore=255)
    assert present == {1, IGNORED}
    assert found[:, 0].tolist() == [0] * 4 + [1] * 8 + [IGNORED] * 4 + [0] * 8
    numbered, _ = decode_masks([path], (24, 24), classes, 24, resize, [7], 255)
    assert numbered[:, 0].tolist() == [0] * 4 + [7] * 8 + [IGNORED] * 4 + [0] * 8


def test_a_value_to_ignore_is_what_the_error_suggests(tmp_path: Path) -> None:
    values = np.zeros((24, 24), np.uint8)
    values[4:12], values[12:20] = 1, 255
    path = save(tmp_path / "a.png", values)
    with pytest.raises(UnsuitableMaskError, match=r"pixels to ignore in data\.masks\.ignore"):
        decode_masks([path], (24, 24), None, 24, "stretch")


def test_a_value_to_ignore_needs_exact_values(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", np.full((24, 24), 255, np.uint8))
    with pytest.raises(UnsuitableMaskError, match=r"a\.jpg: compressed with loss"):
        decode_masks([path], (24, 24), None, 24, "stretch", ignore=255)


def test_ignored_colours(tmp_path: Path) -> None:
    values = np.zeros((8, 8, 3), np.uint8)
    values[:2], values[2:4] = RED, BLUE
    path = save(tmp_path / "a.png", values)
    found, _ = decode_masks([path], (8, 8), {"lesion": "#ff0000"}, 8, "stretch", ignore="#0000ff")
    assert found[:, 0].tolist() == [1, 1, IGNORED, IGNORED, 0, 0, 0, 0]


def test_what_one_mask_ignores_is_ignored_in_all_of_the_image(tmp_path: Path) -> None:
    first, second = np.zeros((8, 8), np.uint8), np.full((8, 8), 7, np.uint8)
    first[:2] = 255
    paths = [save(tmp_path / "a.png", first), save(tmp_path / "b.png", second)]
    found, _ = decode_masks(paths, (8, 8), TWO, 8, "stretch", ignore=255)
    assert found[:, 0].tolist() == [IGNORED] * 2 + [2] * 6


def test_a_value_to_ignore_that_no_mask_has_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "m/a.png", BLOCK)
    with pytest.raises(UserError) as raised:
        packed(tmp_path, {"a.png": ["m/a.png"]}, ["a.png"], ignore=255)
    assert raised.value.problems == ["data.masks.ignore: no mask has the value 255"]


def test_masks_of_each_class_are_packed_with_later_classes_over_earlier_ones(tmp_path: Path) -> None:
    lung, infection = np.zeros((8, 12), np.uint8), np.zeros((8, 12), np.uint8)
    lung[:6], infection[4:5] = 255, 255
    save(tmp_path / "lungs/a.png", lung)
    save(tmp_path / "infections/a.png", infection)
    masks = {"a.png": ["infections/a.png", "lungs/a.png"]}
    classes = {"lung": {"folder": "lungs"}, "infection": {"folder": "infections"}}
    found = packed(tmp_path, masks, ["a.png"], classes=classes)[0, ::3, 0]
    assert found.tolist() == [1, 1, 1, 1, 2, 1, 0, 0]


def test_an_image_that_lacks_the_mask_of_one_class_lacks_a_mask() -> None:
    masks = {"a.png": ["lungs/a.png", "infections/a.png"], "b.png": ["lungs/b.png"]}
    classes = {"lung": {"folder": "lungs"}, "infection": {"folder": "infections"}}
    spec = MaskFiles(classes=classes, missing="drop")
    assert missing_masks(["a.png", "b.png", "c.png"], masks, spec).tolist() == [False, True, True]
    with pytest.raises(UserError, match="2 of 3 images have no mask"):
        missing_masks(["a.png", "b.png", "c.png"], masks, MaskFiles(classes=classes))
