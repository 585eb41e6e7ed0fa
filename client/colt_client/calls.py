"""One call of the API, and when it may be sent again."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from colt_client.errors import AnswerError, ConnectionLost, answer_error

_FIRST_SECONDS, _LONGEST_SECONDS = 0.25, 8.0
_NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_REFUSED_NOW = {429, 503}


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    Attributes:
        path: below the server's address.
        query: None values are left out.
        json: the body, if there is one.
        repeatable: whether sending it twice does no more than sending it once.
        done_status: what a repeated one is answered if an earlier try did it, and its answer was
            lost. The answer then has no content.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    done_status: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        return {name: value for name, value in self.query.items() if value is not None}


class Tries:
    """The tries of one call: after each, the seconds until the next, or an exception."""

    def __init__(self, call: Call, patience: float) -> None:
        """patience: seconds after which no try begins."""
        self._call = call
        self._until = time.monotonic() + patience
        self._done = 0
        self._lost = False  # whether an answer may have been lost

    def after_loss(self, error: httpx.TransportError, url: str, *, reached: bool = True) -> float:
        """Seconds until the next try.

        Args:
            reached: whether the server may have got the whole request.

        Raises:
            ConnectionLost: it may have been carried out, and must not be twice; or patience ends.
        """
        self._lost = True
        told = f"{type(error).__name__}: {error}".rstrip(": ")
        reached = reached and not isinstance(error, _NOT_REACHED)
        if reached and not self._call.repeatable:
            raise ConnectionLost(
                f"the connection to {url} broke during {self._call.method} {self._call.path} ({told}). "
                "The server may have carried it out: look before you repeat it."
            ) from error
        seconds = self._pause()
        if seconds is None:
            raise ConnectionLost(f"no answer from {url} ({told}); jobs continue once the service is back") from error
        return seconds

    def after_answer(self, response: httpx.Response) -> float | None:
        """Seconds until the next try; None if the answer is a success.

        Raises:
            AnswerError: it is an error that another try does not mend.
        """
        status = response.status_code
        if response.is_success:
            return None
        if self._lost and status == self._call.done_status:
            return None
        asked = _seconds(response.headers.get("retry-after"))
        # A 503 may come from a database that was lost at the commit, so that nobody knows.
        again = status in _REFUSED_NOW and (status == httpx.codes.TOO_MANY_REQUESTS or self._call.repeatable)
        seconds = self._pause(asked) if again else None
        if seconds is None:
            raise error_of(response)
        return seconds

    def _pause(self, asked: float | None = None) -> float | None:
        backoff = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2**self._done) * random.uniform(0.5, 1)  # noqa: S311
        seconds = backoff if asked is None else asked + random.uniform(0, 0.25)  # noqa: S311
        self._done += 1
        return seconds if time.monotonic() + seconds <= self._until else None


def error_of(response: httpx.Response) -> AnswerError:
    """The exception for an answer that is an error; its body was read."""
    try:
        document = response.json()
    except ValueError:
        document = None
    return answer_error(response.status_code, document, response.text, _seconds(response.headers.get("retry-after")))


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
