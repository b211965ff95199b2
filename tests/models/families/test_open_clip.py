"""Models of open_clip: their image towers as backbones, and classes in words against open_clip's own zero-shot code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import COMPUTE, tiny_inputs, tiny_prepared
from safetensors.torch import save_file

from medtransfer.data.prepared import Prepared
from medtransfer.deployment.trained import predict_variant
from medtransfer.models.assemble import Weights
from medtransfer.models.families import ClassifierFamily
from medtransfer.models.families.open_clip import OpenClip
from medtransfer.models.network import to_channels_first
from medtransfer.models.torchvision_models import library
from medtransfer.models.weights import obtain_weights, save_state
from medtransfer.study import Backbone, Strategy, Variant
from medtransfer.training.runs import Inputs, make_network
from medtransfer.training.variant import train_variant
from medtransfer.util.errors import UserError
from medtransfer.util.places import CACHE_VARIABLE

open_clip = library("open_clip")

TEXT = {"width": 16, "heads": 2, "layers": 2, "context_length": 40}
TOWERS: dict[str, dict[str, Any]] = {
    "tiny-vit": {"image_size": 32, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16},
    "tiny-resnet": {"image_size": 64, "width": 16, "layers": [1, 1, 1, 1], "head_width": 32},
    "tiny-timm": {"image_size": 224, "timm_model_name": "vit_tiny_patch16_224", "timm_pool": "", "timm_proj": "linear"},
}
TEMPLATES = ["ultrasound of {} tissue.", "an image that shows {}"]
MEAN, STD = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)


@pytest.fixture(scope="module", autouse=True)
def _small_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("configs")
    for name, tower in TOWERS.items():
        config = {"embed_dim": 24, "vision_cfg": tower, "text_cfg": TEXT, "custom_text": name == "tiny-timm"}
        (folder / f"{name}.json").write_text(json.dumps(config), encoding="utf-8")
    open_clip.add_model_config(folder)
    yield
    for name in TOWERS:
        del open_clip.factory._MODEL_CONFIGS[name]


def released(folder: Path, name: str, quick_gelu: bool = False) -> torch.nn.Module:
    """Write a model of random weights to a folder as open_clip publishes it, and return it."""
    torch.manual_seed(3)
    model = open_clip.create_model(name)
    folder.mkdir()
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / OpenClip.hub_files[0])
    config = {"model_cfg": {"quick_gelu": quick_gelu}, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / OpenClip.hub_config).write_text(json.dumps(config), encoding="utf-8")
    return model.eval()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return tiny_prepared(tmp_path_factory.mktemp("set"))


def words_of(prepared: Prepared) -> dict[str, list[str]]:
    return {name: [name, f"a head with signs of {name}"] for name in prepared.classes}


def inputs_of(prepared: Prepared, folder: Path, name: str = "tiny-vit", **strategy: Any) -> Inputs:
    """Describe a training with the weights in `folder`, stored as the stage `weights` does."""
    prompts = {"templates": TEMPLATES, "classes": words_of(prepared)}
    fields = {"init": "pretrained", "train": "none", "head": "prompts", "prompts": prompts} | strategy
    inputs = tiny_inputs(prepared, **fields)
    spec = Backbone(model=f"open_clip/{name}", weights=str(folder))
    state, card = obtain_weights("clip", spec, None)
    save_state(state, folder / "stored.safetensors")
    variant = replace(inputs.variant, backbone_name="clip", backbone=spec)
    return replace(inputs, variant=variant, weights=Weights(state, card, folder / "stored.safetensors"))


def zero_shot(model: Any, prepared: Prepared, rows: np.ndarray) -> torch.Tensor:
    """Return the probabilities of open_clip's own code; each class has as many words."""
    tokenizer = open_clip.get_tokenizer("tiny-vit")
    templates = [lambda words, n=n, t=t: t.format(words[n]) for n in range(2) for t in TEMPLATES]
    classifier = open_clip.build_zero_shot_classifier(model, tokenizer, list(words_of(prepared).values()), templates)
    pixels = to_channels_first(prepared.images[rows]).float().expand(-1, 3, -1, -1) / 255
    images = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.inference_mode():
        return (model.logit_scale.exp() * model.encode_image(images, normalize=True) @ classifier).softmax(dim=1)


def test_classes_in_words_are_found_as_by_open_clip_itself(
    tmp_path: Path, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    model = released(tmp_path / "clip", "tiny-vit")
    inputs = inputs_of(prepared, tmp_path / "clip")
    rows = prepared.roles(0).test
    train_variant(inputs, tmp_path / "model", tmp_path / "cost.json", lambda *_: None)
    tables = list(predict_variant(inputs.variant, prepared, tmp_path / "model", COMPUTE))
    found = next(table for table in tables if (table["role"] == "test").all())
    columns = [column for column in found if column.startswith("p_")]
    assert len(columns) == len(prepared.classes)
    expected = zero_shot(model, prepared, rows).numpy()
    assert np.ptp(expected, axis=0).max() > 1e-3  # it does depend on the image
    np.testing.assert_allclose(found[columns].to_numpy(), expected, rtol=0, atol=1e-5)
    assert len(list((tmp_path / "cache/texts").glob("*.safetensors"))) == 1  # of both runs

    monkeypatch.setattr(OpenClip, "embed_texts", lambda *_: pytest.fail("they are cached"))
    make_network(inputs, 0, 0)


@pytest.mark.parametrize(("name", "size"), [("tiny-vit", 48), ("tiny-resnet", 96), ("tiny-timm", 64)])
def test_image_towers_of_another_size_are_those_that_open_clip_loads(tmp_path: Path, name: str, size: int) -> None:
    released(tmp_path / "clip", name)
    family, model = OpenClip(), f"open_clip/{name}"
    assert not ClassifierFamily.backbone_problems(model, Backbone(weights=str(tmp_path / "clip")), size)
    state, card = obtain_weights("clip", Backbone(model=model, weights=str(tmp_path / "clip")), None)
    assert (card.mean, card.std) == (MEAN, STD)
    tower = family.build(model, size)
    tower.load_state_dict(family.fit_state(tower, state))
    images = torch.randn(2, 3, size, size)
    if name == "tiny-vit":
        theirs = open_clip.create_model(name, force_image_size=size)
        open_clip.factory.load_checkpoint(theirs, str(tmp_path / "clip" / family.hub_files[0]))
        with torch.inference_mode():
            torch.testing.assert_close(tower.eval()(images), theirs.eval().encode_image(images), rtol=0, atol=0)
    assert tower.eval()(images).shape == (2, 24)


def test_tokens_and_blocks_are_those_that_the_tower_pools() -> None:
    images = torch.randn(2, 3, 64, 64)
    towers = {name: OpenClip().build(f"open_clip/{name}", 64).eval() for name in TOWERS}
    with torch.inference_mode():
        vit = towers["tiny-vit"]
        tokens = OpenClip().with_tokens(vit, "")(images)
        torch.testing.assert_close(vit.ln_post(tokens[:, 0]) @ vit.proj, vit(images))
        blocks = OpenClip().with_blocks(vit, "", 2)
        torch.testing.assert_close(blocks(images)[:, 32:64] @ vit.proj, vit(images))
        resnet = towers["tiny-resnet"]
        torch.testing.assert_close(
            resnet.attnpool(OpenClip().with_tokens(resnet, "")(images).mT.unflatten(2, (2, 2))), resnet(images)
        )
        timm = towers["tiny-timm"]
        torch.testing.assert_close(timm.head(OpenClip().with_tokens(timm, "")(images)[:, 0]), timm(images))
        assert OpenClip().with_blocks(timm, "", 3)(images).shape == (2, 2 * 3 * 192)


def test_a_linear_head_learns_on_the_embeddings(tmp_path: Path, prepared: Prepared) -> None:
    released(tmp_path / "clip", "tiny-vit")
    inputs = inputs_of(prepared, tmp_path / "clip", head="linear", train="head", prompts=None, epochs=2)
    network = make_network(inputs, 0, 0)
    assert network.head[1].in_features == 24
    assert network.body_frozen


def test_words_for_other_classes_are_refused(tmp_path: Path, prepared: Prepared) -> None:
    released(tmp_path / "clip", "tiny-vit")
    inputs = inputs_of(prepared, tmp_path / "clip")
    last, words = prepared.classes[-1], words_of(prepared)

    def problem(classes: dict[str, list[str]]) -> str:
        prompts = inputs.variant.strategy.prompts.model_copy(update={"classes": classes})  # type: ignore[union-attr]
        strategy = inputs.variant.strategy.model_copy(update={"prompts": prompts})
        with pytest.raises(UserError) as error:
            make_network(replace(inputs, variant=replace(inputs.variant, strategy=strategy)), 0, 0)
        return str(error.value)

    assert problem({name: words[name] for name in words if name != last}).endswith(f"no words for {last}; add them")
    assert problem(words | {"tumour": ["tumour"]}).endswith("the set has no class tumour; omit it")


def test_an_image_tower_alone_has_no_words(tmp_path: Path, prepared: Prepared) -> None:
    tower = released(tmp_path / "clip", "tiny-vit").visual
    save_file({key: value.contiguous() for key, value in tower.state_dict().items()},
              tmp_path / "clip" / OpenClip.hub_files[0])  # fmt: skip
    with pytest.raises(UserError, match="have no text tower"):
        make_network(inputs_of(prepared, tmp_path / "clip"), 0, 0)


def test_wrong_names_tags_and_activations_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def problem(model: str, **fields: str) -> str:
        (found,) = ClassifierFamily.backbone_problems(f"open_clip/{model}", Backbone.model_validate(fields), 64)
        return found

    assert "did you mean 'open_clip/ViT-B-32'" in problem("ViT-B-33")
    assert "no weights 'laion' for open_clip/ViT-B-32; it has openai, laion" in problem("ViT-B-32", weights="laion")
    assert "QuickGELU, unlike open_clip/ViT-B-32; use open_clip/ViT-B-32-quickgelu" in problem("ViT-B-32.openai")
    assert "needs a multiple of" not in problem("ViT-B-32-quickgelu.openai", pooling="avg")
    release = OpenClip().release("open_clip/ViT-B-32-quickgelu.openai", "DEFAULT")
    assert release.hub == "timm/vit_base_patch32_clip_224.openai"
    released(tmp_path / "clip", "tiny-vit", quick_gelu=True)
    with pytest.raises(UserError, match="use open_clip/tiny-vit-quickgelu"):
        obtain_weights("clip", Backbone(model="open_clip/tiny-vit", weights=str(tmp_path / "clip")), None)
    monkeypatch.setattr("medtransfer.models.families.open_clip.find_spec", lambda _: None)
    assert problem("ViT-B-32") == "open_clip is not installed; pip install 'medtransfer[prompts]'"


def test_heads_of_words_need_a_model_that_reads_them_and_its_weights() -> None:
    def problem(model: str, weights: str = "laion2b_s34b_b79k", **strategy: Any) -> str:
        from medtransfer.models.heads import HEADS

        fields = {"head": "prompts", "prompts": {"templates": ["{}"], "classes": {"a": ["x"], "b": ["y"]}}} | strategy
        variant = replace(
            VARIANT, backbone=Backbone(model=model, weights=weights), strategy=Strategy.model_validate(fields)
        )
        return " ".join(HEADS["prompts"].variant_problems(variant))

    assert problem("open_clip/ViT-B-32") == ""
    assert "needs prompts: {templates" in problem("open_clip/ViT-B-32", prompts=None)
    assert "resnet18 embeds no texts" in problem("resnet18")
    assert "needs pretrained weights" in problem("open_clip/ViT-B-32", weights="none")
    assert "reads texts by transformers' roberta-base" in problem("open_clip/roberta-ViT-B-32")


VARIANT = Variant("v", "clip", Backbone(), "s", Strategy(), "none", None)  # type: ignore[arg-type]
