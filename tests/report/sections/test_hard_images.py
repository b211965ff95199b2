"""The images that every variant gets wrong."""

from __future__ import annotations

from dataclasses import replace

from medtransfer.report.material import Material
from medtransfer.report.page import render
from medtransfer.report.sections import hard_images

from ..study import image_paths


def test_the_images_that_no_variant_gets_right_are_shown_and_counted_by_class(material: Material) -> None:
    content = hard_images.content(material)
    assert (content["wrong"], content["all"]) == (5, 24)
    assert {image["path"] for image in content["images"]} == {image_paths()[number] for number in (0, 5, 10, 15, 20)}
    assert sum(missed for _, missed, _ in content["by_class"]) == 5
    assert all(image["predicted"] != image["label"] for image in content["images"])


def test_if_there_is_none_nothing_is_asked_of_the_reader(material: Material) -> None:
    images = material.found.images.assign(predicted=lambda table: table["label"], right=1)
    page = render(replace(material, found=replace(material.found, images=images)))
    assert "None of 24 test images is misclassified in every run of every variant.</p>" in page
