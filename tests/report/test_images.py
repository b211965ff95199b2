"""Which test images are shown, against counts made the plain way."""

from __future__ import annotations

import base64
import io
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from medtransfer.data.prepared import Prepared
from medtransfer.report import images, thumbnails
from medtransfer.report.images import MOST_IN_POOL, Answers, image_choice, telling_images, wrong_section
from medtransfer.report.section import Material
from medtransfer.report.thumbnails import Thumbnails

from .comparison import make_comparison
from .study import VARIANTS, image_paths

RIGHT = arrays(bool, st.tuples(st.integers(0, 40), st.integers(2, 5)))


@given(RIGHT)
def test_every_pair_that_differs_has_an_image_to_show(right: np.ndarray) -> None:
    pool = telling_images(right)
    assert len(pool) == len(set(pool)) <= MOST_IN_POOL
    for better, worse in permutations(range(right.shape[1]), 2):
        differing = np.flatnonzero(right[:, better] & ~right[:, worse])
        assert len(set(differing) & set(pool)) >= min(len(differing), images.MOST_OF_A_PAIR // 2)


def test_counts_of_pairs_are_those_of_the_table(material: Material) -> None:
    table = material.found.images
    answers = Answers(table, list(VARIANTS))
    wide = {name: table[table["variant"] == name].set_index("path") for name in VARIANTS}
    for first, better in enumerate(VARIANTS):
        for second, worse in enumerate(VARIANTS):
            ours, theirs = (wide[name]["predicted"] == wide[name]["label"] for name in (better, worse))
            assert answers.only_right()[first, second] == (ours & ~theirs).sum()


def test_the_images_that_all_get_wrong(material: Material) -> None:
    section = wrong_section(material)
    assert section is not None
    content = section.content
    assert (content["wrong"], content["all"]) == (5, 24)
    assert {image["path"] for image in content["images"]} == {image_paths()[number] for number in (0, 5, 10, 15, 20)}
    assert sum(missed for _, missed, _ in content["by_class"]) == 5
    assert all(image["said"] != image["label"] for image in content["images"])


def test_the_script_gets_numbers_that_fit_its_names(material: Material) -> None:
    choice = image_choice(material, list(VARIANTS[:2]))
    table = material.found.images.set_index(["variant", "path"])
    for image in choice["images"]:
        for name, number in zip(VARIANTS, image["predicted"], strict=False):
            assert choice["classes"][number] == table.loc[(name, image["path"]), "predicted"]
        assert choice["classes"][image["label"]] == table.loc[(VARIANTS[0], image["path"]), "label"]


def test_thumbnails_are_small_pictures_of_their_images_until_too_many(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = Prepared(material.places.root / "data/prepared")
    shown = Thumbnails(prepared).of(image_paths()[3])
    assert shown is not None
    kind, _, content = shown.partition(",")
    assert kind == "data:image/webp;base64"
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("L"), float)
    pixels = prepared.images[3].squeeze().astype(float)
    assert np.corrcoef(picture.ravel(), pixels.ravel())[0, 1] > 0.8
    monkeypatch.setattr(thumbnails, "MOST_BYTES", 10)
    assert Thumbnails(prepared).of(image_paths()[3]) is None


def test_a_task_without_classes_has_no_such_images(material: Material) -> None:
    found = make_comparison(classes=())
    assert wrong_section(Material(found, material.places)) is None
    assert image_choice(Material(found, material.places), list(VARIANTS)) == {"images": []}
