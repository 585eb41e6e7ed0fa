"""Rules of the evaluations of backbones."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.backbones import work
from api.http.errors import Unprocessable
from colt_core.probes.kinds import ProbeSettings
from store.models import Dataset, Evaluation


def request(
    session: Session, backbone_id: str, dataset_id: str, settings: ProbeSettings, submitter: str | None = None
) -> Evaluation:
    """Queue a probe of a backbone on a data set.

    Raises:
        Unprocessable: there is no such data set, or the probe cannot run on it.
        NotFound, Conflict, TooManyRequests: as `work.request`.
    """

    def check(dataset: Dataset) -> None:
        if (lack := dataset.no_evaluation) is not None:
            raise Unprocessable(("/dataset_id", f"{lack}: name a data set with labels and a test part"))
        if (problem := settings.problem(*dataset.sizes)) is not None:
            raise Unprocessable((f"/{problem[0]}", problem[1]))

    return work.request(session, Evaluation, backbone_id, dataset_id, settings, check, submitter, {})
