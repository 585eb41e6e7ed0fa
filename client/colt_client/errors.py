"""What can go wrong, one class for each kind. All of them are a `ColtError`."""

from __future__ import annotations

from typing import Any, NamedTuple


class ColtError(Exception):
    """Anything that this client raises about the service."""


class ConnectionLost(ColtError):
    """The server cannot be reached, or the connection broke, for longer than calls are repeated."""


class UnexpectedAnswer(ColtError):
    """The answer is not what this version of the client can read."""


class FieldProblem(NamedTuple):
    """What is wrong with one value of a request.

    Attributes:
        pointer: a JSON pointer into the body, such as `/config/epochs`; `?name` for a query
            parameter.
        detail: what to change.
    """

    pointer: str
    detail: str


class AnswerError(ColtError):
    """The server refused a call, or failed at it.

    Attributes:
        status: of HTTP.
        detail: what is wrong and what to change, as the server says it.
        errors: the wrong values, if the problem lies in single ones.
        document: the whole problem document, such as the `estimate` of a job that was refused for
            its cost.
        retry_after: seconds to wait before the next try, if the server named them.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: tuple[FieldProblem, ...] = (),
        document: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        lines = [f"  {problem.pointer or 'body'}: {problem.detail}" for problem in errors]
        # The detail of a 422 repeats its problems in one line.
        super().__init__("\n".join(["the request has wrong values:", *lines]) if lines else detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.document = document or {}
        self.retry_after = retry_after


class Unauthorized(AnswerError):
    """401: the service needs a token, or does not know this one."""


class Forbidden(AnswerError):
    """403: the token does not allow this."""


class NotFound(AnswerError):
    """404: there is no such thing."""


class Conflict(AnswerError):
    """409: not in its present state."""


class TooLarge(AnswerError):
    """413: more bytes than the server takes."""


class Invalid(AnswerError):
    """422: `errors` names each wrong value."""


class Busy(AnswerError):
    """429 or 503: not now. `retry_after` says when."""


class NoRoom(AnswerError):
    """507: the server's disk or its quota is full."""


_KINDS: dict[int, type[AnswerError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
    429: Busy,
    503: Busy,
    507: NoRoom,
}


def answer_error(status: int, document: Any, text: str, retry_after: float | None) -> AnswerError:
    """The exception for an answer.

    Args:
        document: its problem document, or anything else if it holds none, as from a proxy.
        text: the body, for that case.
    """
    problem = document if isinstance(document, dict) else {}
    detail = problem.get("detail")
    if not isinstance(detail, str):
        detail = f"status {status}: {text.strip()[:300] or 'no text'}"
    errors = tuple(
        FieldProblem(str(item.get("pointer", "")), str(item.get("detail", "")))
        for item in problem.get("errors") or ()
        if isinstance(item, dict)
    )
    return _KINDS.get(status, AnswerError)(status, detail, errors, problem, retry_after)


class Failed(ColtError):
    """What was waited for did not succeed.

    Attributes:
        id: whose.
        status: `failed` or `cancelled`.
        reason: the server's text. None: it gave none, as after a cancellation.
    """

    def __init__(self, noun: str, id: str, status: str, reason: str | None) -> None:
        super().__init__(f"{noun} {id} {status}" + (f": {reason}" if reason else ""))
        self.id = id
        self.status = status
        self.reason = reason


class JobFailed(Failed):
    """A job failed or was cancelled."""


class RegistrationFailed(Failed):
    """A data set or OOD pool could not be registered."""
