"""Who may do what: bearer tokens with scopes, and the session of a browser that signed in.

Where only this machine can reach the API, no token is needed until the first one is created. From
then on, writes without a token are refused at once, and reads within a second. This stays so when
the last token is revoked; `colt token open` ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.access.wrong_tokens import WrongTokens
from api.http.clients import address_of
from api.http.errors import Busy, Forbidden, TooManyRequests, Unauthorized
from api.http.threads import OneThread, in_thread
from store.database import reading
from store.models import ApiToken
from store.repositories import sessions, tokens
from store.settings import get_settings

bearer = HTTPBearer(auto_error=False, description="A token made with `colt token create`.")
# After finding that no token exists, the server lets reads pass for this long. Looking every time
# would take a seventh of each request.
_OPEN_SECONDS = 1.0
_READING = {"GET", "HEAD", "OPTIONS"}
_MARK = "_only_reads"
E = TypeVar("E", bound=Callable[..., Any])


def only_reads(endpoint: E) -> E:
    """Mark an endpoint that changes nothing, whatever its method: the scope `read` is enough."""
    setattr(endpoint, _MARK, True)
    return endpoint


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
        await in_thread(_check, request, await bearer(request))
    except (Unauthorized, TooManyRequests, Forbidden):
        return False
    except (SQLAlchemyError, Busy):
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
    await in_thread(_check, request, credentials)


def cookie_name(request: Request) -> str:
    """Name of the session's cookie.

    With the prefix, browsers take it over HTTPS alone, and from no other host of the domain
    (RFC 6265bis, section 4.1.3.2). So over HTTPS no other name is accepted. Below a root path the
    cookie is for that path alone, as other services share the host; `__Host-` allows no path.
    """
    if not is_https(request):
        return "colt_session"
    return "__Secure-colt_session" if get_settings().root_path else "__Host-colt_session"


def cookie_path(request: Request) -> str:
    root = get_settings().root_path
    return "/" if is_https(request) and not root else f"{root}/api"  # `__Host-` demands the whole site


def is_https(request: Request) -> bool:
    """Whether the browser sees HTTPS, also behind a trusted proxy."""
    return request.url.scheme == "https"


def session_secret(request: Request) -> str | None:
    return request.cookies.get(cookie_name(request))


def _check(request: Request, credentials: HTTPAuthorizationCredentials | None) -> None:
    looked_at = time.monotonic()
    with reading() as session:
        if credentials is None and get_settings().only_here and not tokens.is_closed(session):
            request.app.state.open_until = looked_at + _OPEN_SECONDS
            return  # an old cookie is ignored: its token was deleted with all others
        if credentials is not None:
            found = find(session, request, credentials.credentials, tokens.find)
        elif (secret := session_secret(request)) is not None:
            found = find(session, request, secret, sessions.find)
        else:
            raise Unauthorized("This server needs a token. Send it as `Authorization: Bearer TOKEN`.")
    request.state.token_id = found.id
    reads = request.method in _READING or getattr(request.scope.get("endpoint"), _MARK, False)
    scope = "read" if reads else "write"
    if scope not in found.scopes:
        raise Forbidden(f"This token lacks the scope `{scope}`. Use a token that has it.")


def find(
    session: Session, request: Request, secret: str, look_up: Callable[[Session, str], ApiToken | None]
) -> ApiToken:
    """The row of the token that a client presents, or whose session it presents.

    Raises:
        Unauthorized: there is no such token or session.
        TooManyRequests: the address has sent too many wrong ones; this one is not looked up.
    """
    wrong_tokens: WrongTokens = request.app.state.wrong_tokens
    address = address_of(request)
    wrong_tokens.check(address, secret)
    found = look_up(session, secret)
    if found is None:
        wrong_tokens.note_wrong(address, secret)
        if look_up is sessions.find:
            raise Unauthorized("This session has ended. Sign in again.")
        raise Unauthorized("This server does not know this token. It may have been revoked.")
    wrong_tokens.note_right(secret)
    return found
