"""Weights: found, checked, loaded key by key, and never silently random."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from medtransfer.models.families import ClassifierFamily, build_backbone
from medtransfer.models.families.torchvision import Torchvision
from medtransfer.models.weights import load_weights, obtain_weights, read_state
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError

SMALL = "squeezenet1_1"
LAST = {"classifier.1.weight", "classifier.1.bias"}


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(build_backbone(SMALL, 64).state_dict())


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def mirror_file(folder: Path, state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store a state dict under a name like those of torchvision, and have its release point to it."""
    folder.mkdir(exist_ok=True)
    draft = folder / "draft.pth"
    torch.save(state, draft)
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()[:8]
    file = draft.rename(folder / f"squeezenet1_1-{digest}.pth")
    url = f"https://127.0.0.1:9/models/{file.name}"
    release = ClassifierFamily.of(SMALL).release(SMALL, "IMAGENET1K_V1")
    published = replace(release, url=url, file_name=file.name, sha256=digest)
    monkeypatch.setattr(Torchvision, "release", lambda *_: published)
    monkeypatch.setenv("TORCH_HOME", str(folder.parent / "torch_home"))
    return file


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_a_state_dict_of_any_float_type_is_read_as_float32(
    tmp_path: Path, state: dict[str, torch.Tensor], suffix: str, kind: torch.dtype
) -> None:
    path = tmp_path / f"own{suffix}"
    stored = {name: tensor.to(kind) for name, tensor in state.items()}
    if suffix == ".pth":
        torch.save(stored, path)
    else:
        save_file(stored, path)
    found, card = obtain_weights(SMALL, Backbone(weights=str(path)), None)
    assert_equal(found, {name: tensor.to(kind).float() for name, tensor in state.items()})
    assert card.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card.source == "file"


@pytest.mark.parametrize(
    "wrap", [lambda s: {"state_dict": s, "epoch": 3}, lambda s: {f"module.{k}": v for k, v in s.items()}]
)
def test_common_wrappers_and_prefixes_are_removed(tmp_path: Path, state: dict[str, torch.Tensor], wrap) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "own.pth"
    torch.save(wrap(state), path)
    assert_equal(read_state(path), state)


def test_old_densenet_names_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "densenet.pth"
    state = build_backbone("densenet121", 64).state_dict()
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in name else name: tensor
        for name, tensor in state.items()
    }
    assert old.keys() != state.keys()
    torch.save(old, path)
    assert read_state(path).keys() == state.keys()


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return (Path.write_text, (tmp_path / "harm", "done"))  # type: ignore[return-value]

    path = tmp_path / "own.pth"
    path.write_bytes(pickle.dumps({"weight": Attack()}))
    with pytest.raises(UserError, match="which could run code and are not loaded; save the state dict alone"):
        read_state(path)
    torch.save({"weight": Attack()}, path)
    with pytest.raises(UserError, match="which could run code and are not loaded; save the state dict alone"):
        read_state(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"own{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_state(path)
    assert len(error.value.problems) == 1
    assert str(path) in error.value.problems[0]


ODD: dict[str, tuple[object, object, str]] = {
    "number as key": (7, torch.ones(3), "'7' is a tensor"),
    "bytes as key": (b"weight", torch.ones(3), "is a tensor"),
    "list": ("weight", [1.0], "'weight' is of type list"),
    "sparse": ("weight", torch.eye(3).to_sparse(), "sparse or expanded"),
    "expanded": ("weight", torch.ones(1, dtype=torch.float16).expand(1 << 20, 1 << 20), "sparse or expanded"),
    "without values": ("weight", torch.ones(3, device="meta"), "without values"),
    "quantized": ("weight", torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "quantized"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("key", "value", "expected"), ODD.values(), ids=ODD)
def test_what_is_not_a_plain_tensor_is_named(tmp_path: Path, key: object, value: object, expected: str) -> None:
    torch.save({"bias": torch.ones(3), key: value}, tmp_path / "own.pth")
    with pytest.raises(UserError, match="expected a state dict") as error:
        read_state(tmp_path / "own.pth")
    assert expected in str(error.value)
    assert len(error.value.problems) == 1


def test_keys_that_do_not_fit_are_listed(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    model = build_backbone(SMALL, 64)
    without = {name: tensor for name, tensor in state.items() if name != "features.0.weight"}
    with pytest.raises(UserError, match=r"misses features\.0\.weight"):
        load_weights(model, without, LAST, "here")
    with pytest.raises(UserError, match=r"has the unknown keys features\.99\.weight"):
        load_weights(model, state | {"features.99.weight": torch.zeros(1)}, LAST, "here")
    with pytest.raises(UserError, match=r"has other shapes for features\.0\.weight"):
        load_weights(model, state | {"features.0.weight": torch.zeros(1)}, LAST, "here")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda tensor: tensor * float("nan"), "has values that are not finite in"),
        (lambda tensor: tensor / 0, "has values that are not finite in"),
        (lambda tensor: tensor.to(torch.complex64), "has no floating-point numbers in"),
        (lambda tensor: tensor.to(torch.int8), "has no floating-point numbers in"),
    ],
    ids=["nan", "infinite", "complex", "integer"],
)
def test_numbers_that_are_no_weights_are_refused(
    state: dict[str, torch.Tensor], change: Callable[[torch.Tensor], torch.Tensor], problem: str
) -> None:
    wrong = state | {"features.0.weight": change(state["features.0.weight"])}
    with pytest.raises(UserError, match=rf"here: does not fit \w+: it {problem} features\.0\.weight$"):
        load_weights(build_backbone(SMALL, 64), wrong, LAST, "here")


@pytest.mark.parametrize("model", ["densenet121", "mnasnet0_5"])
def test_files_without_counters_or_versions_load_as_torch_loads_them(model: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = build_backbone(model, 64).state_dict()
    old = {name: tensor for name, tensor in source.items() if not name.endswith("num_batches_tracked")}
    save_file(old, tmp_path / "old.safetensors")
    state, _ = obtain_weights(model, Backbone(weights=str(tmp_path / "old.safetensors")), None)
    target = build_backbone(model, 64)
    load_weights(target, state, set(), "here")
    assert_equal(source, target.state_dict())


def test_the_last_layer_may_be_missing_or_have_other_classes(state: dict[str, torch.Tensor]) -> None:
    for classifier in ({}, {"classifier.1.weight": torch.zeros(7, 512, 1, 1), "classifier.1.bias": torch.zeros(7)}):
        rest = {name: tensor for name, tensor in state.items() if not name.startswith("classifier")}
        model = build_backbone(SMALL, 64)
        load_weights(model, rest | classifier, LAST, "here")
        assert torch.equal(model.state_dict()["features.0.weight"], state["features.0.weight"])


def test_position_embeddings_are_interpolated_to_the_image_size() -> None:
    source, target = build_backbone("vit_b_32", 224), build_backbone("vit_b_32", 96)
    load_weights(target, Torchvision().fit_state(target, dict(source.state_dict())), set(), "here")
    found = target.state_dict()["encoder.pos_embedding"]
    assert found.shape == (1, 10, 768)
    assert torch.equal(found[:, 0], source.state_dict()["encoder.pos_embedding"][:, 0])


def test_weights_are_found_in_a_mirror_folder_named_by_a_parameter_or_the_environment(
    tmp_path: Path, state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = mirror_file(tmp_path / "mirror", state, monkeypatch)
    spec = Backbone(weights="IMAGENET1K_V1")
    found, card = obtain_weights(SMALL, spec, str(file.parent))
    assert_equal(found, state)
    assert card.source == "torchvision"
    assert card.mean == pytest.approx((0.485, 0.456, 0.406))
    monkeypatch.setenv("MEDTRANSFER_WEIGHTS", str(file.parent))
    assert_equal(obtain_weights(SMALL, spec, None)[0], state)


def test_a_damaged_mirror_file_is_refused(
    tmp_path: Path, state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = mirror_file(tmp_path / "mirror", state, monkeypatch)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match="expected SHA-256"):
        obtain_weights(SMALL, Backbone(weights="IMAGENET1K_V1"), str(file.parent))


def test_missing_weights_name_the_file_and_both_remedies(
    tmp_path: Path, state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = mirror_file(tmp_path / "mirror", state, monkeypatch)
    with pytest.raises(UserError) as error:  # nothing listens on port 9
        obtain_weights(SMALL, Backbone(weights="IMAGENET1K_V1"), None)
    assert len(str(error.value)) <= 220
    (line,) = error.value.problems
    assert file.name in line
    assert "MEDTRANSFER_WEIGHTS" in line
    assert "set weights to a path" in line


def test_real_weights_load_strictly(shared: Path) -> None:
    for name in ("mobilenet_v3_small", "mobilenet_v2", "resnet18", "resnet50", "squeezenet1_1"):
        path = shared / "weights" / f"{name}.safetensors"
        state, card = obtain_weights(name, Backbone(weights=str(path)), None)
        model = build_backbone(name, 224)
        model.load_state_dict(state, strict=True)
        assert card.model == name
