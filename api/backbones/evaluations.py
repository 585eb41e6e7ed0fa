"""Rules of the evaluations of backbones."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api import registration
from api.checkpoint_work.service import place_for
from api.http.errors import Conflict, NotFound, Unprocessable
from colt_core.probes.kinds import ProbeSettings
from store.models import BackboneWeights, Dataset, Evaluation
from store.repositories import checkpoint_work, registrations, turns
from store.statuses import RegistrationStatus


def request(
    session: Session, backbone_id: str, dataset_id: str, settings: ProbeSettings, submitter: str | None = None
) -> Evaluation:
    """Queue a probe of a backbone on a data set.

    An equal one that neither failed nor was cancelled is returned instead.

    Args:
        submitter: id of the token that asks; None without a token.

    Raises:
        NotFound: there is no such backbone.
        Conflict: the backbone or the data set is not ready.
        Unprocessable: there is no such data set, or the probe cannot run on it.
        TooManyRequests: the token has too many that wait.
    """
    turns.lock(session, submitter)
    backbone = registrations.lock(session, BackboneWeights, backbone_id)  # so that equal requests come one by one
    if backbone is None:
        raise NotFound(f"There is no backbone {backbone_id[:64]}.")
    if backbone.status != RegistrationStatus.READY:
        raise Conflict(f"The backbone is {backbone.status}; only a ready one can be evaluated.")
    registrations.lock(session, Dataset, dataset_id)  # so that nobody deletes it before the row names it
    dataset = registration.named_ready(session, Dataset, dataset_id, "/dataset_id")
    if (lack := dataset.no_evaluation) is not None:
        raise Unprocessable(("/dataset_id", f"{lack}: name a data set with labels and a test part"))
    if (problem := settings.problem(*dataset.sizes)) is not None:
        raise Unprocessable((f"/{problem[0]}", problem[1]))
    named = {"dataset_id": dataset_id}
    earlier = checkpoint_work.same_of_backbone(session, Evaluation, backbone_id, settings, named)
    if earlier is not None:
        return earlier
    place = place_for(session, Evaluation, (dataset,), submitter)
    return checkpoint_work.add_of_backbone(
        session, Evaluation, backbone_id, settings.model_dump(mode="json"), place, named
    )
