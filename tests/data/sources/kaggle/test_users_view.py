"""Output: progress, errors, and no secrets."""

from __future__ import annotations

import os
import subprocess
import termios
from pathlib import Path

import pytest

from .fetching import TOKEN, failure, in_a_process, random_archive
from .kaggle_server import SIGNATURE, Fault, KaggleServer, says


def secrets_of(output: str) -> list[str]:
    return [secret for secret in (TOKEN, SIGNATURE, "Bearer", "Basic ", "secret-key") if secret in output]


def written() -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in Path().rglob("*") if path.is_file())


@pytest.mark.parametrize("works", [True, False])
def test_no_secret_is_shown_or_written_even_by_a_verbose_client(server: KaggleServer, root: Path, works: bool) -> None:
    if not works:
        server.always["DownloadDataset"] = says(400, f"token {TOKEN} and key secret-key\nare wrong")
    talk = {"VERBOSE": "1", "KAGGLE_API_TOKEN": TOKEN, "KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret-key"}
    done = subprocess.run(**in_a_process(root, **talk), capture_output=True, text=True, check=False)
    assert server.calls("DownloadDataset")[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert done.returncode == (0 if works else 1)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == (0 if works else 1), done.stderr
    assert secrets_of(done.stderr) + secrets_of(written()) == []


@pytest.mark.parametrize("token", [TOKEN * 100, f"{TOKEN}\n", f"{TOKEN}é"], ids=["long", "line break", "accent"])
def test_a_token_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    line = failure()
    assert "the credentials cannot be read; expected a token in KAGGLE_API_TOKEN" in line
    assert TOKEN not in line


def test_a_key_file_that_is_not_one(tmp_path: Path) -> None:
    (tmp_path / "home/.kaggle").mkdir()
    (tmp_path / "home/.kaggle/kaggle.json").write_text("[1]", encoding="utf-8")
    assert "the credentials cannot be read" in failure()


def test_a_home_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    assert "the kaggle client cannot start" in failure()


def test_signing_in_has_a_time_out(server: KaggleServer, root: Path) -> None:
    server.always["IntrospectToken"] = Fault(hang=20)
    process = in_a_process(root, timeout=1.5, KAGGLE_API_TOKEN=TOKEN)
    done = subprocess.run(**process, capture_output=True, text=True, check=False, timeout=15)
    assert done.returncode == 1
    assert done.stderr == "error: data.kaggle: Kaggle did not answer within 1.5 s while signing in; run again later\n"


def test_a_terminal_shows_size_and_time_left(server: KaggleServer, root: Path) -> None:
    server.archive = random_archive(3_000_000)
    server.faults["archive"].append(Fault(drip=0.02))
    terminal, end = os.openpty()
    termios.tcsetwinsize(end, (24, 100))
    with subprocess.Popen(**in_a_process(root), stderr=end):
        os.close(end)
        shown = b""
        try:
            while part := os.read(terminal, 4096):
                shown += part
        except OSError:
            # On Linux this means that the other end was closed.
            os.close(terminal)
    text = shown.decode()
    assert "owner/heads:  " in text
    assert "/3.00MB" in text or "/3.00M" in text, text
    assert "MB/s]" in text
