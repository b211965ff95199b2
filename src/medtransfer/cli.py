"""The command `medtransfer`: everything that DVC has no command for. Imports are in the functions that need them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medtransfer.util.command import run

if TYPE_CHECKING:
    from medtransfer.deployment.model import Model

PARAMS, STUDIES = Path("params.yaml"), Path("studies")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the command; a user's mistake ends in one line and exit code 1."""
    options = _parser().parse_args(arguments)
    run(lambda: options.carry_out(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medtransfer",
        description="Compare pretrained backbones on medical images. `dvc repro` runs the pipeline itself.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(carry_out: Callable[[argparse.Namespace], None], summary: str) -> argparse.ArgumentParser:
        name, description = carry_out.__name__.removeprefix("_"), f"{summary[0].upper()}{summary[1:]}."
        command = commands.add_parser(name, help=summary, description=description)
        command.set_defaults(carry_out=carry_out)
        return command

    use = add(_use, "write a study to params.yaml, or list the studies")
    use.add_argument("name", nargs="?", metavar="STUDY", help="a file in studies/, without .yaml (default: list all)")
    change = "change a parameter, as in `dvc exp run -S`; for example -S data.source=folder"
    use.add_argument("-S", "--set", action="append", default=[], metavar="KEY=VALUE", help=change)
    use.add_argument("--dataset", metavar="REFERENCE", help="use a set of the catalogue; see `medtransfer datasets`")

    datasets = add(_datasets, "list the catalogue of published sets, or show one entry")
    text = "a text to search for, or the reference of one set, which is shown in full (default: list all)"
    datasets.add_argument("pattern", nargs="?", default="", metavar="PATTERN", help=text)

    add(_plan, "list the stages that `dvc repro` would run, with their estimated costs")

    repro = add(_repro, "run the pipeline like `dvc repro`, several stages at once")
    repro.add_argument("targets", nargs="*", metavar="STAGE", help="stages to update (default: all)")
    jobs = "stages to run at once (default: auto, one per GPU, or one per CPU core)"
    repro.add_argument("-j", "--jobs", type=_jobs, default="auto", metavar="N", help=jobs)

    _add_prediction(add(_predict, "predict images with a trained variant"))

    export = add(_export, "export a trained variant to ONNX, with a model card")
    _add_model(export)
    export.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="folder to write (default: exports/VARIANT)"
    )

    ranks = add(_ranks, "rank the variants shared by several studies")
    ranks.add_argument("tables", nargs="+", type=Path, metavar="TABLE", help="metrics/comparison.csv of each study")
    ranks.add_argument("-m", "--metric", default="accuracy", help="a column of the tables (default: accuracy)")
    _add_output(ranks, "ranks", "FOLDER")

    add(_results, "write the finished study as a page of docs/results/")

    log = add(_log, "log variants to MLflow from files, if tracking was off or failed")
    log.add_argument("variants", nargs="+", metavar="VARIANT", help="a trained variant")
    return parser


def _add_prediction(predict: argparse.ArgumentParser) -> None:
    _add_model(predict)
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE|FOLDER", help="images, or folders of images")
    text = "file to write (default: predictions.csv, or submission.csv with --submission)"
    predict.add_argument("-o", "--output", type=Path, metavar="FILE", help=text)
    predict.add_argument("--explain", action="store_true", help="also draw maps of the evidence for each prediction")
    method = "method of --explain: grad_cam, ablation_cam or occlusion (default: grad_cam)"
    predict.add_argument("--method", default="grad_cam", help=method)
    block = "layer to visualise with --explain (default: the last spatial layer)"
    predict.add_argument("--block", metavar="LAYER", help=block)
    text = "write the ids and columns of a competition's sample submission"
    predict.add_argument("--submission", type=Path, metavar="SAMPLE", help=text)
    text = "with --submission: how each class is written there, or the name of its column"
    predict.add_argument("--labels", action="append", default=[], metavar="CLASS=TEXT,…", help=text)
    text = "with --submission: write labels or probabilities (default: as the sample has them)"
    predict.add_argument("--values", choices=("labels", "probabilities"), help=text)


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help="a trained variant, or its folder (models/VARIANT)")
    command.add_argument("--run", metavar="RUN", help="one run, such as fold0_seed0 (default: the mean of all runs)")


def _add_output(command: argparse.ArgumentParser, default: str, kind: str) -> None:
    path = Path(default)
    command.add_argument(
        "-o", "--output", type=Path, default=path, metavar=kind, help=f"{kind.lower()} to write (default: {default})"
    )


def _jobs(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected auto or a number from 1, but got {text!r}")
    return int(text)


def _use(options: argparse.Namespace) -> None:
    from medtransfer.study.use import list_studies, use_study

    if options.name is None:
        for name, title in list_studies(STUDIES).items():
            sys.stdout.write(f"{name:24} {title}\n")
        return
    from medtransfer.check import choice_problems, with_dataset

    changes = with_dataset(options.dataset, options.set, STUDIES / f"{options.name}.yaml")
    use_study(options.name, changes, STUDIES, PARAMS, choice_problems)
    sys.stdout.write(f"params.yaml is now the study {options.name}; `dvc repro` runs it\n")


def _datasets(options: argparse.Namespace) -> None:
    from medtransfer.data.catalogue import find_entry, references
    from medtransfer.data.catalogue.page import catalogue_table, entry_page

    known = options.pattern in references()
    sys.stdout.write(entry_page(find_entry(options.pattern)) if known else catalogue_table(options.pattern))


def _plan(_: argparse.Namespace) -> None:
    from medtransfer.engine.plan import plan

    sys.stdout.write(plan())


def _repro(options: argparse.Namespace) -> None:
    from medtransfer.engine.run import reproduce

    reproduce(options.jobs, options.targets)


def _predict(options: argparse.Namespace) -> None:
    from medtransfer.deployment.images import find_images
    from medtransfer.deployment.model import find_model
    from medtransfer.util.errors import UserError
    from medtransfer.util.text import counted

    model, files = find_model(options.model, options.run), find_images(options.images)
    from medtransfer.deployment.predict import MapOptions, predict_files

    _import_extensions()
    if options.submission is not None:
        _submit(options, model, files)
        return
    if options.labels or options.values:
        raise UserError("--labels and --values say how to fill a sample; name it with --submission")
    options.output = options.output or Path("predictions.csv")
    maps = MapOptions(options.method, options.block) if options.explain else None
    unreadable = predict_files(model, files, options.output, maps)
    images, runs = counted(len(files) - len(unreadable), "image"), counted(len(model.runs), "run")
    sys.stdout.write(f"{options.output}: {images}, mean of {runs}\n")
    if unreadable:
        raise UserError([*unreadable, f"{len(unreadable)} of {len(files)} files could not be read and were skipped"])


def _submit(options: argparse.Namespace, model: Model, files: list[Path]) -> None:
    from medtransfer.deployment.submission import write_submission
    from medtransfer.util.errors import UserError

    if options.explain:
        raise UserError("--explain: a submission has no maps; run the command once for each")
    target = options.output or Path("submission.csv")
    summary = write_submission(model, files, options.submission, target, options.labels, options.values)
    sys.stdout.write(f"{target}: {summary}\n")


def _export(options: argparse.Namespace) -> None:
    from medtransfer.deployment.model import find_model

    model = find_model(options.model, options.run)
    from medtransfer.deployment.export import TOLERANCE, export_model

    _import_extensions()
    target = options.output or Path("exports") / model.name
    difference = export_model(model, target)
    sys.stdout.write(
        f"{target}/model.onnx: on validation images, its probabilities differ from the PyTorch model's by at most "
        f"{difference:.1e} (allowed: {TOLERANCE:g}); the model card is {target}/README.md\n"
    )


def _import_extensions() -> None:
    """Import the extensions of `params.yaml`, if there is one, because the model may need them."""
    from medtransfer.study.loading import import_extensions, read_yaml

    if PARAMS.is_file():
        import_extensions(read_yaml(PARAMS).get("extensions", []), Path(), str(PARAMS))


def _ranks(options: argparse.Namespace) -> None:
    from medtransfer.comparison.across import compare_across

    compare_across(options.tables, options.metric, options.output)
    sys.stdout.write((options.output / "ranks.md").read_text(encoding="utf-8"))


def _results(_: argparse.Namespace) -> None:
    from medtransfer.report.results import write_results
    from medtransfer.util.places import HERE

    path = write_results(STUDIES, PARAMS, HERE, Path("docs/results"))
    sys.stdout.write(f"{path}: the tables and figures of the finished study, and how to reproduce them\n")


def _log(options: argparse.Namespace) -> None:
    from medtransfer.study import load_study
    from medtransfer.tracking.variant_log import log_variant

    study = load_study()
    for name in options.variants:
        study.variant(name)
        log_variant(study.params.study.name, name)
        sys.stdout.write(f"logged {name}\n")


if __name__ == "__main__":
    main()
