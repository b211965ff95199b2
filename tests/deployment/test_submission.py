"""`predict --submission` writes the columns, ids and order of a sample, and asks where the sample is open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtransfer.cli import main
from medtransfer.data.prepared import Prepared
from medtransfer.deployment.model import Model, find_model
from medtransfer.deployment.predict import predict_files
from medtransfer.deployment.submission import form_of, write_submission
from medtransfer.util.errors import UserError

SURE = np.array([0.25, 0.75], np.float32)


def sample_of(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def cells(sample: pd.DataFrame, classes: list[str], probabilities=SURE, values=None, **given: str) -> list[str]:
    return form_of(sample, classes, given, values).cells(np.asarray(probabilities, np.float32))


@pytest.mark.parametrize(
    ("sample", "classes", "expected"),
    [
        (["0", "0"], ["0", "1"], "1"),
        (["0", "3"], ["0", "1", "2", "3", "4"], "1"),
        (["0.5", "0.5"], ["0", "1"], "0.75"),
        (["0.5", "0.5"], ["NORMAL", "PNEUMONIA"], "0.75"),
        (["0.5", "0.5"], ["malignant", "benign"], "0.25"),
        (["0.0", "1.0"], ["benign", "malignant"], "0.75"),
        (["0.0", "0.0"], ["0", "1"], "0.75"),
        (["0.0", "3.0"], ["0", "1", "2", "3"], "1"),
        (["0", "0"], ["benign", "malignant"], "1"),
        (["Normal", "Normal"], ["normal", "viral pneumonia"], "viral pneumonia"),
        (["NORMAL", "VIRAL_PNEUMONIA"], ["normal", "viral pneumonia"], "VIRAL_PNEUMONIA"),
    ],
)
def test_a_single_column_is_filled_as_the_sample_has_it(sample: list[str], classes: list[str], expected: str) -> None:
    probabilities = [0.25, 0.75, *[0.0] * (len(classes) - 2)]
    assert cells(sample_of(target=sample), classes, probabilities) == [expected]


def test_a_column_named_as_a_class_holds_its_probability() -> None:
    assert cells(sample_of(cyst=["0.5"]), ["cyst", "mass"]) == ["0.25"]
    assert cells(sample_of(cyst=["0.5"]), ["cyst", "mass", "other"], [0.5, 0.25, 0.25]) == ["0.5"]


def test_a_column_for_each_class_holds_probabilities_in_the_order_of_the_sample() -> None:
    sample = sample_of(Viral_Pneumonia=["0", "0"], NORMAL=["0", "0"])
    assert cells(sample, ["normal", "viral pneumonia"]) == ["0.75", "0.25"]


def test_one_hot_samples_get_ones_and_zeros_unless_probabilities_are_asked_for() -> None:
    sample = sample_of(mass=["1", "0"], cyst=["0", "1"])
    assert cells(sample, ["cyst", "mass"]) == ["1", "0"]
    assert cells(sample, ["cyst", "mass"], values="probabilities") == ["0.75", "0.25"]


def test_what_to_write_can_be_said() -> None:
    sample = sample_of(label=["0", "0"])
    assert cells(sample, ["0", "1"], values="probabilities") == ["0.75"]
    assert cells(sample, ["a", "b"], a="1", b="0") == ["0"]
    assert cells(sample, ["a", "b"], values="probabilities", a="1", b="0") == ["0.25"]
    assert cells(sample_of(x=["0"], y=["0"]), ["a", "b"], a="y", b="x") == ["0.75", "0.25"]


@pytest.mark.parametrize(
    ("sample", "classes", "message"),
    [
        (sample_of(target=["0.5"]), ["cyst", "mass"], "which class is 'target' the probability of.*'cyst=0,mass=1'"),
        (sample_of(target=["0.5"]), ["a", "b", "c"], "one column of probabilities, but the model has 3 classes"),
        (sample_of(target=["0"]), ["cyst", "mass"], "'target' has 0, which are not classes.*'cyst=0,mass=1'"),
        (sample_of(target=["tumour"]), ["cyst", "mass"], "'target' has tumour.*'cyst=TEXT1,mass=TEXT2'"),
        (sample_of(target=[""]), ["cyst", "mass"], "column 'target' is empty; choose what to write: --values"),
        (
            sample_of(cyst=["0"], UNK=["0"]),
            ["cyst", "mass"],
            "no class for the columns UNK and no column for the class",
        ),
    ],
)
def test_what_the_sample_leaves_open_is_asked(sample: pd.DataFrame, classes: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        form_of(sample, classes, {}, None)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a folder of six readable images, one of them in a folder of its own."""
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.png", "d.png", "e.png", "more/f.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (30, 30), np.uint8)).save(tmp_path / "images" / name)
    return tmp_path / "images"


@pytest.mark.parametrize("ids", [["c", "a", "f"], ["c.png", "a.png", "f.png"], ["images/c.png", "a.png", "more/f"]])
def test_the_file_has_the_ids_and_order_of_the_sample(
    finished: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: list[str]
) -> None:
    classes = Prepared(finished / "data/prepared").classes
    rows = [f"{identity},{','.join(['0.1'] * len(classes))}" for identity in ids]
    header = ",".join(["image_id", *reversed(classes)])
    (tmp_path / "sample.csv").write_text("\n".join([f"\ufeff{header}", *rows]) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    main(["predict", str(finished / "models/tiny"), "images", "--submission", "sample.csv"])
    lines = (tmp_path / "submission.csv").read_text("utf-8").splitlines()
    assert lines[0] == header
    assert [line.split(",")[0] for line in lines[1:]] == ids
    predict_files(find_model("tiny", root=finished), sorted(images.rglob("*.png")), tmp_path / "all.csv")
    everything = pd.read_csv(tmp_path / "all.csv", dtype=str)
    everything.index = [Path(path).stem for path in everything["path"]]
    for line, stem in zip(lines[1:], ("c", "a", "f"), strict=True):
        assert line.split(",")[1:] == [everything.loc[stem, f"p_{name}"] for name in reversed(classes)]


def test_ids_may_repeat_and_have_the_suffix_of_another_format(finished: Path, images: Path, tmp_path: Path) -> None:
    model, files = find_model("tiny", root=finished), sorted(images.rglob("*.png"))
    (tmp_path / "sample.csv").write_text(
        "target,image\n" + "".join(f"cyst,{name}\n" for name in ("b.JPG", "a.png", "b.JPG"))
    )
    write_submission(model, files, tmp_path / "sample.csv", tmp_path / "s.csv", [], "labels")
    table = pd.read_csv(tmp_path / "s.csv")
    assert list(table) == ["target", "image"]
    assert list(table["image"]) == ["b.JPG", "a.png", "b.JPG"]
    assert table["target"][0] == table["target"][2]


def test_labels_are_the_predicted_classes(finished: Path, images: Path, tmp_path: Path) -> None:
    model, files = find_model("tiny", root=finished), sorted(images.rglob("*.png"))
    predict_files(model, files, tmp_path / "all.csv")
    predicted = pd.read_csv(tmp_path / "all.csv")["predicted"]
    (tmp_path / "sample.csv").write_text(
        "id,finding\n" + "".join(f"{file.name},{model.card['classes'][0]}\n" for file in files)
    )
    said = write_submission(model, files, tmp_path / "sample.csv", tmp_path / "s.csv", [], None)
    assert list(pd.read_csv(tmp_path / "s.csv")["finding"]) == list(predicted)
    assert said.startswith("6 ids; finding: the predicted class (")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,x\nq,0.5\nr,0.5\n",
            "no column of .*sample.csv names any of the 6 images, such as a.png; its first id is q",
        ),
        ("id,x\na,0.5\n1,0.5\n2,0.5\n3,0.5\n4,0.5\n", r"sample.csv: id: 4 ids without an image: 1, 2, 3, …"),
        ("id\na\n", "expected a column of ids, one or more columns to fill, and rows"),
    ],
)
def test_a_sample_that_does_not_fit_is_one_clear_error(
    finished: Path, images: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(UserError, match=message) as raised:
        files = sorted(images.rglob("*.png"))
        write_submission(
            find_model("tiny", root=finished), files, tmp_path / "sample.csv", tmp_path / "s.csv", [], None
        )
    assert len(raised.value.problems) == 1
    assert not (tmp_path / "s.csv").exists()


def test_one_name_in_two_folders_and_unreadable_images_are_errors(finished: Path, images: Path, tmp_path: Path) -> None:
    model, sample = find_model("tiny", root=finished), tmp_path / "sample.csv"
    names = ",".join(model.card["classes"])
    sample.write_text(f"id,{names}\n" + "f," + ",".join(["0.1"] * len(model.card["classes"])) + "\n")
    (images / "f.jpg").write_bytes(b"no image")
    files = sorted(path for path in images.rglob("*") if path.is_file())
    with pytest.raises(UserError, match=r"id: 1 id with several images: f \(.*f.jpg, .*f.png\)"):
        write_submission(model, files, sample, tmp_path / "s.csv", [], None)
    with pytest.raises(UserError, match=r"f\.jpg: unreadable"):
        write_submission(model, [images / "f.jpg"], sample, tmp_path / "s.csv", [], None)
    assert not (tmp_path / "s.csv").exists()


def test_masks_cannot_be_submitted(of_masks: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("id,x\na,0\n")
    with pytest.raises(UserError, match="tiny predicts masks; only classes of images can be submitted"):
        write_submission(
            find_model("tiny", root=of_masks), [images / "a.png"], tmp_path / "sample.csv", tmp_path / "s.csv", [], None
        )


def test_one_class_is_not_submitted_for_a_model_of_several_findings(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "sample.csv").write_text("id,cyst,mass\na,1,0\n", encoding="utf-8")
    model = Model(tmp_path, {"task": "multilabel", "classes": ["cyst", "mass"], "variant": "v"}, [(0, 0)])
    with pytest.raises(UserError, match="v does not predict one class of each image; --values probabilities writes"):
        write_submission(model, [tmp_path / "a.png"], tmp_path / "sample.csv", tmp_path / "out.csv", [], None)
    assert not (tmp_path / "out.csv").exists()
