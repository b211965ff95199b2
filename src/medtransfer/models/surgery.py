"""Where a backbone ends and its classifier begins, for every family of models."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from medtransfer.models.heads.own import with_outputs

HEAD_BEGINS = (nn.Dropout, nn.Linear, nn.Conv2d)


def separate(model: nn.Module, keep_spatial: bool) -> list[nn.Module]:
    """Cut a model's classifier off, in place: the model then gives features [n, width].

    The classifier is the model's last child; pooling, flattening and normalisation before its first dropout,
    dense or convolution layer stay with the model, and so does nothing after it. GoogLeNet's and Inception's
    dropout, a child of its own, goes with the classifier. With `keep_spatial` the features are exactly what
    the classifier saw (VGG: 7 x 7 x 512 of them); without, they are averaged over space, so that every
    convolutional backbone gives one number a channel. Returns the classifier's layers.
    """
    name, classifier = list(model.named_children())[-1]
    layers = list(classifier.children()) if isinstance(classifier, nn.Sequential) else [classifier]
    start = next(index for index, layer in enumerate(layers) if isinstance(layer, HEAD_BEGINS))
    kept, own = layers[:start], layers[start:]
    if isinstance(getattr(model, "dropout", None), nn.Dropout):
        own = [cast(nn.Module, model.dropout), *own]
        model.dropout = nn.Identity()
    if not keep_spatial:
        if any(isinstance(layer, nn.Conv2d) for layer in own):  # SqueezeNet
            kept.append(nn.AdaptiveAvgPool2d(1))
        if isinstance(getattr(model, "avgpool", None), nn.AdaptiveAvgPool2d):  # AlexNet, VGG: 6 x 6, 7 x 7
            model.avgpool = nn.AdaptiveAvgPool2d(1)
    setattr(model, name, nn.Sequential(*kept))
    return own


def feature_width(body: nn.Module, image_size: int) -> int:
    """Run one blank image through a body in eval mode and count its features."""
    training = body.training
    body.eval()
    with torch.no_grad():
        features = body(torch.zeros(1, 3, image_size, image_size))
    body.train(training)
    return int(features.shape[1])


def replace_auxiliary_heads(model: nn.Module, classes: int) -> None:
    """Give GoogLeNet's and Inception's auxiliary heads `classes` outputs, in place."""
    for name in ("aux1", "aux2", "AuxLogits"):
        auxiliary = getattr(model, name, None)
        if auxiliary is None:
            continue
        last = "fc2" if hasattr(auxiliary, "fc2") else "fc"
        setattr(auxiliary, last, with_outputs(getattr(auxiliary, last), classes))


def remove_auxiliary_heads(model: nn.Module) -> None:
    """Take GoogLeNet's and Inception's auxiliary heads off, in place: a frozen body has no use for them."""
    for name in ("aux1", "aux2", "AuxLogits"):
        if getattr(model, name, None) is not None:
            setattr(model, name, None)
    if hasattr(model, "aux_logits"):
        model.aux_logits = False  # type: ignore[assignment]
