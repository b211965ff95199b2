"""The command line: a help page, the version, completion, and the nearest known name for a mistyped one."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

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
        (
            ["plan", "--dry"],
            "error: medtransfer plan: unexpected argument '--dry'; choose from --engine, --help, --jobs, -h, -j",
        ),
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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, in which commands are run by a user whom git knows."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A User")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "user@example.org")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine", "--study", "phantm"], "error: no study 'phantm'; did you mean 'phantom'?"),
        (["full"], "error: full exists and is not an empty folder; choose another name"),
        (["full/file"], "error: full/file exists and is not an empty folder; choose another name"),
        (["mine", "-S", "data.fodler=x"], "data.fodler: unknown key"),
        (
            ["mine", "-S", "backbones.lite0={model: resnet18, weights: DEFALT}"],
            "backbones.lite0: weights: no weights 'DEFALT'",
        ),
    ],
)
def test_a_study_that_cannot_be_created_is_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "full").mkdir()
    (folder / "full/file").touch()
    found = failure(capsys, "init", *arguments)
    assert message in found
    assert "\n" not in found
    assert [path.name for path in folder.iterdir()] == ["full"]


def test_without_git_no_study_is_created(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    found = failure(capsys, "init", "mine")
    assert found == "error: git is not installed; a study is a git repository: install git, then run again"


def test_init_says_what_to_do_next(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    main(["init", "mine"])
    assert capsys.readouterr().out.splitlines() == [
        "mine: the study own_images. Next:",
        "  cd mine",
        "  put the images into data/incoming, or set data.folder in params.yaml",
        "  dvc repro",
    ]
    main(["init", "other", "-S", "data.folder=phtos"])
    assert "  phtos does not exist: put the images into phtos, or set" in capsys.readouterr().out
    (folder / "empty").mkdir()
    main(["init", "third", "-S", "data.folder=empty"])
    assert "  put the images into" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        *("plan", "repro", "clean", "use phantom", "log --all", "register a", "results"),
        *("predict a b.png", "export a", "suspects a"),
    ],
)
def test_outside_a_study_a_command_says_where_to_go(
    capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    found = failure(capsys, *command.split())
    assert found.startswith("error: ")
    assert found.endswith("; change to the folder of a study, or create one with `medtransfer init`")
    assert "\n" not in found


@pytest.mark.parametrize("command", ["plan", "repro", "clean"])
def test_without_dvc_a_command_says_how_to_set_it_up(
    capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        (folder / name).touch()
    told = "error: this folder is in no DVC repository; run `git init`, then `dvc init`, here"
    assert failure(capsys, command) == told


def test_what_a_killed_command_left_of_dvcs_locks_does_not_stop_the_next(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["init", "mine"])
    monkeypatch.chdir("mine")
    Path(".dvc/tmp").mkdir(exist_ok=True)
    Path(".dvc/tmp/rwlock").touch()
    main(["clean"])
    assert not Path(".dvc/tmp/rwlock").exists()
    Path(".dvc/tmp/rwlock").write_text('{"read": {}, "write": {}}', encoding="utf-8")
    main(["clean"])
    assert Path(".dvc/tmp/rwlock").exists()


def test_use_keeps_the_parameters_that_it_replaces(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["init", "mine"])
    edited = Path("mine/params.yaml").read_text(encoding="utf-8").replace("Images of my own", "Edited")
    monkeypatch.chdir("mine")
    Path("params.yaml").write_text(edited, encoding="utf-8")
    main(["use", "phantom"])
    assert "the previous file is kept as .medtransfer/params.yaml" in capsys.readouterr().out
    assert Path(".medtransfer/params.yaml").read_text(encoding="utf-8") == edited


def test_clean_deletes_what_a_removed_variant_left(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    main(["init", ".", "--study", "phantom"])
    lock = "schema: '2.0'\nstages:\n"
    for name in ("train@lite2_frozen", "train@gone"):
        model = folder / "models" / name.partition("@")[2]
        model.mkdir(parents=True)
        (model / "card.json").write_text("{}")
        lock += f"  {name}:\n    cmd: x\n    outs:\n    - path: {model.relative_to(folder)}\n      md5: 0.dir\n"
    (folder / "dvc.lock").write_text(lock, encoding="utf-8")
    capsys.readouterr()
    main(["clean", "--dry-run"])
    assert capsys.readouterr().out == "would delete train@gone: models/gone\n"
    assert (folder / "models/gone").exists()
    main(["clean"])
    assert capsys.readouterr().out == "deleted train@gone: models/gone\n"
    assert not (folder / "models/gone").exists()
    assert (folder / "models/lite2_frozen").exists()
    text = (folder / "dvc.lock").read_text()
    assert "train@lite2_frozen" in text
    assert "train@gone" not in text
    main(["clean"])
    assert capsys.readouterr().out == "nothing to delete: dvc.lock has only stages of params.yaml\n"


@pytest.mark.parametrize("name", ["", *(name for commands in parser().groups.values() for name in commands)])
def test_every_help_text_fits_80_columns(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = parser()
    commands = {known: command for group in page.groups.values() for known, command in group.items()}
    assert max(map(len, commands.get(name, page).format_help().splitlines())) <= 80
