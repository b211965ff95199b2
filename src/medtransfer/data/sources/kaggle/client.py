"""What on Kaggle is meant: one version of a data set, or the files of a competition; The real Kaggle client: signed in where there are credentials, quiet, and never waiting for ever."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import threading
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from medtransfer.study import KaggleSource
from medtransfer.util.errors import UserError

SITE = "https://www.kaggle.com"


@dataclass(frozen=True)
class Reference:
    """A data set `owner/name` at a version, or, without owner and version, a competition `name`."""

    owner: str | None
    name: str
    version: int | None

    @classmethod
    def of(cls, source: KaggleSource) -> Reference:
        """Read the reference from the params."""
        if source.competition is not None:
            return cls(None, source.competition, None)
        assert source.dataset is not None
        owner, name = source.dataset.split("/")
        return cls(owner, name, source.version)

    @property
    def path(self) -> str:
        """The name by which Kaggle knows it: `owner/name`, or the competition's."""
        return self.name if self.owner is None else f"{self.owner}/{self.name}"

    @property
    def label(self) -> str:
        """What an error line calls it."""
        return f"competition {self.name}" if self.owner is None else f"{self.path}, version {self.version}"

    @property
    def key(self) -> str:
        """The name of its record: everything that decides which bytes it is."""
        return f"competitions/{self.name}" if self.owner is None else f"datasets/{self.path}/versions/{self.version}"

    @property
    def param(self) -> str:
        """The parameter that names it."""
        return "data.kaggle.competition" if self.owner is None else "data.kaggle.dataset"

    @property
    def page(self) -> str:
        """Its page for people."""
        return f"{SITE}/{self.key}"

    @property
    def file_name(self) -> str:
        """The name of its archive on this machine."""
        return self.key.replace("/", "+") + ".zip"


TIMEOUT = 60.0
"""Seconds without a byte from the server after which a request counts as failed."""
TALKATIVE = ("VERBOSE", "VERBOSE_OUTPUT")
"""Variables that make the client print every request with its credentials."""
MOST_MESSAGE = 200
UNREADABLE_CREDENTIALS = (
    "data.kaggle: the credentials cannot be read; expected a token in KAGGLE_API_TOKEN or, where it is very long, in "
    'the file ~/.kaggle/access_token, or {"username": …, "key": …} in kaggle.json'
)


class Client:
    """The client `api` in a session of its own, which this context holds open."""

    def __init__(self) -> None:
        api = _import_kaggle().api
        self._values = api.config_values
        self.api = api.build_kaggle_client_with_params(
            args=[argument for argument in api.args if argument != "--verbose"],
            username=self._values.get("username"),
            password=self._values.get("key"),
            api_token=self._values.get("token"),
        )

    def __enter__(self) -> Client:
        try:
            self.api.__enter__()
        except (OSError, ValueError, TypeError, AttributeError):
            # The error's own text may hold the token: the client first looks for a file of that name.
            raise UserError(UNREADABLE_CREDENTIALS) from None
        # The client gives its requests no time-out and no other way to its session.
        self._session: requests.Session = self.api.http_client()._session
        if not all(secret.isascii() and secret.isprintable() for secret in self._secrets()):
            raise UserError(UNREADABLE_CREDENTIALS)
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Impatient())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.__exit__(kind, error, trace)

    @property
    def signed_in(self) -> bool:
        """Whether requests carry a token or a key."""
        return self._session.auth is not None

    def open_archive(self, reference: Reference) -> requests.Response:
        """Ask for the archive; give the answer with its body yet to be read."""
        try:
            return self._open_archive(reference)
        except (ValueError, TypeError, AttributeError) as error:
            # What the client makes of an answer that is not Kaggle's; some of these are no `RequestException`.
            raise requests.exceptions.InvalidJSONError(type(error).__name__) from None

    def _open_archive(self, reference: Reference) -> requests.Response:
        if reference.owner is None:
            from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

            files = ApiDownloadDataFilesRequest()
            files.competition_name = reference.name
            return self.api.competitions.competition_api_client.download_data_files(files)
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        dataset = ApiDownloadDatasetRequest()
        dataset.owner_slug, dataset.dataset_slug = reference.owner, reference.name
        dataset.dataset_version_number = reference.version
        return self.api.datasets.dataset_api_client.download_dataset(dataset)

    def open_rest(self, answer: requests.Response, start: int, validator: str) -> requests.Response:
        """Ask again for what `answer` offers, from byte `start`, if it is still what `validator` names.

        It repeats the last request as it was sent: credentials that a redirect took off stay off.
        """
        answer.close()
        request = answer.request.copy()
        request.headers.update({"Range": f"bytes={start}-", "If-Range": validator})
        settings = self._session.merge_environment_settings(request.url or answer.url, {}, True, None, None)
        return self._session.send(request, **settings)

    def without_secrets(self, text: str) -> str:
        """Give text of the server's fit for a log: one short line without any of the credentials in use."""
        for secret in self._secrets():
            text = text.replace(secret, "***")
        return " ".join(text.split())[:MOST_MESSAGE]

    def _secrets(self) -> set[str]:
        """What the session may send: a token, or a key; a user's name is no secret, and sets are called by it."""
        auth: Any = self._session.auth
        sent = auth[1] if isinstance(auth, tuple) else getattr(auth, "token", None)
        return {str(secret) for secret in (sent, self._values.get("key"), self._values.get("token")) if secret}


class _Impatient(HTTPAdapter):
    """Requests that give up after `TIMEOUT` seconds of silence."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send with a time-out where the caller gave none."""
        return super().send(request, stream, timeout or TIMEOUT, verify, cert, proxies)


def _import_kaggle() -> ModuleType:
    """Import the client, which signs in as it is imported: by the network, in words, and perhaps for ever."""
    found: list[ModuleType | OSError | SystemExit] = []

    def load() -> None:
        try:
            found.append(importlib.import_module("kaggle"))
        except (OSError, SystemExit) as error:
            found.append(error)

    talkative = {name: os.environ.pop(name) for name in TALKATIVE if name in os.environ}
    loading = threading.Thread(target=load, daemon=True)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            loading.start()
            loading.join(TIMEOUT)
    finally:
        os.environ.update(talkative)
    if loading.is_alive():
        raise UserError(f"data.kaggle: Kaggle did not answer within {TIMEOUT:g} s while signing in; run again later")
    if found and isinstance(found[0], ModuleType):
        return found[0]
    raise UserError(
        "data.kaggle: the kaggle client cannot start: expected a home folder it can write to, or KAGGLE_CONFIG_DIR, "
        "and the kaggle version of requirements.lock"
    )
