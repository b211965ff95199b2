"""The command `medtransfer`: what DVC has no command for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from medtransfer.util.command import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and carry it out; a user's mistake ends in one line and exit code 1."""
    options = _parser().parse_args(arguments)
    run(lambda: options.carry_out(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medtransfer",
        description="Compare pretrained backbones on medical images. The pipeline itself runs with `dvc repro`.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    use = commands.add_parser("use", help="put a study in force as params.yaml; without a name, list the studies")
    use.add_argument("name", nargs="?", help="a file of studies/, without .yaml")
    use.add_argument(
        "-S",
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a parameter, as in `dvc exp run -S`: data.source=folder",
    )
    use.set_defaults(carry_out=_use)
    repro = commands.add_parser("repro", help="what `dvc repro` does, with several stages at once")
    repro.add_argument("targets", nargs="*", metavar="STAGE", help="stages to bring up to date; all without")
    repro.add_argument(
        "-j",
        "--jobs",
        type=_jobs,
        default="auto",
        metavar="N",
        help="stages at once; auto, the default: one a graphics card, else one a processor",
    )
    repro.set_defaults(carry_out=_repro)
    plan = commands.add_parser("plan", help="what `dvc repro` would run, and what it will cost")
    plan.set_defaults(carry_out=_plan)
    log = commands.add_parser("log", help="log variants to MLflow from the files of their stages")
    log.add_argument("variants", nargs="+", metavar="VARIANT")
    log.set_defaults(carry_out=_log)
    ranks = commands.add_parser("ranks", help="rank variants over several studies, from their comparison tables")
    ranks.add_argument("tables", nargs="+", type=Path, metavar="COMPARISON.CSV")
    ranks.add_argument("-m", "--metric", default="accuracy", help="a column of the tables; default: accuracy")
    ranks.add_argument("-o", "--output", type=Path, default=Path("ranks"), metavar="FOLDER", help="default: ranks")
    ranks.set_defaults(carry_out=_ranks)
    results = commands.add_parser("results", help="write the finished study as a page of docs/results")
    results.set_defaults(carry_out=_results)
    predict = commands.add_parser("predict", help="predict images with a trained variant, as `evaluate` does")
    _add_model(predict)
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE|FOLDER")
    predict.add_argument(
        "-o", "--output", type=Path, default=Path("predictions.csv"), metavar="FILE", help="default: predictions.csv"
    )
    predict.add_argument("--explain", action="store_true", help="write maps of what speaks for the predicted class too")
    predict.add_argument(
        "--method", default="grad_cam", help="of --explain: grad_cam, the default, ablation_cam or occlusion"
    )
    predict.add_argument("--block", help="of --explain, mapped; default: the last at places of the image")
    predict.set_defaults(carry_out=_predict)
    export = commands.add_parser("export", help="write a trained variant as ONNX, checked, with a model card")
    _add_model(export)
    export.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: exports/VARIANT")
    export.set_defaults(carry_out=_export)
    return parser


def _jobs(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected auto or a number from 1, but got {text!r}")
    return int(text)


def _repro(options: argparse.Namespace) -> None:
    from medtransfer.engine.run import reproduce

    reproduce(options.jobs, options.targets)


def _plan(_: argparse.Namespace) -> None:
    from medtransfer.engine.plan import plan

    sys.stdout.write(plan())


def _ranks(options: argparse.Namespace) -> None:
    from medtransfer.comparison.across import compare_across

    compare_across(options.tables, options.metric, options.output)
    sys.stdout.write((options.output / "ranks.md").read_text(encoding="utf-8"))


def _results(_: argparse.Namespace) -> None:
    from medtransfer.report.results import write_results
    from medtransfer.util.places import HERE

    path = write_results(Path("studies"), Path("params.yaml"), HERE, Path("docs/results"))
    sys.stdout.write(f"{path}: the tables and figures of the finished study, and how to make them\n")


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help="a trained variant's name, or its folder (models/NAME)")
    command.add_argument("--run", metavar="RUN", help="one run, such as fold0_seed0, instead of the mean of all")


def _use(options: argparse.Namespace) -> None:
    from medtransfer.study.use import list_studies, use_study

    if options.name is None:
        for name, title in list_studies(Path("studies")).items():
            sys.stdout.write(f"{name:24} {title}\n")
        return
    use_study(options.name, options.set, Path("studies"), Path("params.yaml"))
    sys.stdout.write(f"params.yaml is now the study {options.name}; `dvc repro` runs it\n")


def _log(options: argparse.Namespace) -> None:
    from medtransfer.study import load_study
    from medtransfer.tracking.variant_log import log_variant

    study = load_study()
    for name in options.variants:
        study.variant(name)
        log_variant(study.params.study.name, name)
        sys.stdout.write(f"logged {name}\n")


def _predict(options: argparse.Namespace) -> None:
    from medtransfer.deployment.images import find_images
    from medtransfer.deployment.model import find_model
    from medtransfer.util.errors import UserError

    model, files = find_model(options.model, options.run), find_images(options.images)
    from medtransfer.deployment.predict import MapOptions, predict_files

    maps = MapOptions(options.method, options.block) if options.explain else None
    unreadable = predict_files(model, files, options.output, maps)
    sys.stdout.write(f"{options.output}: {len(files) - len(unreadable)} images, mean of {len(model.runs)} runs\n")
    if unreadable:
        raise UserError(
            [*unreadable, f"{len(unreadable)} of {len(files)} files could not be read and were passed over"]
        )


def _export(options: argparse.Namespace) -> None:
    from medtransfer.deployment.model import find_model

    model = find_model(options.model, options.run)
    from medtransfer.deployment.export import TOLERANCE, export_model

    target = options.output or Path("exports") / model.name
    difference = export_model(model, target)
    sys.stdout.write(
        f"{target}/model.onnx: on real images its probabilities differ from the PyTorch model's by {difference:.1e} "
        f"at most (allowed: {TOLERANCE:g}); the model's card is {target}/README.md\n"
    )


if __name__ == "__main__":
    main()
