"""Who may do what: bearer tokens with scopes, and a cookie that holds a token for the dashboard.

Where only this machine can reach the API, no token is needed until the first one is created. From
then on, writes without a token are refused at once, and reads within a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.access.wrong_tokens import WrongTokens
from api.http.errors import Forbidden, TooManyRequests, Unauthorized, problems
from api.http.threads import OneThread
from store.database import reading
from store.models import ApiToken
from store.repositories import tokens
from store.settings import get_settings

COOKIE = "colt_session"
bearer = HTTPBearer(auto_error=False, description="A token made with `colt token create`.")
# After finding that no token exists, the server lets reads pass for this long. Looking every time
# would take a seventh of each request.
_OPEN_SECONDS = 1.0
_READING = {"GET", "HEAD", "OPTIONS"}


class Guarded(OneThread):
    """A route that checks the token first. A dependency would run after the body was read, parsed
    and validated."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def authorize_and_handle(request: Request) -> Response:
            await authorize(request)
            return await handle(request)

        return authorize_and_handle


async def is_allowed(request: Request) -> bool:
    """Whether the request would still be allowed, asked while its response is being streamed.

    While the database does not answer, the request stays allowed.
    """
    try:
        await run_in_threadpool(_check, request, await bearer(request))
    except (Unauthorized, TooManyRequests, Forbidden):
        return False
    except SQLAlchemyError:
        pass
    return True


async def authorize(request: Request) -> None:
    """Check the token of a request. Its database session is closed before the endpoint begins, so
    streams hold none.

    Raises:
        Unauthorized: a token is needed, and the request has no valid one.
        TooManyRequests: the address has sent too many wrong tokens.
        Forbidden: the token lacks the scope.
    """
    credentials = await bearer(request)
    if credentials is None and request.method in _READING and time.monotonic() < request.app.state.open_until:
        return
    await run_in_threadpool(_check, request, credentials)


def submitter_of(request: Request) -> str | None:
    """The id of the request's token. None: no token is needed."""
    token_id: str | None = getattr(request.state, "token_id", None)
    return token_id


def _check(request: Request, credentials: HTTPAuthorizationCredentials | None) -> None:
    token = credentials.credentials if credentials else request.cookies.get(COOKIE)
    looked_at = time.monotonic()
    with reading() as session:
        if credentials is None and get_settings().only_here and not tokens.any_exist(session):
            request.app.state.open_until = looked_at + _OPEN_SECONDS
            return  # an old cookie is ignored: its token was deleted with all others
        if token is None:
            raise Unauthorized("This server needs a token. Send it as `Authorization: Bearer TOKEN`.")
        found = _find(session, request, token)
    request.state.token_id = found.id
    scope = "read" if request.method in _READING else "write"
    if scope not in found.scopes:
        raise Forbidden(f"This token lacks the scope `{scope}`. Use a token that has it.")


def _find(session: Session, request: Request, token: str) -> ApiToken:
    """The row of a token.

    Raises:
        Unauthorized: there is no such token.
        TooManyRequests: the address has sent too many wrong tokens; this one is not looked up.
    """
    wrong_tokens: WrongTokens = request.app.state.wrong_tokens
    address = request.client.host if request.client else ""
    wrong_tokens.check(address, token)
    found = tokens.find(session, token)
    if found is None:
        wrong_tokens.note_wrong(address, token)
        raise Unauthorized("This server does not know this token. It may have been revoked.")
    wrong_tokens.note_right(token)
    return found


router = APIRouter(prefix="/session", tags=["session"])


class NewSession(BaseModel):
    token: str = Field(min_length=1, max_length=200)


@router.post("", status_code=204, responses=problems(401, 415))
def open_session(wanted: NewSession, request: Request, response: Response) -> None:
    """Sign in from a browser: keeps a token in a cookie that scripts cannot read."""
    with reading() as session:
        _find(session, request, wanted.token)
    response.set_cookie(
        COOKIE, wanted.token, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/api"
    )


@router.delete("", status_code=204)
def close_session(response: Response) -> None:
    """Sign out: deletes the cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/api")
