"""`/session`: signing in and out from a browser."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.access import auth
from api.http.errors import Unauthorized, problems
from api.http.threads import OneThread
from store.database import reading, writing
from store.repositories import sessions, tokens
from store.settings import get_settings

router = APIRouter(prefix="/session", tags=["session"], route_class=OneThread)


class NewSession(BaseModel):
    token: str = Field(min_length=1, max_length=200)


class SessionInfo(BaseModel):
    signed_in: bool = Field(description="Whether the request's cookie is of an open session.")
    token_name: str | None = Field(None, description="The token that it was opened with.")


@router.get("")
def get_session(request: Request) -> SessionInfo:
    """Get whether this browser is signed in."""
    secret = auth.session_secret(request)
    if secret is None:
        return SessionInfo(signed_in=False)
    try:
        with reading() as session:
            return SessionInfo(signed_in=True, token_name=auth.find(session, request, secret, sessions.find).name)
    except Unauthorized:
        return SessionInfo(signed_in=False)


@router.post("", status_code=204, responses=problems(401, 415))
def open_session(wanted: NewSession, request: Request, response: Response) -> None:
    """Sign in from a browser. The cookie holds a secret of the session's own, never the token, and
    scripts cannot read it.

    The session lasts 12 hours (COLT_SESSION_SECONDS), or until the browser is closed, it is signed
    out of, or its token is revoked.
    """
    with reading() as session:
        found = auth.find(session, request, wanted.token, tokens.find)
    with writing() as session:
        secret = sessions.begin(session, found.id, get_settings().session_seconds)
    https = auth.is_https(request)
    name, path = auth.cookie_name(request), auth.cookie_path(request)
    response.set_cookie(name, secret, httponly=True, samesite="strict", secure=https, path=path)


@router.delete("", status_code=204)
def close_session(request: Request, response: Response) -> None:
    """Sign out: ends the session and deletes the cookie."""
    secret = auth.session_secret(request)
    if secret is not None:
        with writing() as session:
            sessions.end(session, secret)
    https = auth.is_https(request)
    name, path = auth.cookie_name(request), auth.cookie_path(request)
    response.delete_cookie(name, httponly=True, samesite="strict", secure=https, path=path)
