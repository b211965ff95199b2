"""The real Kaggle client: signed in if there are credentials, quiet, and with a time-out for every request."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import threading
from types import ModuleType, TracebackType
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from medtransfer.util.errors import UserError

TIMEOUT = 60.0
"""Seconds without a byte from the server after which a request counts as failed."""
TALKATIVE = ("VERBOSE", "VERBOSE_OUTPUT")
"""Variables that make the client print every request with its credentials."""
MOST_MESSAGE = 200
UNREADABLE_CREDENTIALS = (
    "data.kaggle: the credentials cannot be read; expected a token in KAGGLE_API_TOKEN or, if it is very long, in "
    'the file ~/.kaggle/access_token, or {"username": …, "key": …} in kaggle.json'
)


class Client:
    """The client `api` in a session of its own, which this context keeps open."""

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
            # The text of the error may contain the token: the client first looks for a file of that name.
            raise UserError(UNREADABLE_CREDENTIALS) from None
        # The client gives its requests no time-out, and no other access to its session.
        self._session: requests.Session = self.api.http_client()._session
        if not all(secret.isascii() and secret.isprintable() for secret in self._secrets()):
            raise UserError(UNREADABLE_CREDENTIALS)
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _WithTimeout())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.__exit__(kind, error, trace)

    @property
    def signed_in(self) -> bool:
        """Whether requests carry a token or a key."""
        return self._session.auth is not None

    def call(self, kind: str, method: str, **fields: Any) -> Any:
        """Call a method of the API of `kind`, dataset or competition, with the fields of its request.

        Raises `requests.RequestException`, also for an answer that the client cannot read.
        """
        types = importlib.import_module(f"kagglesdk.{kind}s.types.{kind}_api_service")
        request = getattr(types, f"Api{method.title().replace('_', '')}Request")()
        for name, value in fields.items():
            setattr(request, name, value)
        try:
            return getattr(getattr(getattr(self.api, f"{kind}s"), f"{kind}_api_client"), method)(request)
        except (ValueError, TypeError, AttributeError) as error:
            raise requests.exceptions.InvalidJSONError(type(error).__name__) from None

    def open_rest(self, answer: requests.Response, start: int, validator: str) -> requests.Response:
        """Request the rest of the body of `answer` from byte `start`, if it is still the one that `validator` names.

        It repeats the last request as it was sent: credentials that a redirect removed stay removed.
        """
        answer.close()
        request = answer.request.copy()
        request.headers.update({"Range": f"bytes={start}-", "If-Range": validator})
        settings = self._session.merge_environment_settings(request.url or answer.url, {}, True, None, None)
        return self._session.send(request, **settings)

    def without_secrets(self, text: str) -> str:
        """Return text of the server as one short line without any of the credentials in use."""
        for secret in self._secrets():
            text = text.replace(secret, "***")
        return " ".join(text.split())[:MOST_MESSAGE]

    def _secrets(self) -> set[str]:
        """Return the tokens and keys that the session may send; the name of a user is part of names of sets."""
        auth: Any = self._session.auth
        sent = auth[1] if isinstance(auth, tuple) else getattr(auth, "token", None)
        return {str(secret) for secret in (sent, self._values.get("key"), self._values.get("token")) if secret}


class _WithTimeout(HTTPAdapter):
    """Requests that fail after `TIMEOUT` seconds of silence unless the caller sets another time-out."""

    def send(self, request: requests.PreparedRequest, *values: Any, **options: Any) -> requests.Response:
        return super().send(request, *values, **options | {"timeout": options.get("timeout") or TIMEOUT})


def _import_kaggle() -> ModuleType:
    """Import the client, which signs in on import: over the network, with output, and without a time-out."""
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
