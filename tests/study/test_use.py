"""Putting a study in force keeps its comments, checks all changes first, and writes the whole file or nothing."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from small_study import STUDY

from medtransfer.study import load_study
from medtransfer.study.use import command_of, list_studies, use_study
from medtransfer.util.errors import UserError


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "small.yaml").write_text(STUDY, encoding="utf-8")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text("as it was\n")
    return path


def test_without_changes_the_study_is_copied_byte_for_byte(studies: Path, target: Path) -> None:
    use_study("small", [], studies, target)
    assert target.read_text(encoding="utf-8") == STUDY


def test_a_change_keeps_every_comment_and_every_other_value(studies: Path, target: Path) -> None:
    use_study("small", ["data.image_size=64"], studies, target)
    text = target.read_text(encoding="utf-8")
    for comment in ("# a small study", "# its name", "# no weights: trained from scratch"):
        assert comment in text
    expected = YAML(typ="safe", pure=True).load(STUDY)
    expected["data"]["image_size"] = 64
    assert YAML(typ="safe", pure=True).load(text) == expected


@pytest.mark.parametrize(
    ("change", "look_up", "value"),
    [
        ("data.folder=my/set", lambda study: study.params.data.folder, "my/set"),
        ("data.folder=a=b", lambda study: study.params.data.folder, "a=b"),
        ("data.folder=my #1 set", lambda study: study.params.data.folder, "my #1 set"),
        ("data.folder=#set", lambda study: study.params.data.folder, "#set"),
        ("data.group={pattern: '^(p#[0-9]+) #'}", lambda study: study.params.data.group.pattern, "^(p#[0-9]+) #"),
        ("training.seeds=[3, 4]", lambda study: study.params.training.seeds, [3, 4]),
        ("strategies.frozen.lr=1e-3", lambda study: study.variant("head_only").strategy.lr, 1e-3),
        ("variants.head_only.epochs=7", lambda study: study.variant("head_only").strategy.epochs, 7),
        ("data.group={pattern: '^(p[0-9]+)_'}", lambda study: study.params.data.group.pattern, "^(p[0-9]+)_"),
        ("comparison.confidence=0.9", lambda study: study.params.comparison.confidence, 0.9),
    ],
)
def test_changes_are_yaml_at_a_dotted_key(studies: Path, target: Path, change: str, look_up, value) -> None:
    use_study("small", [change], studies, target)
    assert look_up(load_study(target)) == value


def test_later_changes_see_earlier_ones(studies: Path, target: Path) -> None:
    use_study("small", ["data.kaggle={dataset: a/b, version: 1}", "data.kaggle.version=2"], studies, target)
    kaggle = load_study(target).params.data.kaggle
    assert kaggle is not None
    assert kaggle.version == 2
    nested = ["data.masks={spacing: {mm: 0.5}}", "data.masks.spacing.mm=1.0", "data.masks.missing=empty"]
    use_study("small", nested, studies, target)
    masks = load_study(target).params.data.masks
    assert masks is not None and masks.spacing is not None
    assert (masks.spacing.mm, masks.missing) == (1.0, "empty")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("data.image_size", "-S data.image_size: expected KEY=VALUE, on one line, such as data.source=folder"),
        ("data.image_size=6\n4", "-S data.image_size=6 4: expected KEY=VALUE, on one line"),
        ("dta.image_size=64", "-S dta.image_size=64: the study has no 'dta' in dta.image_size"),
        ("data.image_size.x=64", "-S data.image_size.x=64: data.image_size is a value, not a section"),
        ("data.folder={a", "-S data.folder={a: the value is not valid YAML: expected ',' or '}'"),
        (
            r'data.group={pattern: "(\d+)"}',
            "unknown escape character 'd'; use single quotes, in which a backslash is literal",
        ),
        ("data.colour=grey", "data.colour: unknown key"),
        ("data.image_size=big", "data.image_size: expected a whole number, but got 'big'"),
        ("variants.head_only.strategy=frosen", "no 'frosen' in strategies; did you mean 'frozen'?"),
        ("training=", "training: expected a section of keys and values, but got nothing"),
    ],
)
def test_a_bad_change_is_one_line_and_changes_nothing(studies: Path, target: Path, change: str, line: str) -> None:
    with pytest.raises(UserError) as raised:
        use_study("small", ["training.seeds=[5]", change], studies, target)
    (problem,) = raised.value.problems
    assert line in problem
    assert target.read_text() == "as it was\n"
    assert [path.name for path in target.parent.iterdir() if path.is_file()] == ["params.yaml"]


def test_a_change_of_the_task_names_the_template_of_the_other(studies: Path, target: Path) -> None:
    (studies / "own_numbers.yaml").write_text("study: {task: regression}\n")
    with pytest.raises(UserError, match="start from own_numbers instead"):
        use_study("small", ["study.task=regression"], studies, target, lambda _: ["no metric"])
    with pytest.raises(UserError, match="no metric"):
        use_study("small", ["study.seed=1"], studies, target, lambda _: ["no metric"])


def test_an_unknown_study_is_answered_by_the_nearest_name(studies: Path, target: Path) -> None:
    with pytest.raises(UserError, match="no study 'smal'; did you mean 'small'"):
        use_study("smal", [], studies, target)
    assert target.read_text() == "as it was\n"


@pytest.mark.parametrize("changes", [[], ["data.image_size=64"]])
def test_invalid_yaml_is_one_line(studies: Path, target: Path, changes: list[str]) -> None:
    (studies / "broken.yaml").write_text("study: {")
    with pytest.raises(UserError, match="not valid YAML"):
        use_study("broken", changes, studies, target)
    assert target.read_text() == "as it was\n"


def test_studies_are_listed_with_their_titles(studies: Path) -> None:
    (studies / "another.yaml").write_text(STUDY.replace("A small study", "Another one"), encoding="utf-8")
    assert list_studies(studies) == {"another": "Another one", "small": "A small study"}


COMMANDS = [
    ([], "medtransfer use small"),
    (["data.image_size=64"], "medtransfer use small -S data.image_size=64"),
    (
        ["data.group={pattern: '^(p[0-9]+) x'}", "data.folder=a b"],
        """medtransfer use small -S 'data.group={pattern: '"'"'^(p[0-9]+) x'"'"'}' -S 'data.folder=a b'""",
    ),
]


@pytest.mark.parametrize(("changes", "command"), COMMANDS)
def test_parameters_name_the_command_that_made_them(
    studies: Path, target: Path, changes: list[str], command: str
) -> None:
    use_study("small", changes, studies, target)
    assert command_of(studies, target) == command
    again = target.with_name("again.yaml")
    use_study("small", shlex.split(command)[4::2], studies, again)
    assert again.read_bytes() == target.read_bytes()


def test_changes_by_hand_have_no_command(studies: Path, target: Path) -> None:
    use_study("small", ["data.image_size=64"], studies, target)
    target.write_text(target.read_text().replace("image_size: 64", "image_size: 48"))
    with pytest.raises(UserError, match="differs from the result of `medtransfer use small -S"):
        command_of(studies, target)


def test_a_new_key_stays_in_its_section_above_the_comment_on_the_next(studies: Path, target: Path) -> None:
    text = STUDY.replace("augmentation:", "# how images vary\naugmentation:", 1)
    (studies / "small.yaml").write_text(text, encoding="utf-8")
    use_study("small", ["data.kaggle={dataset: a/b, version: 1}"], studies, target)
    lines = target.read_text(encoding="utf-8").splitlines()
    at = lines.index("# how images vary")
    assert lines[at + 1].startswith("augmentation:")
    assert "  kaggle: {dataset: a/b, version: 1}" in lines[:at]
