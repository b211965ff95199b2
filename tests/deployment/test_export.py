"""Exported ONNX files have the outputs of their networks, a description and a model card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from builders import CLASSES, assembled
from hostile import ATTACKS, inline, shape
from torch import nn

from medtransfer.data.prepared import Prepared
from medtransfer.deployment import export
from medtransfer.deployment.export import TOLERANCE, export_model, largest_difference, require_onnx, write_onnx
from medtransfer.deployment.model import Model, find_model
from medtransfer.deployment.model_card import model_card
from medtransfer.deployment.predict import predict_files
from medtransfer.deployment.predictor import Ensemble
from medtransfer.models.families import SegmenterFamily
from medtransfer.models.network import Network, Normalise, to_channels_first
from medtransfer.study import Backbone, Loss, UNet
from medtransfer.tasks import TASKS
from medtransfer.util.errors import UserError
from medtransfer.util.files import read_json, write_json
from medtransfer.util.places import Places

FITTED = ("prototypes", "knn", "logistic")
SIZES = {"alexnet": 96, "inception_v3": 96, "maxvit_t": 224, "vit_b_16": 224, "timm/swin_tiny_patch4_window7_224": 224}
FAMILIES = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "resnet50",
    "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vit_b_16",
    "wide_resnet50_2", "timm/vit_tiny_patch16_224", "timm/vit_small_patch16_dinov3", "timm/convnext_atto",
    "timm/swin_tiny_patch4_window7_224", "timm/tf_efficientnet_lite0",
)  # fmt: skip


def model_of(size: int, channels: int = 1, task: str = "classification") -> Model:
    card: dict[str, Any] = {
        "variant": "mine",
        "task": task, "classes": [f"class {number}" for number in range(CLASSES)], "image_size": size,
        "channels": channels, "resize": "pad", "data": {"pixels_sha256": "0" * 64, "warnings": ["a warning"]},
    }  # fmt: skip
    return Model(Path("models/mine"), card, [(0, 0), (0, 1)])


def network_of(name: str, head: str, size: int, seed: int = 0) -> Network:
    """Build a network of random weights whose probabilities differ from image to image."""
    network = assembled(name, head, size, train="head" if head in FITTED else "all")
    torch.manual_seed(seed)
    unnormed = not any(isinstance(module, nn.BatchNorm2d | nn.LayerNorm) for module in network.modules())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        if unnormed and isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    inputs = to_channels_first(pixels_of(16, size))
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if "gamma" in key or "layer_scale" in key:  # near 0 at first, so that images hardly differ
                parameter.fill_(1.0)
        network.train()(inputs)
        features = network.eval().features(inputs)
        if head in FITTED:
            network.head.fit(features, torch.arange(len(features)) % CLASSES)
        elif isinstance(last := list(network.head.modules())[-1], nn.Linear):
            logits = network(inputs)
            scale = 3 * logits.std(dim=0)  # a smaller scale would amplify rounding errors
            last.weight /= scale[:, None]
            bias = torch.zeros(CLASSES) if last.bias is None else last.bias
            last.bias = nn.Parameter((bias - logits.mean(dim=0)) / scale)
    return network


def ensemble(networks: list[Network], task: str = "classification") -> Ensemble:
    return Ensemble(networks, TASKS[task], Loss())


def pixels_of(count: int, size: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, channels), dtype=np.uint8)


def exported_difference(network: nn.Module, size: int, path: Path, task: str = "classification") -> float:
    pixels = pixels_of(7, size)
    with torch.inference_mode():
        assert network(to_channels_first(pixels)).std(dim=0).max() > 1e-3
    write_onnx(network, model_of(size, task=task), path)
    return largest_difference(network, path, pixels, [1, 4, 2])


@pytest.mark.parametrize("head", ["linear", "mlp", "own", *FITTED])
def test_every_head_is_exported_exactly_for_any_batch_size(tmp_path: Path, head: str) -> None:
    network = ensemble([network_of("cnn_small", head, 32)])
    assert exported_difference(network, 32, tmp_path / "a.onnx") < 1e-5


@pytest.mark.parametrize("name", ["unet", "resnet18"])
def test_models_of_masks_are_exported_exactly(tmp_path: Path, name: str) -> None:
    spec = Backbone(weights="none", unet=UNet(base=4, depth=2))
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        encoder, decoder = SegmenterFamily.of(name).build(name, spec, 2, 0.0)
        networks.append(Network(Normalise((0.5,) * 3, (0.2,) * 3), encoder, decoder).eval())
    both = ensemble(networks, "segmentation")
    assert exported_difference(both, 32, tmp_path / "a.onnx", "segmentation") < 1e-5
    with torch.inference_mode():
        found = both(to_channels_first(pixels_of(3, 32)))
    assert found.shape == (3, 2, 32, 32)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3, 32, 32))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_of_backbones_is_exported_exactly(tmp_path: Path, name: str) -> None:
    """In float32, deep networks of random weights differ from themselves in float64 by up to 1e-4 (Inception v3)."""
    size = SIZES.get(name, 64)
    network = ensemble([network_of(name, "linear" if name.startswith("timm/") else "own", size)])
    write_onnx(network, model_of(size), tmp_path / "a.onnx")
    exact = network.double()
    exact.networks[0].body.register_forward_pre_hook(lambda _, images: (images[0].double(),))
    assert largest_difference(exact, tmp_path / "a.onnx", pixels_of(7, size), [1, 4, 2]) < TOLERANCE


def test_several_runs_return_their_mean_and_shared_layers_are_stored_once(tmp_path: Path) -> None:
    runs = [network_of("cnn_small", "linear", 32, seed) for seed in (0, 1)]
    both = Ensemble(runs, TASKS["classification"], Loss(kind="binary_cross_entropy"))
    assert exported_difference(both, 32, tmp_path / "both.onnx") < 1e-5
    runs[1].normalise, runs[1].body = runs[0].normalise, runs[0].body
    shared = Ensemble(runs, TASKS["classification"], Loss())
    assert exported_difference(shared, 32, tmp_path / "shared.onnx") < 1e-5
    body = sum(parameter.nelement() for parameter in runs[0].body.parameters()) * 4
    assert (tmp_path / "both.onnx").stat().st_size - (tmp_path / "shared.onnx").stat().st_size > 0.9 * body


def test_another_network_has_other_outputs(tmp_path: Path) -> None:
    write_onnx(ensemble([network_of("cnn_small", "linear", 32)]), model_of(32), tmp_path / "a.onnx")
    other = ensemble([network_of("cnn_small", "linear", 32, seed=1)])
    assert largest_difference(other, tmp_path / "a.onnx", pixels_of(4, 32), [4]) > 1e-3


def test_the_file_describes_its_input_and_output(tmp_path: Path) -> None:
    network = ensemble([network_of("cnn_small", "linear", 32)])
    write_onnx(network, model_of(32, channels=3), tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    (pixels,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.type, pixels.shape) == ("pixels", "tensor(uint8)", ["batch", 3, 32, 32])
    assert (probabilities.name, probabilities.shape) == ("probabilities", ["batch", CLASSES])
    described = session.get_modelmeta().custom_metadata_map
    assert json.loads(described["classes"]) == ["class 0", "class 1", "class 2"]
    assert json.loads(described["runs"]) == ["fold0_seed0", "fold0_seed1"]
    assert "8-bit RGB" in described["preprocessing"]
    assert "scale the longer side to 32 and pad with black to a square" in described["preprocessing"]
    assert described["data_sha256"] == "0" * 64


def test_the_file_returns_the_probabilities_that_predict_writes(repository: Path) -> None:
    model = find_model("tiny", root=repository)
    assert export_model(model, repository / "out", repository) < 1e-5
    assert sorted(path.name for path in (repository / "out").iterdir()) == ["README.md", "model.onnx"]
    found = (repository / "out/model.onnx").read_bytes()
    assert b"medtransfer/deployment" not in found  # as in a path of this machine
    export_model(model, repository / "again", repository)
    assert (repository / "again/model.onnx").read_bytes() == found
    prepared = Prepared(repository / "data/prepared")
    files = [repository / "raw" / path for path in prepared.table["path"][:3]]
    predict_files(model, files, repository / "mine.csv")
    lines = (repository / "mine.csv").read_text(encoding="utf-8").splitlines()[1:]
    predicted = np.array([[float(value) for value in line.split(",")[2:]] for line in lines])
    session = onnxruntime.InferenceSession(repository / "out/model.onnx", providers=["CPUExecutionProvider"])
    pixels = np.ascontiguousarray(prepared.images[:3].transpose(0, 3, 1, 2))
    np.testing.assert_allclose(session.run(None, {"pixels": pixels})[0], predicted, atol=1e-5)


def test_the_card_lists_data_training_metrics_and_warnings(repository: Path) -> None:
    export_model(find_model("tiny", root=repository), repository / "out", repository)
    text = (repository / "out/README.md").read_text(encoding="utf-8")
    about = json.loads((repository / "data/prepared/dataset.json").read_text(encoding="utf-8"))
    assert "kaggle: owner/heads, version 3" in text
    assert "**Licence**: CC-BY-4.0" in text
    assert about["pixels_sha256"] in text
    assert all(f"> **Warning.** {warning}" in text for warning in about["warnings"])
    assert (
        "{init: random, train: all, head: linear, optimizer: adam, lr: 0.001, batch_size: 16, epochs: 1, monitor: loss}"
        in text
    )
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    assert ".750 [.500, .875]" in rows["Accuracy"]
    assert ".300 [.200, .400]" in rows["Accuracy"]
    assert "log_loss" not in rows
    assert "trained to distinguish 5 classes of images" in text
    assert "rival" not in text
    assert [cell.strip() for cell in rows["cyst"].split("|")[2:-1]] == [".500", ".250", ".333"]
    table = Prepared(repository / "data/prepared").table
    assert f"{len(table[(table['label'] == 'mass') & (table['split'] == 'test')])} |" in text


def test_no_name_changes_the_card(repository: Path) -> None:
    model, places = find_model("tiny", root=repository), Places(repository)

    def card_with(name: str) -> str:
        write_json(places.manifest, read_json(places.manifest) | {"reference": name, "licence": name})
        card = model.card | {"classes": ["cyst", name], "data": model.card["data"] | {"warnings": []}}
        return model_card(replace(model, card=card), None, places)

    plain = shape(card_with("plain"))
    for name in ATTACKS:
        page = card_with(name)
        assert shape(page) == plain, name
        assert not inline(page) & {"html_inline", "link_open", "image"}, name


def test_the_card_of_a_model_from_elsewhere_has_no_metrics_of_this_repository(repository: Path) -> None:
    (repository / "models/tiny").rename(repository / "mine")
    export_model(find_model(str(repository / "mine")), repository / "out", repository)
    text = (repository / "out/README.md").read_text(encoding="utf-8")
    assert "## Metrics\n\nNone: " in text
    assert ".750" not in text


def test_a_file_with_other_outputs_is_not_written(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "largest_difference", lambda *_: 2e-4)
    with pytest.raises(UserError, match=r"differ from those of the PyTorch model by up to 0\.0002"):
        export_model(find_model("tiny", root=repository), repository / "out", repository)
    assert not (repository / "out").exists()


def test_nan_is_not_accepted_as_a_difference(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(UserError, match="by up to nan"):
        export_model(find_model("tiny", root=repository), repository / "out", repository)


def test_images_of_another_set_are_refused(repository: Path) -> None:
    about = repository / "data/prepared/dataset.json"
    write_json(about, json.loads(about.read_text(encoding="utf-8")) | {"pixels_sha256": "0" * 64})
    with pytest.raises(UserError, match="data/prepared: not the set that tiny was trained on"):
        export_model(find_model("tiny", root=repository), repository / "out", repository)
    about.unlink()
    with pytest.raises(UserError, match="data/prepared: missing; run `dvc repro prepare`"):
        export_model(find_model("tiny", root=repository), repository / "out", repository)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "NEEDED", ("onnx", "no_such_package"))
    with pytest.raises(UserError, match=r"export needs no_such_package; run: pip install 'medtransfer\[export\]'"):
        require_onnx()
