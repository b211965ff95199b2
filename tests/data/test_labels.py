"""The names of labels: aliases, labels left out, and names that look like one class."""

from __future__ import annotations

import re
import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from medtransfer.data.labels import as_yaml, in_one_split, label_problems, plain, rename_labels
from medtransfer.study import Labels

LEFT = "adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib"


def table_of(*labels: str, split: list[str | None] | None = None) -> pd.DataFrame:
    paths = [f"{number}.png" for number in range(len(labels))]
    return pd.DataFrame({"path": paths, "label": labels, "split": split or [None] * len(labels)})


def pasted(text: str) -> Labels:
    """Read the section that an error offers to paste."""
    return Labels.model_validate(YAML(typ="safe").load(text)["data.labels"])


def offers(problem: str) -> list[Labels]:
    """Read all that an error offers to paste, in its order."""
    return [pasted(found) for found in re.findall(r"data\.labels: \{(?:[^{}]|\{[^{}]*\})*\}", problem)]


def test_aliases_come_first_and_labels_are_dropped_by_their_new_name() -> None:
    labels = Labels(aliases={"mel": "melanoma", "?": "unknown"}, drop=["unknown", "NA"])
    table, dropped, problems = rename_labels(table_of("mel", "?", "nevus", "NA", "melanoma"), labels)
    assert list(table["label"]) == ["melanoma", "nevus", "melanoma"]
    assert list(table["path"]) == ["0.png", "2.png", "4.png"]
    assert (dropped, problems) == (["1.png", "3.png"], [])


def test_a_name_that_is_no_label_is_an_error() -> None:
    _, _, problems = rename_labels(table_of("cat", "dog"), Labels(aliases={"cta": "cat"}, drop=["Dog"]))
    assert problems == [
        "data.labels.aliases: no label 'cta'; did you mean 'cat'?",
        "data.labels.drop: no label 'Dog'; did you mean 'dog'?",
    ]


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x1b[2J", "\u202egpj.a", "a\u2028b"])
def test_control_characters_are_an_error_whose_aliases_solve_it(name: str) -> None:
    table = table_of(name, "other")
    (problem,) = label_problems(table, Labels())
    (offered,) = offers(problem)
    renamed, _, problems = rename_labels(table, offered)
    assert problems == label_problems(renamed, offered) == []
    assert all(map(str.isprintable, renamed["label"]))


@pytest.mark.parametrize("name", ["é", "肺炎", "می\u200cخواهم", "<b>", "x" * 255])
def test_names_in_any_script_are_not_questioned(name: str) -> None:
    assert label_problems(table_of(name, "other"), Labels()) == []


@pytest.mark.parametrize(
    "names",
    [
        ["NORMAL", "Normal"],
        ["normal", "normal "],
        ["0", "0.0"],
        ["01", "1"],
        ["lung opacity", "lung_opacity"],
        ["Bösartig", unicodedata.normalize("NFD", "Bösartig")],
        ["a", "A", " a"],
    ],
    ids=ascii,
)
def test_one_class_by_several_names_is_an_error_whose_aliases_solve_it(names: list[str]) -> None:
    table = table_of("other", *names)
    (problem,) = label_problems(table, Labels())
    together, apart = offers(problem)
    merged, _, problems = rename_labels(table, together)
    assert not problems
    assert label_problems(merged, together) == []
    assert merged["label"].nunique() == 2
    same, _, _ = rename_labels(table, apart)
    assert label_problems(same, apart) == []
    assert set(same["label"]) == set(table["label"])


@pytest.mark.parametrize("names", [["-1", "1"], ["HER2+", "HER2-"], ["T1", "T2"], ["1.5", "15"], ["not a", "a"]])
def test_different_classes_are_not_questioned(names: list[str]) -> None:
    assert label_problems(table_of(*names), Labels()) == []


def test_images_without_a_label_are_an_error_whose_remedy_works() -> None:
    table = table_of("a", "", "b", "")
    (problem,) = label_problems(table, Labels(aliases={"b": "c"}))
    assert problem.startswith("2 images have no label, such as 1.png; to leave them out: data.labels: ")
    (remedy,) = offers(problem)
    assert remedy == Labels(aliases={"b": "c"}, drop=[""])
    assert label_problems(rename_labels(table, remedy)[0], remedy) == []


def test_a_longer_name_in_another_split_is_an_error_whose_aliases_solve_it() -> None:
    table = table_of(LEFT, "normal", LEFT, "adenocarcinoma", "normal", split=["train", "train", "val", "test", "test"])
    (problem,) = label_problems(table, Labels())
    together, apart = offers(problem)
    merged, _, _ = rename_labels(table, together)
    assert list(merged["label"]) == ["adenocarcinoma", "normal", "adenocarcinoma", "adenocarcinoma", "normal"]
    assert label_problems(merged, together) == label_problems(table, apart) == []


@pytest.mark.parametrize(("rare", "frequent"), [("no_tumour", "no_tumor"), ("Oedema", "edema"), ("gliomas", "glioma")])
def test_a_nearly_equal_name_in_another_split_is_an_error_whose_aliases_solve_it(rare: str, frequent: str) -> None:
    splits = ["train", "train", "train", "test", "test"]
    table = table_of(frequent, frequent, "normal", rare, "normal", split=splits)
    (problem,) = label_problems(table, Labels())
    together, apart = offers(problem)
    assert together.aliases == {rare: frequent}
    assert label_problems(rename_labels(table, together)[0], together) == label_problems(table, apart) == []


@pytest.mark.parametrize(
    ("name", "other", "split"),
    [
        ("tumour", "tumor", "train"),  # both are in the training images
        ("grade 3", "grade 2", "test"),
        ("left kidney", "right kidney", "test"),
        ("hyperplasia", "hypoplasia", "test"),
    ],
)
def test_names_of_different_classes_in_different_splits_are_not_questioned(name: str, other: str, split: str) -> None:
    splits = ["train", "train", split, "test"]
    assert label_problems(table_of(other, "normal", name, "normal", split=splits), Labels()) == []


def test_names_that_begin_alike_in_one_split_are_two_classes() -> None:
    table = table_of("viral", "viral pneumonia", "viral", split=["train", "train", "test"])
    assert label_problems(table, Labels()) == []


def test_classes_of_one_split_are_an_error_whose_remedies_work() -> None:
    table = table_of("tumor", "normal", "rare", "tumour", "normal", split=["train", "train", "train", "test", "test"])
    (problem,) = in_one_split(table, Labels())
    assert "3 classes of 4 in one published split only (rare in train, tumor in train, tumour in test)" in problem
    aliases, drop, keep = offers(problem)
    assert aliases.aliases == {"tumor": "tumour"}
    assert set(keep.aliases) == {"rare", "tumor"}  # what only tests cannot be learned
    both = Labels(aliases=aliases.aliases | {"rare": "rare"})
    for remedy, left in ((drop, {"normal"}), (both, {"normal", "rare", "tumour"})):
        found = rename_labels(table, remedy)[0]
        assert in_one_split(found, remedy) == []
        assert set(found["label"]) == left


def test_classes_of_a_set_without_splits_are_not_questioned() -> None:
    assert in_one_split(table_of("a", "b"), Labels()) == []
    assert in_one_split(table_of("a", "b", split=["train", "train"]), Labels()) == []


@given(st.dictionaries(st.text(max_size=8), st.just("x"), max_size=4), st.lists(st.text(max_size=8), max_size=3))
def test_what_is_offered_to_paste_reads_as_it_is_meant(aliases: dict[str, str], drop: list[str]) -> None:
    aliases.pop("x", None)
    if any("\ud800" <= sign <= "\udfff" for sign in "".join([*aliases, *drop])):
        return
    drop = list(dict.fromkeys(drop))
    labels = Labels(aliases=aliases, drop=drop)
    if aliases or drop:
        assert pasted(as_yaml(labels)) == labels


@given(st.text(max_size=12))
def test_the_plain_form_of_a_label_is_that_of_its_variants(label: str) -> None:
    for variant in (f" {label} ", unicodedata.normalize("NFC", label), unicodedata.normalize("NFD", label)):
        assert plain(variant) == plain(label)
    assert plain(plain(label)) == plain(label)
