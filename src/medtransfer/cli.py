"""The command `medtransfer`: everything that DVC has no command for. Imports are in the functions that need them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from medtransfer.util.command import run
from medtransfer.util.errors import UserError, near
from medtransfer.util.places import shipped

if TYPE_CHECKING:
    from medtransfer.deployment.model import Model

PARAMS = Path("params.yaml")
PREVIOUS = Path(".medtransfer/params.yaml")
INTRODUCTION = """\
usage: medtransfer COMMAND [ARGUMENTS]

Which pretrained backbone, trained how, works best on your medical images, and
is the difference real?

A study is a folder with one list of variants, params.yaml, and a DVC pipeline
that trains, tests and compares them. Everything that DVC and MLflow have
commands for is done with these: `dvc repro` runs a study, `dvc exp run -S`
tries a change, `dvc metrics diff` shows what it changed, and `mlflow ui` lists
all runs.
"""
CLOSING = """
`medtransfer COMMAND --help` explains a command, with an example;
`medtransfer --version` prints the version.

From images to a table:
  medtransfer init my-study -S data.folder=path/to/images
  cd my-study
  dvc repro
"""
WIDTH = 80
START, RUN, RESULTS, OTHER = "Define a study", "Run it", "Use its results", "Other"
JOBS = "stages to run at once (default: auto, one per GPU, or one per CPU core)"
ENGINE = "where stages run: local, ray, slurm, or module:function (default: of your engine.toml, else local)"
EXPERIMENT = "run and save an experiment, as `dvc exp run -S` does; =A,B is two of them"
CHANGE = "change a parameter, as in `dvc exp run -S`; for example -S data.source=folder"
DATASET = "use a set of the catalogue; see `medtransfer datasets`"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which knows its commands by the groups of the help page."""

    groups: dict[str, dict[str, argparse.ArgumentParser]]

    def error(self, message: str) -> NoReturn:
        """Raise `UserError`."""
        raise UserError(f"{self.prog}: {message}; see `{self.prog} --help`")


class Page(Parser):
    """The parser of the whole command, whose help is a page."""

    def format_help(self) -> str:
        """List the commands by their groups."""
        lines = [INTRODUCTION]
        for group, commands in self.groups.items():
            lines.append(f"{group}:")
            lines += [f"  {name:<11} {_first_sentence(command)}" for name, command in commands.items()]
            lines.append("")
        return "\n".join(lines).rstrip("\n") + "\n" + CLOSING


def _first_sentence(command: argparse.ArgumentParser) -> str:
    text = str(command.description).partition(".\n")[0].rstrip(".")
    return f"{text[0].lower()}{text[1:]}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the command; a user's mistake ends in one line and exit code 1."""
    run(lambda: _main(list(sys.argv[1:] if arguments is None else arguments)))


def _main(words: list[str]) -> None:
    page = parser()
    if not words:
        page.print_help()
        return
    commands = {name: command for group in page.groups.values() for name, command in group.items()}
    if not words[0].startswith("-") and words[0] not in commands:
        raise UserError(f"medtransfer has no command {words[0]!r}{near(words[0], commands)}")
    options, unknown = page.parse_known_args(words)
    if unknown:
        command = commands.get(words[0], page)
        known = command._option_string_actions  # argparse has no public list
        found = near(unknown[0].partition("=")[0], known) if unknown[0].startswith("-") else ""
        raise UserError(f"{command.prog}: unexpected argument {unknown[0]!r}{found}")
    options.carry_out(options)


def parser() -> Page:
    """Return the parser of the command line; its `groups` hold the parsers of the commands by name."""
    from importlib.metadata import version

    page = Page(prog="medtransfer")
    page.add_argument("--version", action="version", version=f"medtransfer {version('medtransfer')}")
    subparsers = page.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    page.groups = {group: {} for group in (START, RUN, RESULTS, OTHER)}

    def add(
        group: str, carry_out: Callable[[argparse.Namespace], None], description: str, *examples: str
    ) -> argparse.ArgumentParser:
        name = carry_out.__name__.removeprefix("_")
        summary, _, more = description.partition(". ")
        text = "\n\n".join(fill(part, WIDTH) for part in ([f"{summary.rstrip('.')}.", more] if more else [description]))
        lines = "\n".join(f"  medtransfer {name} {example}".rstrip() for example in examples)
        command: argparse.ArgumentParser = subparsers.add_parser(
            name,
            help=summary.rstrip("."),
            description=text,
            epilog=f"{'examples' if len(examples) > 1 else 'example'}:\n{lines}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(carry_out=carry_out)
        page.groups[group][name] = command
        return command

    _add_study_commands(add)
    _add_result_commands(add)
    _add_other_commands(add)
    return page


Add = Callable[..., argparse.ArgumentParser]


def _add_study_commands(add: Add) -> None:
    init = add(
        START,
        _init,
        "Create a study in a folder of its own, a git and DVC repository",
        "my-study -S data.folder=path/to/images",
        "my-study --study phantom",
    )
    init.add_argument("folder", type=Path, metavar="FOLDER", help="the folder to create")
    init.add_argument(
        "--study", default="own_images", metavar="STUDY", help="where to start from (default: own_images)"
    )
    _add_changes(init)

    use = add(
        START,
        _use,
        "Write a ready-made study to params.yaml, or list the studies",
        "",
        "own_images -S data.folder=images -S 'training.seeds=[0, 1]'",
    )
    use.add_argument("name", nargs="?", metavar="STUDY", help="the study (default: list all)")
    _add_changes(use)

    datasets = add(
        START,
        _datasets,
        "List the catalogue of published sets, or show one entry",
        "",
        "retina",
        "paultimothymooney/chest-xray-pneumonia",
    )
    text = "a text to search for, or the reference of one set, which is shown in full (default: list all)"
    datasets.add_argument("pattern", nargs="?", default="", metavar="PATTERN", help=text)

    backbones = add(
        START,
        _backbones,
        "List the backbones whose names match, with their sizes and weights",
        "",
        "'timm/vit_small*'",
        "resnet",
    )
    text = "a text in their names, or a shell pattern (default: list the families)"
    backbones.add_argument("pattern", nargs="?", default="", metavar="PATTERN", help=text)

    add(RUN, _plan, "List the stages that `dvc repro` would run, why, and at what cost", "")

    repro = add(RUN, _repro, "Run the pipeline like `dvc repro`, several stages at once", "-j 2", "train@lite0_frozen")
    repro.add_argument("targets", nargs="*", metavar="STAGE", help="stages to update (default: all)")
    repro.add_argument("-j", "--jobs", type=_jobs, default="auto", metavar="N", help=JOBS)
    repro.add_argument("--engine", metavar="NAME", help=ENGINE)
    repro.add_argument("-S", "--set", action="append", default=[], metavar="KEY=VALUE", help=EXPERIMENT)
    repro.add_argument("-n", "--name", metavar="NAME", help="the name of the experiment of -S")


def _add_result_commands(add: Add) -> None:
    _add_prediction(
        add(
            RESULTS,
            _predict,
            "Predict images with a trained variant",
            "lite0_frozen path/to/images -o predictions.csv",
            "lite0_frozen test --submission sample.csv -o mine.csv",
        )
    )

    suspects = add(
        RESULTS,
        _suspects,
        "List the images whose label is least believed. It needs a variant with a frozen backbone, or a k-fold "
        "study; fixed test images are left alone",
        "lite0_frozen -o suspects.csv",
    )
    suspects.add_argument("model", metavar="MODEL", help="a trained variant, or its folder (models/VARIANT)")
    _of_files(
        suspects.add_argument(
            "-o",
            "--output",
            type=Path,
            default=Path("suspects.csv"),
            metavar="FILE",
            help=("the CSV to fill in (default: suspects.csv); its pictures are next to it as PNG"),
        )
    )
    suspects.add_argument("--most", type=int, default=100, metavar="N", help="the most images to list (default: 100)")

    export = add(
        RESULTS,
        _export,
        "Export a trained variant to ONNX, with a model card",
        "lite0_frozen -o exports/lite0_frozen",
    )
    _add_model(export)
    export.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="folder to write (default: exports/VARIANT)"
    )

    register = add(
        RESULTS, _register, "Register the model of a trained variant in MLflow, with its card", "lite0_frozen"
    )
    register.add_argument("variant", metavar="VARIANT", help="a trained variant")

    ranks = add(
        RESULTS,
        _ranks,
        "Rank the variants shared by several studies",
        "heads/metrics/comparison.csv bones/metrics/comparison.csv",
    )
    _of_files(
        ranks.add_argument("tables", nargs="+", type=Path, metavar="TABLE", help="metrics/comparison.csv of each study")
    )
    ranks.add_argument("-m", "--metric", default="accuracy", help="a column of the tables (default: accuracy)")
    _add_output(ranks, "ranks", "FOLDER")

    add(RESULTS, _results, "Write the finished study as a page of docs/results/", "")


def _add_other_commands(add: Add) -> None:
    log = add(OTHER, _log, "Log variants to MLflow from files, if tracking was off or failed", "lite0_frozen")
    log.add_argument("variants", nargs="*", metavar="VARIANT", help="a trained variant")
    log.add_argument("--all", action="store_true", help="log every variant that is trained")

    clean = add(
        OTHER,
        _clean,
        "Delete what removed variants left behind. Files and entries of dvc.lock of stages that params.yaml no longer "
        "defines are deleted; DVC's cache keeps the files.",
        "",
        "--dry-run",
    )
    clean.add_argument("-n", "--dry-run", action="store_true", help="only list what would be deleted")

    completion = add(
        OTHER,
        _completion,
        "Print a script that completes medtransfer's arguments in a shell",
        "bash >> ~/.bash_completion",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell")

    stage = add(OTHER, _stage, "Run one stage, as dvc.yaml does", "check", "train lite0_frozen")
    stage.add_argument("stage", metavar="STAGE", help="the stage, such as train")
    stage.add_argument("item", nargs="?", metavar="NAME", help="what the stage is about, such as a variant")


def _add_changes(command: argparse.ArgumentParser) -> None:
    command.add_argument("-S", "--set", action="append", default=[], metavar="KEY=VALUE", help=CHANGE)
    command.add_argument("--dataset", metavar="REFERENCE", help=DATASET)


def _add_prediction(predict: argparse.ArgumentParser) -> None:
    _add_model(predict)
    _of_files(predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE|FOLDER", help="images, or folders"))
    others = "average with this variant, too; may be given several times"
    predict.add_argument("--with", action="append", default=[], dest="others", metavar="MODEL", help=others)
    text = "file to write (default: predictions.csv, or submission.csv with --submission)"
    predict.add_argument("-o", "--output", type=Path, metavar="FILE", help=text)
    views = "mean over so many views of each image: test-time augmentation by the variant's own augmentation"
    predict.add_argument("--views", type=int, default=1, metavar="N", help=views)
    predict.add_argument("--explain", action="store_true", help="also draw maps of the evidence for each prediction")
    method = "method of --explain: grad_cam, ablation_cam or occlusion (default: grad_cam)"
    predict.add_argument("--method", default="grad_cam", help=method)
    block = "layer to visualise with --explain (default: the last spatial layer)"
    predict.add_argument("--block", metavar="LAYER", help=block)
    text = "write the ids and columns of a competition's sample submission"
    _of_files(predict.add_argument("--submission", type=Path, metavar="SAMPLE", help=text))
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


def _of_files(argument: Any) -> None:
    """Let a shell complete an argument by the names of files."""
    import shtab

    argument.complete = shtab.FILE


def _jobs(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected auto or a number from 1, but got {text!r}")
    return int(text)


def _init(options: argparse.Namespace) -> None:
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
    if data.source == "folder" and not any((options.folder / data.folder).glob("[!.]*")):
        sys.stdout.write(f"  put the images into {data.folder}, or set data.folder in params.yaml\n")
    sys.stdout.write("  dvc repro\n")


def _use(options: argparse.Namespace) -> None:
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


def _backbones(options: argparse.Namespace) -> None:
    from medtransfer.models.listing import backbones_table, families_table

    sys.stdout.write(backbones_table(options.pattern) if options.pattern else families_table())


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

    run = partial(reproduce, options.jobs, options.targets, options.engine)
    if options.set:
        from medtransfer.engine.experiment import run_experiments

        run_experiments(options.set, run, options.name)
    else:
        run()


def _predict(options: argparse.Namespace) -> None:
    from medtransfer.deployment.images import find_images
    from medtransfer.deployment.model import find_model
    from medtransfer.util.text import counted

    model, files = find_model(options.model, options.run), find_images(options.images)
    from medtransfer.deployment.predict import MapOptions, predict_files

    _import_extensions()
    others = [find_model(name, options.run) for name in options.others]
    if others and (options.submission is not None or options.explain):
        raise UserError("--with goes neither with --submission nor with --explain; they are of one model")
    if options.views < 1:
        raise UserError(f"--views: expected 1 or more, but got {options.views}")
    if options.views > 1 and (options.submission is not None or options.explain):
        raise UserError("--views goes neither with --submission nor with --explain")
    if options.submission is not None:
        _submit(options, model, files)
        return
    if options.labels or options.values:
        raise UserError("--labels and --values say how to fill a sample; name it with --submission")
    options.output = options.output or Path("predictions.csv")
    maps = MapOptions(options.method, options.block) if options.explain else None
    unreadable = predict_files(model, files, options.output, maps, others, options.views)
    images, runs = counted(len(files) - len(unreadable), "image"), counted(len(model.runs), "run")
    of = f" of each of {counted(1 + len(others), 'variant')}" if others else ""
    views = f" and {options.views} views" if options.views > 1 else ""
    sys.stdout.write(f"{options.output}: {images}, mean of {runs}{of}{views}\n")
    if unreadable:
        raise UserError([*unreadable, f"{len(unreadable)} of {len(files)} files could not be read and were skipped"])


def _suspects(options: argparse.Namespace) -> None:
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


def _submit(options: argparse.Namespace, model: Model, files: list[Path]) -> None:
    from medtransfer.deployment.submission import write_submission

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
        f"{target}/model.onnx: on validation images, its outputs differ from the PyTorch model's by at most "
        f"{difference:.1e} (allowed: {TOLERANCE:g}); the model card is {target}/README.md\n"
    )


def _register(options: argparse.Namespace) -> None:
    from medtransfer.study import load_study
    from medtransfer.tracking.register import register_variant

    study = load_study()
    study.variant(options.variant)
    name, version = register_variant(study.params.study.name, options.variant)
    sys.stdout.write(f"models:/{name}/{version}, also models:/{name}@{options.variant}\n")


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

    path = write_results(shipped("studies"), PARAMS, HERE, Path("docs/results"))
    sys.stdout.write(f"{path}: the tables and figures of the finished study, and how to reproduce them\n")


def _log(options: argparse.Namespace) -> None:
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


def _clean(options: argparse.Namespace) -> None:
    from medtransfer.engine.clean import clean

    removed = clean(dry_run=options.dry_run)
    verb = "would delete" if options.dry_run else "deleted"
    for stage, paths in removed.items():
        sys.stdout.write(f"{verb} {stage}: {', '.join(paths) or 'no files, only its entry of dvc.lock'}\n")
    if not removed:
        sys.stdout.write("nothing to delete: dvc.lock has only stages of params.yaml\n")


def _completion(options: argparse.Namespace) -> None:
    import shtab

    sys.stdout.write(shtab.complete(parser(), options.shell) + "\n")


def _stage(options: argparse.Namespace) -> None:
    from medtransfer.engine.stage import run_script

    run_script(options.stage, options.item)


if __name__ == "__main__":
    main()
