"""What `medtransfer export` writes, and what keeps it from writing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from medtransfer.data.prepared import Prepared
from medtransfer.deployment import export
from medtransfer.deployment.export import export_model
from medtransfer.deployment.model import find_model
from medtransfer.deployment.predict import predict_files
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_json


def test_the_file_gives_the_probabilities_that_predict_gives(repository: Path) -> None:
    model = find_model("tiny", root=repository)
    assert export_model(model, repository / "out", repository) < 1e-6
    assert sorted(path.name for path in (repository / "out").iterdir()) == ["README.md", "model.onnx"]
    prepared = Prepared(repository / "data/prepared")
    files = [repository / "data/raw" / path for path in prepared.table["path"][:3]]
    predict_files(model, files, repository / "mine.csv")
    lines = (repository / "mine.csv").read_text(encoding="utf-8").splitlines()[1:]
    predicted = np.array([[float(value) for value in line.split(",")[2:]] for line in lines])
    session = onnxruntime.InferenceSession(repository / "out/model.onnx", providers=["CPUExecutionProvider"])
    pixels = np.ascontiguousarray(prepared.images[:3].transpose(0, 3, 1, 2))
    np.testing.assert_allclose(session.run(None, {"pixels": pixels})[0], predicted, atol=1e-6)


def test_the_card_tells_data_training_metrics_and_warnings(repository: Path) -> None:
    export_model(find_model("tiny", root=repository), repository / "out", repository)
    text = (repository / "out/README.md").read_text(encoding="utf-8")
    about = json.loads((repository / "data/prepared/dataset.json").read_text(encoding="utf-8"))
    assert "kaggle: owner/heads, version 3" in text
    assert "**Licence**: CC-BY-4.0" in text
    assert about["pixels_sha256"] in text
    assert all(f"> **Warning.** {warning}" in text for warning in about["warnings"])
    assert "{init: random, train: all, head: linear, optimizer: adam, lr: 0.001, batch_size: 16, epochs: 1}" in text
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    assert ".750 [.500, .875]" in rows["accuracy"]
    assert ".300 [.200, .400]" in rows["accuracy"]
    assert "log_loss" not in rows
    assert "rival" not in text
    assert [cell.strip() for cell in rows["cyst"].split("|")[2:-1]] == [".500", ".250", ".333"]
    table = Prepared(repository / "data/prepared").table
    assert f"{len(table[(table['label'] == 'mass') & (table['split'] == 'test')])} |" in text


def test_a_model_from_elsewhere_bears_no_figures_of_this_repository(repository: Path) -> None:
    (repository / "models/tiny").rename(repository / "mine")
    export_model(find_model(str(repository / "mine")), repository / "out", repository)
    text = (repository / "out/README.md").read_text(encoding="utf-8")
    assert "## Metrics\n\nNone: " in text
    assert ".750" not in text


def test_a_file_that_computes_something_else_is_not_written(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "largest_difference", lambda *_: 2e-4)
    with pytest.raises(UserError, match=r"tiny: the ONNX file's probabilities differ by 0\.0002"):
        export_model(find_model("tiny", root=repository), repository / "out", repository)
    assert not (repository / "out").exists()


def test_no_number_is_no_agreement(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(UserError, match="differ by nan"):
        export_model(find_model("tiny", root=repository), repository / "out", repository)


def test_images_of_another_set_prove_nothing(repository: Path) -> None:
    about = repository / "data/prepared/dataset.json"
    write_json(about, json.loads(about.read_text(encoding="utf-8")) | {"pixels_sha256": "0" * 64})
    with pytest.raises(UserError, match="data/prepared holds another set than tiny was trained on"):
        export_model(find_model("tiny", root=repository), repository / "out", repository)
    about.unlink()
    with pytest.raises(UserError, match="data/prepared is missing"):
        export_model(find_model("tiny", root=repository), repository / "out", repository)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from medtransfer.deployment import onnx_file

    monkeypatch.setattr(onnx_file, "NEEDED", ("onnx", "no_such_package"))
    with pytest.raises(UserError, match=r"export needs no_such_package: run: pip install 'medtransfer\[export\]'"):
        onnx_file.require_onnx()
