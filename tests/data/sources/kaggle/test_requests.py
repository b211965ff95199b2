"""Requests to Kaggle: sets, accounts, refusals, and temporary failures."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medtransfer.data.sources.kaggle import client, failures

from .fetching import BRAINS, HEADS, TOKEN, failure, fetched, files, kept, random_archive, sha256
from .kaggle_server import STORAGE, Fault, KaggleServer, says

# --- sets


def test_a_public_set_without_an_account(server: KaggleServer) -> None:
    manifest = fetched()
    assert files() == {"train/one.png": b"one" * 50, "test/two.png": b"two" * 50, "labels.csv": b"a,b\n"}
    assert manifest == json.loads(Path("manifest.json").read_text(encoding="utf-8"))
    assert (manifest["reference"], manifest["version"], manifest["files"]) == ("owner/heads", 2, 3)
    assert manifest["licence"] == "CC-BY-4.0"
    assert manifest["citation"].startswith("An Owner. Heads (version 2). Kaggle. https://www.kaggle.com/datasets/")
    assert manifest["citation"].endswith("Sources: doi:10.1/heads")
    assert manifest["archive_sha256"] == sha256(server.archive)
    assert manifest["archive_bytes"] == len(server.archive)
    assert not any("Authorization" in seen.headers for seen in server.seen)
    assert server.calls("DownloadDataset")[0].body["datasetVersionNumber"] == 2
    assert kept(".zip") + kept(".part") + kept(".json") == []


def test_a_competition(server: KaggleServer) -> None:
    manifest = fetched(BRAINS)
    assert len(files()) == 3
    assert (manifest["reference"], manifest["version"]) == ("brains", None)
    assert manifest["licence"].endswith("/competitions/brains/rules")
    assert "A Society. Brains" in manifest["citation"]


def test_a_set_without_metadata_is_fetched_too(server: KaggleServer) -> None:
    server.always = {name: says(403, "No") for name in ("GetDataset", "GetDatasetMetadata")}
    assert fetched()["licence"] is None


def test_the_licence_of_the_first_download_is_kept_if_kaggle_does_not_state_one(server: KaggleServer) -> None:
    fetched()
    server.always = {"GetDataset": Fault(200, {"Content-Type": "application/json"}, b"[garbage")}
    assert fetched()["licence"] == "CC-BY-4.0"


def test_chosen_files(server: KaggleServer) -> None:
    assert fetched(files=["*.csv", "train/*"])["chosen"] == ["*.csv", "train/*"]
    assert set(files()) == {"labels.csv", "train/one.png"}


def test_a_pattern_that_matches_no_file_is_an_error() -> None:
    assert "data.kaggle.files: no file of the set matches 'labls.csv'; did you mean 'labels.csv'?" in failure(
        files=["labls.csv"]
    )


# --- accounts


def key_file(home: Path) -> None:
    (home / ".kaggle").mkdir()
    (home / ".kaggle/kaggle.json").write_text(json.dumps({"username": "me", "key": "secret"}), encoding="utf-8")


@pytest.mark.parametrize(
    ("variables", "write", "sent"),
    [
        ({"KAGGLE_API_TOKEN": TOKEN}, None, f"Bearer {TOKEN}"),
        ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret"}, None, "Basic bWU6c2VjcmV0"),
        ({}, key_file, "Basic bWU6c2VjcmV0"),
    ],
    ids=["token", "key", "kaggle.json"],
)
def test_credentials_are_sent_to_kaggle_and_not_to_the_storage_host(
    server: KaggleServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    write: Callable[[Path], None] | None,
    sent: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if write is not None:
        write(tmp_path / "home")
    # Cut off once, so that the rest is requested as well.
    server.faults["archive"].append(Fault(cut=100))
    fetched()
    assert [seen.headers.get("Authorization") for seen in server.calls("DownloadDataset")] == [sent, sent]
    stored = server.calls("archive")
    assert len(stored) == 3
    assert all(seen.host == STORAGE and "Authorization" not in seen.headers for seen in stored)


# --- refusals

REFUSED = [
    (HEADS, 401, ["requires a Kaggle account (401)", "KAGGLE_API_TOKEN", "settings/api"]),
    (HEADS, 403, ["private", "(403)", "https://www.kaggle.com/datasets/owner/heads/versions/2"]),
    (BRAINS, 403, ["rules", "(403)", "https://www.kaggle.com/competitions/brains/rules"]),
    (HEADS, 400, ["(400", "https://www.kaggle.com/datasets/owner/heads/versions/2"]),
]


@pytest.mark.parametrize("status", [None, 200], ids=["as status", "under status 200"])
@pytest.mark.parametrize(("kaggle", "code", "expected"), REFUSED)
def test_a_refusal_is_one_line_and_the_next_run_succeeds(
    server: KaggleServer, kaggle: dict[str, Any], code: int, expected: list[str], status: int | None
) -> None:
    server.faults["DownloadDataset" if kaggle is HEADS else "DownloadDataFiles"].append(says(code, "No", status))
    line = failure(kaggle)
    assert all(part in line for part in expected), line
    assert fetched(kaggle)["files"] == 3


def test_a_token_that_is_not_accepted(server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    server.always["IntrospectToken"] = says(404, f"no token {TOKEN}")
    server.always["DownloadDataset"] = says(401, f"no token {TOKEN}")
    line = failure()
    assert "does not accept the token or key (401)" in line
    assert TOKEN not in line


@pytest.mark.parametrize(
    ("kaggle", "expected"),
    [
        (HEADS | {"dataset": "owner/haeds"}, "data.kaggle.dataset: Kaggle has no set 'owner/haeds' (404); did you"),
        (HEADS | {"dataset": "owner/haeds"}, "did you mean 'owner/heads'?"),
        (HEADS | {"version": 7}, "data.kaggle.version: owner/heads has no version 7 (404); it has versions 1 to 3"),
        ({"competition": "brain"}, "did you mean 'brains'?"),
    ],
)
def test_a_wrong_name_or_version_is_an_error_with_the_known_ones(kaggle: dict[str, Any], expected: str) -> None:
    assert expected in failure(kaggle)


def test_a_name_that_contains_the_username_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "owner")
    monkeypatch.setenv("KAGGLE_KEY", "heads-key")
    assert "did you mean 'owner/heads'?" in failure(dataset="owner/haeds")


def test_a_wrong_name_if_the_server_lists_none(server: KaggleServer) -> None:
    server.always["ListDatasets"] = says(500, "No")
    assert "has no set 'owner/haeds' (404); copy the name" in failure(dataset="owner/haeds")


@pytest.mark.parametrize("body", [b"[garbage", b"5", b'{"code": "none", "message": 5}', b"null"])
def test_an_answer_that_is_not_from_kaggle(server: KaggleServer, body: bytes) -> None:
    server.faults["DownloadDataset"].append(Fault(200, {"Content-Type": "application/json"}, body))
    assert "cannot be read" in failure()


# --- temporary failures


def test_a_throttled_run_waits_as_long_as_the_server_asks(
    server: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults["DownloadDataset"].append(says(429, "Slow down", Retry_After="1"))
    start = time.monotonic()
    fetched()
    assert time.monotonic() - start >= 1
    assert "(429)" in (shown := capsys.readouterr().err)
    assert "the next in 1 s" in shown


def test_the_wait_may_be_a_date_and_the_archive_may_be_throttled(server: KaggleServer) -> None:
    date = email.utils.formatdate(time.time() - 5, usegmt=True)
    server.faults["archive"].append(Fault(429, {"Retry-After": date}))
    assert fetched()["files"] == 3


def test_too_long_a_wait_ends_the_run(server: KaggleServer) -> None:
    server.always["DownloadDataset"] = says(429, "Slow down", Retry_After="3600")
    assert "asks to wait 3600 s; run again after that" in failure()
    assert len(server.calls("DownloadDataset")) == 1


@pytest.mark.parametrize(
    ("call", "code", "expected"),
    [("DownloadDataset", 429, "throttles"), ("DownloadDataset", 503, "unavailable (503)"), ("archive", 502, "(502)")],
)
def test_temporary_failures_are_retried_a_limited_number_of_times(
    server: KaggleServer, call: str, code: int, expected: str
) -> None:
    server.always[call] = says(code, "Later")
    assert expected in failure()
    assert len(server.calls(call)) == failures.ATTEMPTS
    server.always.clear()
    server.faults[call].extend([says(code, "Later")] * (failures.ATTEMPTS - 1))
    assert fetched()["files"] == 3


@pytest.mark.parametrize("call", ["DownloadDataset", "archive"])
def test_a_server_that_does_not_answer(server: KaggleServer, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 0.3)
    monkeypatch.setattr(failures, "ATTEMPTS", 2)
    server.always[call] = Fault(hang=1)
    assert "did not respond for owner/heads, version 2 within 0.3 s" in failure()
    server.always.clear()
    assert fetched()["files"] == 3


def test_the_rest_of_a_body_that_stalls_is_requested_again(
    server: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 0.3)
    server.archive = random_archive(300_000)
    server.faults["archive"].append(Fault(cut=200_000, hang=1))
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert int(server.calls("archive")[-1].headers["Range"][6:-1]) > 180_000


def test_without_a_network_the_error_names_the_other_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://user:pass@127.0.0.1:9")
    line = failure()
    assert "cannot be reached" in line
    assert "data.source: folder" in line
    assert "data.source: phantom" in line
    assert "pass@" not in line
