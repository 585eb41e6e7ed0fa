"""Routes that evaluations and analyses have in common."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from api.access.auth import Guarded
from api.checkpoint_work import service
from api.http.errors import problems
from api.registration import Accepted
from store.database import reading, writing
from store.models import CheckpointWork


def accepted(row: CheckpointWork, response: Response) -> Accepted:
    """Answer with the row's address."""
    response.headers["Location"] = f"/api/v1/{row.__tablename__}/{row.id}"
    return Accepted(id=row.id, status=row.status)


def steering(model: type[CheckpointWork], shown: type[BaseModel]) -> APIRouter:
    """Routes that show, cancel and delete one row of `model`.

    Args:
        shown: what a row is answered as.
    """
    noun, path = model.noun, f"/{model.__tablename__}/{{{model.noun}_id}}"
    router = APIRouter(tags=["jobs"], route_class=Guarded)
    # As a default, not in the annotation, which would be read where `noun` is not known.
    named = Path(alias=f"{noun}_id")

    @router.get(
        path,
        name=f"get_{noun}",
        description=f"One {noun}, and what it found.",
        response_model=shown,
        responses=problems(404),
    )
    def show(row_id: str = named) -> Any:
        with reading() as session:
            return shown.model_validate(service.find(session, model, row_id))

    @router.post(
        f"{path}/cancel",
        name=f"cancel_{noun}",
        description=f"Stop an {noun}. One that waits is `cancelled` at once, a running one is `cancelling` before.",
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
        description=f"Delete an {noun} and what it found. Refused while a worker has it.",
        status_code=204,
        responses=problems(404, 409),
    )
    def delete(row_id: str = named) -> None:
        with writing() as session:
            service.remove(session, model, row_id)

    return router
