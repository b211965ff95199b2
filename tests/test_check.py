"""Choices that are not registered, options that are not theirs, and parts that do not go together are one line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_study import LINE, STUDY, params_with

from medtransfer.check import choice_problems, remarks, study_problems
from medtransfer.models.heads import build_head
from medtransfer.study import check_study, load_study
from medtransfer.study.use import use_study
from medtransfer.util import digests
from medtransfer.util.errors import UserError
from medtransfer.util.registry import Registry

MASKS = {
    "study.task": "segmentation",
    "data.masks": "auto",
    "comparison.metric": "dice",
    "backbones": {"unet": {"weights": "none"}},
    "augmentation.cutmix": {"transforms": []},
    "strategies": {"scratch": {"init": "random", "train": "all"}},
    "variants": {"whole": {"backbone": "unet", "strategy": "scratch", "augmentation": "none"}},
}

VIT = "timm/vit_tiny_patch16_224"
UNKNOWN = [
    ("study.task", "clasification", "study.task: no task 'clasification'; did you mean 'classification'?"),
    ("data.source", "fodler", "data.source: no source 'fodler'; did you mean 'folder'?"),
    ("data.layout", "class_folder", "data.layout.kind: no layout 'class_folder'; did you mean 'class_folders'?"),
    ("augmentation.cutmix.mix", {"method": "cutmxi"}, "augmentation.cutmix.mix.method: no mix 'cutmxi'; did you mean"),
    ("strategies.frozen.head", "mpl", "strategies.frozen.head: no head 'mpl'; did you mean 'mlp'?"),
    ("strategies.frozen.optimizer", "adan", "strategies.frozen.optimizer: no optimizer 'adan'; did you mean 'adam'?"),
    ("strategies.frozen.schedule", "cosin", "strategies.frozen.schedule.kind: no schedule 'cosin'; did you mean"),
    ("strategies.frozen.loss", "cross_entrpy", "strategies.frozen.loss.kind: no loss 'cross_entrpy'; did you mean"),
    ("strategies.frozen.loss", "dice", "strategies.frozen.loss.kind: no loss 'dice'; choose from binary_cross_entro"),
    ("comparison.metric", "acuracy", "comparison.metric: no metric 'acuracy'; did you mean 'accuracy'?"),
    ("data.layout", "images", "data.layout: images has no labels; classification needs a layout with classes"),
    ("explain.methods", ["gradcam"], "explain.methods.0: no explanation method 'gradcam'; did you mean"),
    ("variants.head_only", LINE | {"loss": "focl"}, "variants.head_only.loss.kind: no loss 'focl'; did you mean"),
]

OPTIONS = [
    ("strategies.frozen.epocs", 3, "strategies.frozen.epocs: unknown key; did you mean 'epochs'?"),
    ("variants.head_only", LINE | {"epocs": 3}, "head_only.epocs: unknown key; did you mean 'epochs'?"),
    ("strategies.frozen.schedule", {"kind": "step", "evry": 3}, "evry: unknown key; did you mean 'every'?"),
    ("strategies.frozen.schedule", {"kind": "step", "every": 0}, "schedule.every: input should be greater than or"),
    ("strategies.frozen.schedule", {"kind": "step", "every": 2.0}, "every: expected a whole number, but got"),
    ("strategies.frozen.schedule", {"kind": "step", "factor": 1}, "schedule.factor: input should be less than 1, but"),
    (
        "strategies.frozen.schedule",
        {"kind": "cosine", "patience": 3},
        "strategies.frozen.schedule: patience is an option of schedule plateau, not of cosine",
    ),
    ("strategies.frozen.loss", {"kind": "cross_entropy", "weight": 2}, "strategies.frozen.loss.weight: unknown key"),
    ("strategies.frozen.hidden", 64, "strategies.frozen: hidden is an option of head mlp, not of linear"),
    ("strategies.frozen.nesterov", True, "strategies.frozen: nesterov is an option of optimizer sgd, not of adam"),
]

TOGETHER = [
    (
        "strategies.frozen",
        {"head": "knn", "train": "all"},
        "strategies.frozen: head: knn is fitted on frozen features; it needs train: head",
    ),
    (
        "strategies.prototypes.sampler",
        "balanced",
        "strategies.prototypes: sampler: balanced draws the rows of epochs, but nothing trains over epochs here",
    ),
    ("comparison.metric", "kappa_quadratic", "comparison.metric: kappa_quadratic needs data.order: [LOWEST, ..., HI"),
    (
        "strategies.prototypes.lr_search",
        [0.1, 0.2],
        "strategies.prototypes: lr_search needs a head that trains over epochs, unlike head: prototypes",
    ),
    (
        "strategies.frozen.search",
        {"space": {"lrr": {"linear": [0.1, 0.2]}}},
        "strategies.frozen.search.space.lrr: unknown key; did you mean 'lr'?",
    ),
    (
        "strategies.frozen.search",
        {"space": {"momentum": [0.1, 0.2]}},
        "strategies.frozen.search.space: momentum is an option of optimizer sgd or rmsprop, not of adam",
    ),
    (
        "strategies.prototypes.features",
        {"blocks": 4},
        "strategies.prototypes: features of several blocks are for head: linear or mlp, not prototypes",
    ),
    (
        "strategies.frozen.prompts",
        {"templates": ["{}"], "classes": {"a": ["x"], "b": ["y"]}},
        "strategies.frozen: prompts is an option of head prompts, not of ",
    ),
    (
        "variants.head_only",
        LINE | {"feature_search": {"blocks": [1, 2], "poolings": ["token"]}, "head": "linear"},
        "variants.head_only: features: ",
    ),
    (
        "variants.head_only",
        LINE | {"strategy": "prototypes", "augmentation": "cutmix"},
        "variants.head_only: head: prototypes needs hard labels, but cutmix produces soft ones",
    ),
    (
        "comparison.tta",
        {"from_scratch": {}},
        "comparison.tta.from_scratch: its augmentation has no transforms, so that",
    ),
    ("data.unit", "mm", "data.unit: it does not apply to the labels of this task; omit it"),
    (
        "explain",
        {"variants": ["neighbours"], "methods": ["grad_cam"]},
        "explain.variants: neighbours has head: knn, whose outputs have no gradient for grad_cam; remove one",
    ),
]

OF_MASKS = [
    ("comparison.tta", {"whole": {}}, "comparison.tta.whole: its augmentation has no transforms, so that all views"),
    ("data.masks", None, "data.masks: segmentation needs masks"),
    ("explain", {"variants": ["whole"]}, "explain.variants: maps need one class for each image"),
    ("comparison.metric", "accuracy", "comparison.metric: no metric 'accuracy'; choose from assd, dice, hd95, iou"),
    ("strategies.scratch.head", "mlp", "variants.whole: head: mlp classifies images; in segmentation the decoder is"),
    ("augmentation.none.mix", {"method": "mixup"}, "augmentation.none: mix: mixup blends the classes of a mask"),
    ("strategies.scratch.loss", "focl", "strategies.scratch.loss.kind: no loss 'focl'; did you mean 'focal'?"),
    (
        "strategies.scratch.loss",
        {"kind": "dice", "gamma": 1.0},
        "strategies.scratch.loss: gamma is an option of loss focal, not of dice",
    ),
    ("strategies.scratch.loss", {"kind": "focal", "gamma": -1}, "loss.gamma: input should be greater than or equal to"),
    (
        "strategies.scratch.loss",
        {"kind": "dice", "label_smoothing": 0.1},
        "strategies.scratch.loss: dice does not support label_smoothing",
    ),
    (
        "strategies.scratch.loss",
        {"kind": "focal", "class_weights": "balanced"},
        "strategies.scratch.loss: focal does not support class_weights",
    ),
]


def choices(changes: dict[str, Any]) -> list[str]:
    return choice_problems(check_study(params_with(changes), "params.yaml"))


def problems(changes: dict[str, Any]) -> list[str]:
    found = study_problems(check_study(params_with(changes), "params.yaml"))
    return [problem for problem in found if "data.folder" not in problem]


def test_more_last_modules_than_a_model_has_are_told() -> None:
    study = check_study(params_with({"variants.head_only": LINE | {"train": {"last": 9999}}}), "params.yaml")
    assert choice_problems(study) == []
    told = "variants.head_only: train: last: 9999 is more than the 40 modules with parameters of resnet18; all of them"
    assert [remark[: len(told)] for remark in remarks(study)] == [told]
    assert remarks(check_study(params_with(), "params.yaml")) == []


def test_prompts_must_be_about_the_classes_of_the_order_and_of_each_other() -> None:
    line = LINE | {"train": "none", "head": "prompts"}

    def prompts(*names: str) -> dict[str, Any]:
        return {"prompts": {"templates": ["{}"], "classes": {name: ["a word"] for name in names}}}

    two = {"variants.one": line | prompts("a", "b", "c"), "variants.two": line | prompts("a", "b")}
    assert "params.yaml: variants.two: prompts.classes: no words for c; add them" in choices(two)
    ordered = choices(two | {"data.order": ["a", "b"]})
    assert "params.yaml: variants.one: prompts.classes: the set has no class c; omit it" in ordered
    assert not any("variants.two: prompts.classes" in problem for problem in ordered)


def test_mistakes_of_every_kind_are_reported_at_once() -> None:
    changes = {
        "data.colour": "grey",
        "strategies.scratch.epochs": 0,
        "variants.other": LINE | {"strategy": "frozn"},
        "variants.tuned": LINE | {"optimizer": "adamm"},
        "backbones.resnet18.weights": "DEFALT",
    }
    with pytest.raises(UserError) as raised:
        check_study(params_with(changes), "params.yaml", choice_problems)
    found = [problem.removeprefix("params.yaml: ") for problem in raised.value.problems]
    expected = (
        "data.colour: unknown key",
        "strategies.scratch.epochs: input should be greater",
        "variants.other.strategy: no 'frozn' in strategies; did you mean 'frozen'?",
        "variants.tuned.optimizer: no optimizer 'adamm'",
        "backbones.resnet18: weights: no weights 'DEFALT'",
    )
    assert len(found) == len(expected)
    for line in expected:
        assert any(problem.startswith(line) for problem in found), line


def test_a_right_study_has_no_problems() -> None:
    assert problems({}) == []
    assert problems(MASKS) == []


@pytest.mark.parametrize(("key", "value", "line"), [*UNKNOWN, *OPTIONS, *TOGETHER])
def test_each_mistake_is_one_line(key: str, value: Any, line: str) -> None:
    neighbours = {"variants.neighbours": LINE | {"head": "knn"}}
    (problem,) = choices(neighbours | {key: value})
    assert problem.startswith("params.yaml: ")
    assert line in problem


@pytest.mark.parametrize(("key", "value", "line"), OF_MASKS)
def test_each_mistake_of_a_segmentation_is_one_line(key: str, value: Any, line: str) -> None:
    (problem,) = choices(MASKS | {key: value})
    assert line in problem


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("backbones.resnet18.weights", "DEFALT", "backbones.resnet18: weights: no weights 'DEFALT' for resnet18"),
        (
            "backbones.resnet81",
            {"weights": "none"},
            "backbones.resnet81: no model 'resnet81'; did you mean 'resnet18'?",
        ),
        ("augmentation.none.transforms", [{"HorizontalFlipp": {}}], "augmentation.none: "),
    ],
)
def test_names_that_the_libraries_lack_are_found_before_a_study_is_written(
    tmp_path: Path, key: str, value: Any, line: str
) -> None:
    (tmp_path / "small.yaml").write_text(STUDY, encoding="utf-8")
    change = f"{key}={json.dumps(value)}"
    with pytest.raises(UserError) as raised:
        use_study("small", [change], tmp_path, tmp_path / "params.yaml", choice_problems)
    assert line in str(raised.value)
    assert not (tmp_path / "params.yaml").exists()


def test_a_fitted_head_needs_stored_views() -> None:
    changes = {
        "augmentation.fresh": {"views": "fresh", "transforms": [{"HorizontalFlip": {}}]},
        "variants.head_only": LINE | {"strategy": "prototypes", "augmentation": "fresh"},
    }
    assert choices(changes) == [
        "params.yaml: variants.head_only: head: prototypes is fitted once, on all views; "
        "set the views of its augmentation to a number"
    ]


def test_a_mistake_in_a_strategy_is_not_repeated_for_its_variants() -> None:
    changes = {"variants.head_only": LINE | {"epochs": 3}, "variants.again": LINE, "strategies.frozen.head": "mpl"}
    assert len(choices(changes)) == 1


def test_using_a_study_with_an_unknown_choice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(STUDY, encoding="utf-8")
    target = tmp_path / "params.yaml"
    with pytest.raises(UserError, match="no optimizer 'adan'; did you mean 'adam'"):
        use_study("small", ["strategies.frozen.optimizer=adan"], tmp_path, target, choice_problems)
    assert not target.exists()


EXTENSION = """\
import torch
from medtransfer.models.heads import HEADS, Head
from medtransfer.study.section import Positive
from medtransfer.training.losses import CLASS_LOSSES
from medtransfer.training.schedules import SCHEDULES

@CLASS_LOSSES.entry("brier")
def brier(logits, shares, *, power: Positive = 2.0):
    return (logits.softmax(dim=-1) - shares).abs().pow(power).sum(dim=-1)

@SCHEDULES.entry("half")
def half(epoch, epochs, losses):
    return 0.5

@HEADS.entry("bilinear")
class BilinearHead(Head):
    def __init__(self, width: int, classes: int, *, rank: int = 2) -> None:
        super().__init__()
        self.rank = rank
"""


@pytest.fixture
def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small study with an extension, `extensions/mine.py`."""
    from medtransfer.models.heads import HEADS
    from medtransfer.training.losses import CLASS_LOSSES
    from medtransfer.training.schedules import SCHEDULES

    registry: Registry[Any]
    for registry in (HEADS, CLASS_LOSSES, SCHEDULES):
        len(registry)  # imports its package
        monkeypatch.setattr(registry, "_items", dict(registry._items))
    monkeypatch.setattr(digests, "EXTENSIONS", [])
    monkeypatch.setattr("medtransfer.study.loading.EXTENSIONS", digests.EXTENSIONS)
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions/mine.py").write_text(EXTENSION, encoding="utf-8")
    (tmp_path / "params.yaml").write_text(f"extensions: [extensions/mine.py]\n{STUDY}", encoding="utf-8")
    return tmp_path


def test_choices_of_an_extension_are_checked_like_others(extended: Path) -> None:
    study = load_study(extended / "params.yaml")
    assert choice_problems(study) == []
    strategy = {"head": "bilinear", "rank": 3, "loss": {"kind": "brier", "power": 1.5}, "schedule": "half"}
    raw = params_with({"strategies.frozen": strategy})
    study = check_study(raw, "params.yaml")
    assert choice_problems(study) == []
    assert build_head(study.params.strategies["frozen"], 4, 2, []).rank == 3
    raw["strategies"]["frozen"] |= {"rank": "many", "loss": {"kind": "brier", "power": 0}}
    assert choice_problems(check_study(raw, "x")) == [
        "x: strategies.frozen.rank: expected a whole number, but got 'many'",
        "x: strategies.frozen.loss.power: input should be greater than 0, but got 0",
    ]


def test_an_extension_counts_in_every_digest_of_code(extended: Path, root: Path) -> None:
    before = digests.script_digest(root / "stages/download.py"), digests.module_digest("medtransfer.util.text")
    load_study(extended / "params.yaml")
    after = digests.script_digest(root / "stages/download.py"), digests.module_digest("medtransfer.util.text")
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "extensions: extensions/mine.py is not a Python file"),
        ("raise ValueError('no')", "extensions: extensions/mine.py cannot be imported: ValueError: no"),
        ("def f(:", "extensions: extensions/mine.py cannot be imported: SyntaxError: "),
        (
            "from medtransfer.training.losses import CLASS_LOSSES\nCLASS_LOSSES.register('cross_entropy', max)",
            "extensions: extensions/mine.py cannot be imported: ValueError: loss 'cross_entropy' is registered twice",
        ),
    ],
)
def test_an_extension_that_cannot_be_imported_is_one_line(extended: Path, code: str | None, reason: str) -> None:
    (extended / "extensions/mine.py").unlink()
    if code is not None:
        (extended / "extensions/mine.py").write_text(code, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        load_study(extended / "params.yaml")
    (problem,) = raised.value.problems
    assert problem.startswith(f"{extended / 'params.yaml'}: {reason}")


def test_only_a_network_with_blocks_can_recompute_them() -> None:
    forgetful = {"strategies.scratch.gradient_checkpointing": True}
    assert problems(forgetful) == [
        "params.yaml: variants.from_scratch: gradient_checkpointing: cnn_small is a plain sequence of layers, "
        "without blocks to recompute"
    ]
    assert problems(forgetful | {"variants.from_scratch.backbone": "resnet18"}) == []


@pytest.mark.parametrize(
    ("backbone", "train", "problem"),
    [
        (
            "resnet18",
            {"lora": {"rank": 4}},
            "no layer of targets: attention is larger than its adapter of rank 4 (try a lower rank, or targets: all) "
            "in resnet18",
        ),
        ("resnet18", {"last_blocks": 9}, "last_blocks: 9, but there are 8 in resnet18"),
        ("resnet18", {"lora": {"last_blocks": 9, "targets": "all"}}, "last_blocks: 9, but there are 8 in resnet18"),
        ("vit", {"last_blocks": 99}, f"last_blocks: 99, but there are 13 (PatchEmbed and 12 Block) in {VIT}"),
        ("cnn_small", "norms", "no parameters fit norms in cnn_small"),
    ],
)
def test_a_backbone_without_the_part_to_train_is_one_line(backbone: str, train: Any, problem: str) -> None:
    changes = {"strategies.frozen.train": train, "variants.head_only.backbone": backbone}
    changes |= {"backbones.cnn_small.weights": "own.pth"} if backbone == "cnn_small" else {}
    changes |= {"backbones.vit": {"model": VIT, "weights": "own.pth"}} if backbone == "vit" else {}
    assert problems(changes)[0] == f"params.yaml: variants.head_only: train: {problem}"


def test_blocks_of_a_network_with_computed_widths_are_known_by_name() -> None:
    regnet = {"backbones.regnet_y_400mf": {"weights": "none"}, "data.image_size": 64}
    wrong = {"explain": {"variants": [], "blocks": {"regnet_y_400mf": "trunk_output.block9"}}}
    assert problems(regnet | wrong) == [
        "params.yaml: explain.blocks.regnet_y_400mf: regnet_y_400mf has no block 'trunk_output.block9'; "
        "did you mean 'trunk_output.block4'?"
    ]
    wrong["explain"]["blocks"]["regnet_y_400mf"] = "trunk_output.block4"
    assert problems(regnet | wrong) == []
