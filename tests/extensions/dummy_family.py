"""A family of backbones from outside: one model of two convolutions."""

from collections.abc import Sequence

from torch import nn

from medtransfer.models.families import FAMILIES, IMAGENET_CLASSES, ClassifierFamily


class TinyFamily(ClassifierFamily):
    def names(self) -> Sequence[str]:
        return ["tiny_pool"]

    def build(self, model: str, image_size: int, outputs: int = IMAGENET_CLASSES) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, outputs),
        )  # fmt: skip

    def remove_classifier(self, module: nn.Module, keep_spatial: bool) -> list[nn.Module]:
        classifier, module[-1] = module[-1], nn.Identity()  # type: ignore[index]
        return [classifier]

    def image_sizes(self, model: str) -> tuple[int, int]:
        return 16, 1


FAMILIES.register("tiny", TinyFamily())
