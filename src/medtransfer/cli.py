"""The command `medtransfer`: what DVC has no command for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from medtransfer.errors import run


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
    log = commands.add_parser("log", help="log variants to MLflow from the files of their stages")
    log.add_argument("variants", nargs="+", metavar="VARIANT")
    log.set_defaults(carry_out=_log)
    return parser


def _jobs(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected auto or a number from 1, but got {text!r}")
    return int(text)


def _repro(options: argparse.Namespace) -> None:
    from medtransfer.repro.run import reproduce

    reproduce(options.jobs, options.targets)


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
    from medtransfer.tracking.again import log_again

    study = load_study()
    for name in options.variants:
        study.variant(name)
        log_again(study.params.study.name, name)
        sys.stdout.write(f"logged {name}\n")


if __name__ == "__main__":
    main()
