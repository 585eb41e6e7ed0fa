"""Who may do what: bearer tokens with scopes, and a cookie that holds one for the dashboard.

Where only this machine reaches the API, everyone may do everything as long as no token exists. Once
one does, writing without it is refused at once, reading within a second.
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
# So long may a server that found no token let reading pass without looking again: a look is a
# seventh of a request.
_OPEN_SECONDS = 1.0
_READING = {"GET", "HEAD", "OPTIONS"}


class Guarded(OneThread):
    """A route that looks at the token first. A dependency would come after the body: read, parsed
    and validated."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def authorize_and_handle(request: Request) -> Response:
            await authorize(request)
            return await handle(request)

        return authorize_and_handle


async def is_allowed(request: Request) -> bool:
    """Whether the request would pass now too: for an answer that goes on. A database that is away
    changes nothing."""
    try:
        await run_in_threadpool(_check, request, await bearer(request))
    except (Unauthorized, TooManyRequests, Forbidden):
        return False
    except SQLAlchemyError:
        pass
    return True


async def authorize(request: Request) -> None:
    """Let the request pass, or not. Its session is closed before the endpoint begins, so streams
    hold none.

    Raises:
        Unauthorized: without a valid token where one is needed.
        TooManyRequests: after too many wrong ones.
        Forbidden: with a token that lacks the scope.
    """
    credentials = await bearer(request)
    if credentials is None and request.method in _READING and time.monotonic() < request.app.state.open_until:
        return
    await run_in_threadpool(_check, request, credentials)


def _check(request: Request, credentials: HTTPAuthorizationCredentials | None) -> None:
    token = credentials.credentials if credentials else request.cookies.get(COOKIE)
    looked_at = time.monotonic()
    with reading() as session:
        if credentials is None and get_settings().only_here and not tokens.any_exist(session):
            request.app.state.open_until = looked_at + _OPEN_SECONDS
            return  # whatever the cookie is: all tokens were deleted since
        if token is None:
            raise Unauthorized("This server needs a token: send it as `Authorization: Bearer TOKEN`.")
        found = _find(session, request, token)
    scope = "read" if request.method in _READING else "write"
    if scope not in found.scopes:
        raise Forbidden(f"This token lacks the scope `{scope}`.")


def _find(session: Session, request: Request, token: str) -> ApiToken:
    """The row of a token.

    Raises:
        Unauthorized: when there is none.
        TooManyRequests: without a look, after too many wrong ones from the request's address.
    """
    wrong_tokens: WrongTokens = request.app.state.wrong_tokens
    address = request.client.host if request.client else ""
    wrong_tokens.check(address, token)
    found = tokens.find(session, token)
    if found is None:
        wrong_tokens.note_wrong(address, token)
        raise Unauthorized("This token is not known here.")
    wrong_tokens.note_right(token)
    return found


router = APIRouter(prefix="/session", tags=["session"])


class NewSession(BaseModel):
    token: str = Field(min_length=1, max_length=200)


@router.post("", status_code=204, responses=problems(401, 415))
def open_session(wanted: NewSession, request: Request, response: Response) -> None:
    """Keep a token in a cookie that scripts cannot read: how the dashboard signs in."""
    with reading() as session:
        _find(session, request, wanted.token)
    response.set_cookie(
        COOKIE, wanted.token, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/api"
    )


@router.delete("", status_code=204)
def close_session(response: Response) -> None:
    """Forget the cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/api")
