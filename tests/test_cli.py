"""The command line: a help page, the version, completion, and the nearest known name for a mistyped one."""

from __future__ import annotations

import subprocess
from importlib.metadata import version

import pytest

from medtransfer.cli import main, parser


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return str(ended.value.code)


def test_the_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    page = capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert (ended.value.code, capsys.readouterr().out) == (0, page)
    for commands in parser().groups.values():
        for name in commands:
            assert f"\n  {name} " in page
    assert max(map(len, page.splitlines())) <= 120


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"medtransfer {version('medtransfer')}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pln"], "error: medtransfer has no command 'pln'; did you mean 'plan'?"),
        (
            ["repro", "--job", "3x"],
            "error: medtransfer repro: argument -j/--jobs: expected auto or a number from 1, but",
        ),
        (["plan", "--dry"], "error: medtransfer plan: unexpected argument '--dry'; choose from --help, -h"),
        (
            ["clean", "--dry-rum"],
            "error: medtransfer clean: unexpected argument '--dry-rum'; did you mean '--dry-run'?",
        ),
        (
            ["init"],
            "error: medtransfer init: the following arguments are required: FOLDER; see `medtransfer init --help`",
        ),
        (["stage", "trian"], "error: no stage 'trian'; did you mean 'train'?"),
        (["stage", "train"], "error: stage train: expected a name, as in `medtransfer stage train NAME`"),
        (["stage", "check", "me"], "error: stage check: unexpected name 'me'"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    found = failure(capsys, *words)
    assert found.startswith(message)
    assert "\n" not in found


def test_bash_completes_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out
    completed = "COMP_WORDS=(medtransfer {}); COMP_CWORD=1; _shtab_medtransfer; echo ${{COMPREPLY[*]}}"
    for start, expected in (("pl", "plan"), ("pre", "predict")):
        program = f"{script}\n{completed.format(start)}"
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected]
