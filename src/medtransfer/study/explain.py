"""The section `explain`: of which variants maps are made that show where they look, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from medtransfer.study.section import Count, Section

Method = Literal["grad_cam", "ablation_cam", "occlusion"]
METHODS: dict[str, str] = {"grad_cam": "Grad-CAM", "ablation_cam": "Ablation-CAM", "occlusion": "Occlusion"}
WITH_GRADIENTS: tuple[Method, ...] = ("grad_cam",)


class Explain(Section):
    """Maps of what speaks for a class in test images, for some variants of a classification.

    methods: see `explanation.maps`. blocks: for a backbone, by its name, the block whose activations are mapped, by
    its dotted name in the model; without, the last one whose activations lie at places of the image. images: the
    test images on the contact sheet, by their paths; without, for each class the `of_each` that are right with the
    highest probability, and as many that are wrong. scored: how many test images with a mask, at most, the maps
    are held against.
    """

    variants: list[str] = Field(default_factory=list)
    methods: list[Method] = Field(default=["grad_cam", "occlusion"], min_length=1)
    blocks: dict[str, str] = Field(default_factory=dict)
    images: list[str] = Field(default_factory=list)
    of_each: Count = 1
    scored: Count = 40

    @model_validator(mode="after")
    def _each_once(self) -> Explain:
        for name, values in (("variants", self.variants), ("methods", self.methods), ("images", self.images)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: expected each once, but got {values}")
        return self
