"""Routes that evaluations and analyses have in common."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Path, Response
from pydantic import BaseModel

from api.access.auth import Guarded
from api.checkpoint_work import service
from api.http.after_commit import delete_later
from api.http.errors import problems
from api.registration import Accepted
from store.database import reading, writing
from store.models import CheckpointWork


def accepted(row: CheckpointWork, response: Response) -> Accepted:
    """The response to a request for work: the row's id and status, and its address as
    `Location`."""
    response.headers["Location"] = f"/api/v1/{row.__tablename__}/{row.id}"
    return Accepted(id=row.id, status=row.status)


def steering(model: type[CheckpointWork], shown: type[BaseModel]) -> APIRouter:
    """Routes that show, cancel and delete one row of `model`.

    Args:
        shown: the response model.
    """
    article = "an" if model.noun[0] in "aeiou" else "a"
    noun, path = model.noun, f"/{model.__tablename__}/{{{model.noun}_id}}"
    router = APIRouter(tags=["jobs"], route_class=Guarded)
    # Given as a default: FastAPI would evaluate an annotation where `noun` does not exist.
    named = Path(alias=f"{noun}_id")

    @router.get(
        path,
        name=f"get_{noun}",
        description=f"Get one {noun} with its result.",
        response_model=shown,
        responses=problems(404),
    )
    def show(row_id: str = named) -> Any:
        with reading() as session:
            return shown.model_validate(service.find(session, model, row_id))

    @router.post(
        f"{path}/cancel",
        name=f"cancel_{noun}",
        description=f"Cancel {article} {noun}. A queued one is `cancelled` at once. "
        "A running one is `cancelling` until its worker stops.",
        status_code=202,
        responses=problems(404, 409),
    )
    def cancel(response: Response, row_id: str = named) -> Accepted:
        with writing() as session:
            row = service.cancel(session, model, row_id)
        return accepted(row, response)

    @router.delete(
        path,
        name=f"delete_{noun}",
        description=f"Delete {article} {noun} and its result. Refused while a worker has it.",
        status_code=204,
        responses=problems(404, 409),
    )
    def delete(background: BackgroundTasks, row_id: str = named) -> None:
        with writing() as session:
            folder = service.remove(session, model, row_id)
        if folder is not None:
            delete_later(background, folder)

    return router
