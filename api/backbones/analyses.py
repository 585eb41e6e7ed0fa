"""Rules of the analyses of backbones."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.analyses.schemas import NewBackboneAnalysis
from api.backbones import work
from api.http.errors import Unprocessable
from colt_core.config import PretrainConfig
from store.models import Analysis, Dataset


def request(session: Session, backbone_id: str, wanted: NewBackboneAnalysis, submitter: str | None = None) -> Analysis:
    """Queue an analysis of a backbone on a data set.

    The row says what is assumed in place of the settings of a run.

    Raises:
        Unprocessable: there is no such data set, or the analysis cannot run on it.
        NotFound, Conflict, TooManyRequests: as `work.request`.
    """
    settings = wanted.settings
    assumed = settings.assumed()

    def check(dataset: Dataset) -> None:
        if not (dataset.labels or settings.without_labels):
            lack = f"'{settings.kind}' needs labels, and the images of '{dataset.name}' have none"
            raise Unprocessable(("/dataset_id", f"{lack}: name a data set with labels"))
        if settings.tests and (lacks := dataset.no_evaluation) is not None:
            raise Unprocessable(("/dataset_id", f"{lacks}: name a data set with labels and a test part"))
        run = PretrainConfig.model_validate(assumed)
        if (problem := settings.problem(run, *dataset.sizes)) is not None:
            raise Unprocessable((f"/{problem[0]}", problem[1]))

    return work.request(
        session, Analysis, backbone_id, wanted.dataset_id, settings, check, submitter, {"assumed": assumed}
    )
