"""Which images form the tail, and which OOD images were picked for it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse

from api.access.auth import Guarded
from api.http.errors import Unprocessable, problems
from api.http.heavy import heavy
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit
from api.http.responses import SCORES
from api.tailness import id_samples, nearest, ood_exports, ood_samples
from api.tailness.alike import Alike, mark_alike, pool_images
from api.tailness.histogram import histogram
from api.tailness.id_samples import IdFilter
from api.tailness.ood_samples import OodFilter
from api.tailness.schemas import (
    Change,
    ClassTailnessList,
    IdOrder,
    IdSampleDetail,
    IdSamplePage,
    NearestSamples,
    OodHistogram,
    OodOrder,
    OodSampleDetail,
    OodSamplePage,
)
from colt_core.samplers.kinds import MOST_NEAREST
from store.database import reading
from store.models import MOST_IMAGES

router = APIRouter(prefix="/jobs/{job_id}", tags=["tailness"], route_class=Guarded)
Index = Annotated[int, Path(ge=0, lt=MOST_IMAGES)]


@router.get("/tailness/samples", responses=problems(404))
@heavy
def list_id_tailness(
    job_id: str,
    label: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
    cluster: Annotated[int | None, Query(ge=0, lt=2**16, description="Only images of this cluster.")] = None,
    round: Annotated[
        int | None, Query(ge=1, lt=2**31, description="The round of `cluster`. Default: the last.")
    ] = None,
    order: Annotated[IdOrder, Query(description="A leading `-` sorts in descending order.")] = "-tailness",
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> IdSamplePage:
    """List ID training images by their latest tailness, by default the most tail-like first."""
    if round is not None and cluster is None:
        raise Unprocessable(("?round", "needs cluster, which it belongs to; add cluster or leave round out"))
    with reading() as session:
        return id_samples.page(session, job_id, IdFilter(label, cluster, round), order, limit, cursor)


@router.get("/tailness/samples/{index}", responses=problems(404))
@heavy
def get_id_tailness(job_id: str, index: Index) -> IdSampleDetail:
    """Get the tailness of one ID training image after every epoch."""
    with reading() as session:
        return id_samples.sample(session, job_id, index)


@router.get("/tailness/classes", responses=problems(404, 409))
@heavy
def list_class_tailness(
    job_id: str,
    epoch: Annotated[int | None, Query(ge=1, lt=2**31, description="Only the tailness after this epoch.")] = None,
    limit: Annotated[
        int | None, Query(ge=1, le=1000, description="Most classes on a page. Default: as many as fit into 2 MiB.")
    ] = None,
    cursor: Cursor = None,
) -> ClassTailnessList:
    """Get the mean tailness of each class after every epoch."""
    with reading() as session:
        return id_samples.classes(session, job_id, epoch, limit, cursor)


async def _filter(  # async, so that it needs no thread
    round: Annotated[int | None, Query(ge=1, lt=2**31, description="Default: the last round.")] = None,
    cluster: Annotated[int | None, Query(ge=0, lt=2**16)] = None,
    selected: Annotated[
        bool | None, Query(description="true: only images that the round picked. false: only the others.")
    ] = None,
    min: Annotated[float | None, Query(allow_inf_nan=False, description="Smallest tailness.")] = None,
    max: Annotated[float | None, Query(allow_inf_nan=False, description="Largest tailness.")] = None,
    change: Annotated[
        Change | None,
        Query(
            description="entered: picked by this round, and not by the one before. stayed: by both. left: by the "
            "one before alone."
        ),
    ] = None,
) -> OodFilter:
    if min is not None and max is not None and min > max:
        raise Unprocessable(("?min", f"must be at most max, which is {max}"))
    return OodFilter(round, cluster, selected, min, max, change)


Filter = Annotated[OodFilter, Depends(_filter)]
Order = Annotated[OodOrder, Query(description="A leading `-` sorts in descending order.")]


@router.get("/ood-tailness", responses=problems(404))
@heavy
def list_ood_tailness(
    job_id: str,
    wanted: Filter,
    order: Order = "-tailness",
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    alike: Alike = False,
) -> OodSamplePage:
    """List OOD images with the scores of a sampling round, by default the most tail-like first."""
    with reading() as session:
        found = ood_samples.page(session, job_id, wanted, order, limit, cursor)
        images = pool_images(session, job_id) if alike else None
    if images is not None:
        mark_alike(found.items, images)
    return found


@router.get("/ood-tailness/export", response_class=StreamingResponse, responses=SCORES | problems(404))
@heavy
def export_ood_tailness(
    job_id: str,
    wanted: Filter,
    order: Order = "-tailness",
    format: Annotated[
        Literal["csv", "parquet"], Query(description="parquet: scores in float32, and null where there is none.")
    ] = "csv",
) -> StreamingResponse:
    """Download the scores of a sampling round as one file, with the filters and the order of the
    list."""
    with reading() as session:
        export = ood_exports.as_parquet if format == "parquet" else ood_exports.as_csv
        content = export(session, job_id, wanted, order)
    headers = {"Content-Disposition": f'attachment; filename="ood-tailness-{job_id}.{format}"'}
    media_type = "application/vnd.apache.parquet" if format == "parquet" else "text/csv"
    return StreamingResponse(content, media_type=media_type, headers=headers)


@router.get("/ood-tailness/histogram", responses=problems(404))
@heavy
def get_ood_histogram(
    job_id: str,
    round: Annotated[int | None, Query(ge=1, lt=2**31, description="Default: the last round.")] = None,
    cluster: Annotated[int | None, Query(ge=0, lt=2**16, description="Only images nearest to this cluster.")] = None,
    bins: Annotated[int, Query(ge=1, le=1000)] = 40,
) -> OodHistogram:
    """Get how many OOD images have which tailness in a sampling round, and how many of them it
    picked."""
    with reading() as session:
        return histogram(session, job_id, OodFilter(round, cluster), bins)


@router.get("/ood-tailness/{index}", responses=problems(404))
@heavy
def get_ood_tailness(
    job_id: str,
    index: Index,
    round: Annotated[
        int | None, Query(ge=1, lt=2**31, description="Of the scores and of `standing`. Default: the last.")
    ] = None,
) -> OodSampleDetail:
    """Get the scores of one OOD image in a sampling round, its rank in the pool, and its scores in
    all rounds."""
    with reading() as session:
        return ood_samples.sample(session, job_id, index, round)


@router.get("/ood-tailness/{index}/nearest", responses=problems(404))
@heavy
def get_nearest(
    job_id: str,
    index: Index,
    k: Annotated[int, Query(ge=1, le=MOST_NEAREST, description="How many.")] = MOST_NEAREST,
    round: Annotated[int | None, Query(ge=1, lt=2**31, description="Default: the last round.")] = None,
) -> NearestSamples:
    """Get the training images nearest to an OOD image that a sampling round picked.

    Nearness is the cosine of embeddings in that round. Of an image that the round did not pick
    nothing is kept.
    """
    with reading() as session:
        return nearest.nearest(session, job_id, index, round, k)
