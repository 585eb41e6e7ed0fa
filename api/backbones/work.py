"""Rules that all work on backbones follows: evaluations and analyses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from api import registration
from api.checkpoint_work.service import place_for
from api.http.errors import Conflict, NotFound
from colt_core.tagged import TaggedSettings
from store.models import Analysis, BackboneWeights, Dataset, Evaluation
from store.repositories import checkpoint_work, registrations, turns
from store.statuses import RegistrationStatus

W = TypeVar("W", Evaluation, Analysis)


def request(
    session: Session,
    model: type[W],
    backbone_id: str,
    dataset_id: str,
    settings: TaggedSettings,
    check: Callable[[Dataset], None],
    submitter: str | None,
    columns: Mapping[str, Any],
) -> W:
    """Queue work on a backbone, or return an equal row that neither failed nor was cancelled.

    Args:
        check: raises Unprocessable where the data set does not allow it.
        submitter: id of the token that asks; None without a token.
        columns: of the row, beside those that name backbone and data set.

    Raises:
        NotFound: there is no such backbone.
        Conflict: the backbone or the data set is not ready.
        Unprocessable: there is no such data set, or `check` raised it.
        TooManyRequests: the token has too many that wait.
    """
    turns.lock(session, submitter)
    backbone = registrations.lock(session, BackboneWeights, backbone_id)  # so that equal requests come one by one
    if backbone is None:
        raise NotFound(f"There is no backbone {backbone_id[:64]}.")
    if backbone.status != RegistrationStatus.READY:
        raise Conflict(f"The backbone is {backbone.status}; only a ready one can be evaluated or analysed.")
    registrations.lock(session, Dataset, dataset_id)  # so that nobody deletes it before the row names it
    dataset = registration.named_ready(session, Dataset, dataset_id, "/dataset_id")
    check(dataset)
    named = {"dataset_id": dataset_id}
    earlier = checkpoint_work.same_of_backbone(session, model, backbone_id, settings, named)
    if earlier is not None and all(getattr(earlier, name) == value for name, value in columns.items()):
        return earlier
    place = place_for(session, model, (dataset,), submitter)
    config = settings.model_dump(mode="json")
    return checkpoint_work.add_of_backbone(session, model, backbone_id, config, place, {**named, **columns})
