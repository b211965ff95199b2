"""The command `medtransfer`: everything that DVC has no command for. Imports are in the functions that need them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medtransfer.command_line import OTHER, RESULTS, RUN, START, argument, command, dispatch, parser
from medtransfer.util.command import run
from medtransfer.util.errors import UserError
from medtransfer.util.places import shipped

if TYPE_CHECKING:
    from medtransfer.deployment.model import Model

PARAMS = Path("params.yaml")
PREVIOUS = Path(".medtransfer/params.yaml")
JOBS = "stages to run at once (default: auto, one per GPU, or one per CPU core)"
ENGINE = "where stages run: local, ray, slurm, or module:function (default: from your engine.toml, else local)"
EXPERIMENT = "run and save an experiment, as `dvc exp run -S` does; =A,B runs two"
CHANGE = "change a parameter, as in `dvc exp run -S`; for example -S data.source=folder"
DATASET = "use a set of the catalogue; see `medtransfer datasets`"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the command; a user's mistake ends in one line and exit code 1."""
    run(lambda: dispatch(list(sys.argv[1:] if arguments is None else arguments)))


def _jobs(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected auto or a number from 1, but got {text!r}")
    return int(text)


SET = argument("-S --set", "KEY=VALUE", CHANGE, action="append", default=[])
OF_CATALOGUE = argument("--dataset", "REFERENCE", DATASET)
MODEL = argument("model", "MODEL", "a trained variant, or its folder (models/VARIANT)")
ONE_RUN = argument("--run", "RUN", "one run, such as fold0_seed0 (default: the mean of all runs)")


@command(START, "my-study -S data.folder=path/to/images", "my-study --study phantom")
@argument("folder", "FOLDER", "the folder to create", type=Path)
@argument("--study", "STUDY", "the study to start from (default: own_images)", default="own_images")
@SET
@OF_CATALOGUE
def _init(options: argparse.Namespace) -> None:
    """Create a study in a new folder, a git and DVC repository."""
    from medtransfer.check import choice_problems, with_dataset
    from medtransfer.study import load_study
    from medtransfer.study.init import init_study

    changes = with_dataset(options.dataset, options.set, shipped("studies") / f"{options.study}.yaml")
    committed = init_study(options.folder, options.study, changes, choice_problems)
    data = load_study(options.folder / PARAMS).params.data
    sys.stdout.write(f"{options.folder}: the study {options.study}. Next:\n")
    if not committed:
        sys.stdout.write(
            '  git config --global user.name "Your Name"; git config --global user.email you@example.org\n'
            f"  git -C {options.folder} add --all; git -C {options.folder} commit -m 'Create the study'\n"
        )
    sys.stdout.write(f"  cd {shlex.quote(str(options.folder))}\n")
    images = options.folder / data.folder
    if data.source == "folder" and not any(images.glob("[!.]*")):
        missing = "" if images.is_dir() else f"{data.folder} does not exist: "
        sys.stdout.write(f"  {missing}put the images into {data.folder}, or set data.folder in params.yaml\n")
    sys.stdout.write("  dvc repro\n")


@command(START, "", "own_images -S data.folder=images -S 'training.seeds=[0, 1]'")
@argument("name", "STUDY", "the study (default: list all)", nargs="?")
@SET
@OF_CATALOGUE
def _use(options: argparse.Namespace) -> None:
    """Write a ready-made study to params.yaml, or list the studies."""
    from medtransfer.study.use import list_studies, use_study

    studies = shipped("studies")
    if options.name is None:
        for name, title in list_studies(studies).items():
            sys.stdout.write(f"{name:24} {title}\n")
        return
    from medtransfer.check import choice_problems, with_dataset
    from medtransfer.engine.schedule import require_study

    changes = with_dataset(options.dataset, options.set, studies / f"{options.name}.yaml")
    require_study("dvc.yaml")
    before = PARAMS.read_bytes() if PARAMS.is_file() else b""
    use_study(options.name, changes, studies, PARAMS, choice_problems)
    sys.stdout.write(f"params.yaml is now the study {options.name}; `dvc repro` runs it\n")
    if before not in (b"", PARAMS.read_bytes()):
        PREVIOUS.parent.mkdir(exist_ok=True)
        PREVIOUS.write_bytes(before)
        sys.stdout.write(f"the previous file is kept as {PREVIOUS}\n")


@command(START, "", "retina", "paultimothymooney/chest-xray-pneumonia")
@argument(
    "pattern",
    "PATTERN",
    "a text to search for, or the reference of one set, which is shown in full (default: list all)",
    nargs="?",
    default="",
)
def _datasets(options: argparse.Namespace) -> None:
    """List the catalogue of published sets, or show one entry."""
    from medtransfer.data.catalogue import find_entry, references
    from medtransfer.data.catalogue.page import catalogue_table, entry_page

    known = options.pattern in references()
    sys.stdout.write(entry_page(find_entry(options.pattern)) if known else catalogue_table(options.pattern))


@command(START, "", "'timm/vit_small*'", "resnet")
@argument(
    "pattern",
    "PATTERN",
    "part of their names, or a shell pattern (default: list the families)",
    nargs="?",
    default="",
)
def _backbones(options: argparse.Namespace) -> None:
    """List the backbones whose names match, with their sizes and weights."""
    from medtransfer.models.listing import backbones_table, families_table

    sys.stdout.write(backbones_table(options.pattern) if options.pattern else families_table())


@command(RUN, "", "-j 8 --engine slurm")
@argument("-j --jobs", "N", JOBS, type=_jobs, default="auto")
@argument("--engine", "NAME", ENGINE)
def _plan(options: argparse.Namespace) -> None:
    """List the stages that `dvc repro` would run, why, and at what cost."""
    from medtransfer.engine.plan import plan

    sys.stdout.write(plan(jobs=options.jobs, engine=options.engine))


@command(RUN, "", "-j 2 train@lite0_frozen", "-S strategies.frozen.lr=0.01,0.001 -n rates")
@argument("targets", "STAGE", "stages to update (default: all)", nargs="*")
@argument("-j --jobs", "N", JOBS, type=_jobs, default="auto")
@argument("--engine", "NAME", ENGINE)
@argument("-S --set", "KEY=VALUE", EXPERIMENT, action="append", default=[])
@argument("-n --name", "NAME", "the name of the experiment of -S")
def _repro(options: argparse.Namespace) -> None:
    """Run the pipeline like `dvc repro`, several stages at once."""
    from medtransfer.engine.run import reproduce

    run = partial(reproduce, options.jobs, options.targets, options.engine)
    if options.set:
        from medtransfer.engine.experiment import run_experiments

        run_experiments(options.set, run, options.name)
    else:
        run()


@command(
    RESULTS,
    "lite0_frozen path/to/images -o predictions.csv",
    "lite0_frozen image.png --explain",
    "lite0_frozen test --submission sample.csv -o mine.csv",
)
@MODEL
@ONE_RUN
@argument("images", "IMAGE|FOLDER", "images, or folders", nargs="+", type=Path, of_files=True)
@argument(
    "--with",
    "MODEL",
    "average with this variant, too; may be given several times",
    action="append",
    default=[],
    dest="others",
)
@argument(
    "-o --output", "FILE", "file to write (default: predictions.csv, or submission.csv with --submission)", type=Path
)
@argument(
    "--views",
    "N",
    "average over N views of each image: test-time augmentation, by the variant's augmentation",
    type=int,
    default=1,
)
@argument("--explain", None, "also draw maps of the evidence for each prediction", action="store_true")
@argument(
    "--method", None, "method of --explain: grad_cam, ablation_cam or occlusion (default: grad_cam)", default="grad_cam"
)
@argument("--block", "LAYER", "layer to visualise with --explain (default: the last spatial layer)")
@argument(
    "--submission", "SAMPLE", "write the ids and columns of a competition's sample submission", type=Path, of_files=True
)
@argument(
    "--labels",
    "CLASS=TEXT,…",
    "with --submission: how each class is written there, or the name of its column",
    action="append",
    default=[],
)
@argument(
    "--values",
    None,
    "with --submission: write labels or probabilities (default: as the sample has them)",
    choices=("labels", "probabilities"),
)
def _predict(options: argparse.Namespace) -> None:
    """Predict images with a trained variant."""
    from medtransfer.deployment.images import find_images
    from medtransfer.deployment.model import find_model
    from medtransfer.util.text import counted

    model, files = find_model(options.model, options.run), find_images(options.images)
    from medtransfer.deployment.predict import MapOptions, predict_files

    _import_extensions()
    others = [find_model(name, options.run) for name in options.others]
    if others and (options.submission is not None or options.explain):
        raise UserError("--with cannot be combined with --submission or --explain, which use one model")
    if options.views < 1:
        raise UserError(f"--views: expected 1 or more, but got {options.views}")
    if options.views > 1 and (options.submission is not None or options.explain):
        raise UserError("--views cannot be combined with --submission or --explain")
    if options.submission is not None:
        _submit(options, model, files)
        return
    if options.labels or options.values:
        raise UserError("--labels and --values describe a sample; name it with --submission")
    options.output = options.output or Path("predictions.csv")
    maps = MapOptions(options.method, options.block) if options.explain else None
    unreadable = predict_files(model, files, options.output, maps, others, options.views)
    images, runs = counted(len(files) - len(unreadable), "image"), counted(len(model.runs), "run")
    of = f" of each of {counted(1 + len(others), 'variant')}" if others else ""
    views = f" and {options.views} views" if options.views > 1 else ""
    sys.stdout.write(f"{options.output}: {images}, mean of {runs}{of}{views}\n")
    if unreadable:
        raise UserError([*unreadable, f"{len(unreadable)} of {len(files)} files could not be read and were skipped"])


def _submit(options: argparse.Namespace, model: Model, files: list[Path]) -> None:
    from medtransfer.deployment.submission import write_submission

    if options.explain:
        raise UserError("--explain: a submission has no maps; run the command once for each")
    target = options.output or Path("submission.csv")
    summary = write_submission(model, files, options.submission, target, options.labels, options.values)
    sys.stdout.write(f"{target}: {summary}\n")


@command(RESULTS, "lite0_frozen -o suspects.csv")
@MODEL
@argument(
    "-o --output",
    "FILE",
    "the CSV to fill in (default: suspects.csv); its pictures are next to it as PNG",
    type=Path,
    default=Path("suspects.csv"),
    of_files=True,
)
@argument("--most", "N", "the most images to list (default: 100)", type=int, default=100)
def _suspects(options: argparse.Namespace) -> None:
    """List the images whose labels are most likely wrong.

    It needs a variant with a frozen backbone, or a k-fold study; the images of a fixed test set are not judged.
    """
    from medtransfer.deployment.model import find_model

    if options.most < 1:
        raise UserError(f"--most: expected 1 or more, but got {options.most}")
    model = find_model(options.model)
    from medtransfer.deployment.suspects import write_suspects
    from medtransfer.util.places import Places
    from medtransfer.util.text import counted

    _import_extensions()
    judged, suspect = write_suspects(model, Places(), options.output, options.most)
    sys.stdout.write(
        f"{options.output}: {suspect:,} of {counted(judged, 'label')} {'is' if suspect == 1 else 'are'} suspect; fill "
        "in the column corrected, copy the file to extensions/ and name it in data.labels.corrections\n"
    )


@command(RESULTS, "lite0_frozen -o exports/lite0_frozen")
@MODEL
@ONE_RUN
@argument("-o --output", "FOLDER", "folder to write (default: exports/VARIANT)", type=Path)
def _export(options: argparse.Namespace) -> None:
    """Export a trained variant to ONNX, with a model card."""
    from medtransfer.deployment.model import find_model

    model = find_model(options.model, options.run)
    from medtransfer.deployment.export import TOLERANCE, export_model

    _import_extensions()
    target = options.output or Path("exports") / model.name
    difference = export_model(model, target)
    sys.stdout.write(
        f"{target}/model.onnx: on validation images, its outputs differ from the PyTorch model's by at most "
        f"{difference:.1e} (allowed: {TOLERANCE:g}); the model card is {target}/README.md\n"
    )


@command(RESULTS, "lite0_frozen")
@argument("variant", "VARIANT", "a trained variant")
def _register(options: argparse.Namespace) -> None:
    """Register the model of a trained variant in MLflow, with its card."""
    from medtransfer.study import load_study
    from medtransfer.tracking.register import register_variant

    study = load_study()
    study.variant(options.variant)
    name, version = register_variant(study.params.study.name, options.variant)
    sys.stdout.write(f"models:/{name}/{version}, also models:/{name}@{options.variant}\n")


@command(RESULTS, "heads/metrics/comparison.csv bones/metrics/comparison.csv")
@argument("tables", "TABLE", "metrics/comparison.csv of each study", nargs="+", type=Path, of_files=True)
@argument("-m --metric", None, "a column of the tables (default: accuracy)", default="accuracy")
@argument("-o --output", "FOLDER", "folder to write (default: ranks)", type=Path, default=Path("ranks"))
def _ranks(options: argparse.Namespace) -> None:
    """Rank the variants shared by several studies."""
    from medtransfer.comparison.across import compare_across

    compare_across(options.tables, options.metric, options.output)
    sys.stdout.write((options.output / "ranks.md").read_text(encoding="utf-8"))


@command(RESULTS)
def _results(_: argparse.Namespace) -> None:
    """Write the finished study as a page of docs/results/."""
    from medtransfer.report.results import write_results
    from medtransfer.util.places import HERE

    path = write_results(shipped("studies"), PARAMS, HERE, Path("docs/results"))
    sys.stdout.write(f"{path}: the tables and figures of the finished study, and how to reproduce them\n")


@command(OTHER, "lite0_frozen", "--all")
@argument("variants", "VARIANT", "a trained variant", nargs="*")
@argument("--all", None, "log every variant that is trained", action="store_true")
def _log(options: argparse.Namespace) -> None:
    """Log variants to MLflow from files, if tracking was off or failed."""
    from medtransfer.study import load_study
    from medtransfer.tracking.variant_log import log_variant
    from medtransfer.util.places import HERE

    study = load_study()
    if options.all == bool(options.variants):
        raise UserError("expected the names of variants, or --all")
    trained = [name for name in study.variants if (HERE.model(name) / "card.json").is_file()]
    for name in trained if options.all else options.variants:
        study.variant(name)
        log_variant(study.params.study.name, name)
        sys.stdout.write(f"logged {name}\n")


@command(OTHER, "", "--dry-run")
@argument("-n --dry-run", None, "only list what would be deleted", action="store_true")
def _clean(options: argparse.Namespace) -> None:
    """Delete what removed variants left behind.

    Files and entries of dvc.lock of stages that params.yaml no longer defines are deleted; DVC's cache keeps the files.
    """
    from medtransfer.engine.clean import clean

    removed = clean(dry_run=options.dry_run)
    verb = "would delete" if options.dry_run else "deleted"
    for stage, paths in removed.items():
        sys.stdout.write(f"{verb} {stage}: {', '.join(paths) or 'no files, only its entry of dvc.lock'}\n")
    if not removed:
        sys.stdout.write("nothing to delete: dvc.lock has only stages of params.yaml\n")


@command(OTHER, "bash >> ~/.bash_completion")
@argument("shell", None, "the shell", choices=("bash", "zsh", "tcsh"))
def _completion(options: argparse.Namespace) -> None:
    """Print a script that completes medtransfer's arguments in a shell."""
    import shtab

    sys.stdout.write(shtab.complete(parser(), options.shell) + "\n")


@command(OTHER, "check", "train lite0_frozen")
@argument("stage", "STAGE", "the stage, such as train")
@argument("item", "NAME", "the item of the stage, such as a variant", nargs="?")
def _stage(options: argparse.Namespace) -> None:
    """Run one stage, as dvc.yaml does."""
    from medtransfer.engine.stage import run_script

    run_script(options.stage, options.item)


def _import_extensions() -> None:
    """Import the extensions of `params.yaml`, if there is one, because the model may need them."""
    from medtransfer.study.loading import import_extensions, read_yaml

    if PARAMS.is_file():
        import_extensions(read_yaml(PARAMS).get("extensions", []), Path(), str(PARAMS))


if __name__ == "__main__":
    main()
