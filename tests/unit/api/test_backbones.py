"""Backbones over HTTP: registering, evaluating and beginning with one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from store import leases
from store.database import reading, writing
from store.devices import Devices
from store.models import Analysis, BackboneWeights, Dataset, Evaluation, Job
from store.repositories import checkpoint_work
from store.statuses import WorkStatus
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.locks import start_behind
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"
URL = f"{API}/backbones"
DEVICES = Devices(cpu_cores=2, cuda=())


def upload(client: TestClient, name: str = "resnet18.safetensors") -> str:
    answer = client.post(f"{API}/uploads", params={"filename": name}, content=b"weights")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def register(client: TestClient, source: dict[str, Any], **settings: Any) -> Any:
    return client.post(URL, json={"name": "a net", "source": source, **settings})


def evaluate(client: TestClient, backbone_id: str, dataset: Dataset, **settings: Any) -> Any:
    return client.post(f"{URL}/{backbone_id}/evaluations", json={"dataset_id": dataset.id, **settings})


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "A.PTH", "a.ckpt", "pytorch_model.bin"])
def test_an_uploaded_file_is_queued_with_every_setting_resolved(client: TestClient, name: str) -> None:
    source = {"kind": "upload", "upload_id": upload(client, name)}
    answer = register(client, source, backbone="resnet18", mean=[0.5, 0.5, 0.5])
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "registering"
    shown = client.get(answer.headers["location"]).json()
    assert shown["source"] == source and shown["problem"] is None and shown["names"] is None
    assert (shown["backbone"], shown["width"], shown["stem"]) == ("resnet18", 64, "imagenet")
    assert (shown["mean"], shown["std"]) == ([0.5, 0.5, 0.5], [0.229, 0.224, 0.225])
    (listed,) = client.get(URL, params={"status": "registering"}).json()["items"]
    assert listed == {name: value for name, value in shown.items() if name != "names"}
    problem(client.delete(f"{API}/uploads/{source['upload_id']}"), 409)  # it is still to be read


def test_a_backbone_of_a_checkpoint_has_the_settings_of_its_job(client: TestClient, rows: Rows) -> None:
    checkpoint = rows.checkpoint(rows.job(), 3)
    source = {"kind": "checkpoint", "checkpoint_id": checkpoint.id}
    shown = client.get(register(client, source).headers["location"]).json()
    assert (shown["backbone"], shown["width"], shown["stem"]) == ("resnet10", 16, "cifar-stride2")
    assert register(client, source, width=16, mean=[0.485, 0.456, 0.406]).status_code == 202
    wrong = register(client, source, width=32, backbone="resnet18", std=[1, 1, 1])
    assert pointers(wrong) == ["/backbone", "/width", "/std"]
    assert "the checkpoint's is 16: leave it out" in str(problem(wrong, 422)["detail"])


def test_what_cannot_be_registered_is_refused_by_name(client: TestClient) -> None:
    images, weights = upload(client, "images.zip"), upload(client)
    for source, settings, pointer in (
        ({"kind": "upload", "upload_id": "none"}, {"backbone": "resnet18"}, "/source/upload_id"),
        ({"kind": "upload", "upload_id": images}, {"backbone": "resnet18"}, "/source/upload_id"),
        ({"kind": "upload", "upload_id": weights}, {}, "/backbone"),
        ({"kind": "random"}, {}, "/backbone"),
        ({"kind": "random", "seed": -1}, {"backbone": "resnet18"}, "/source/seed"),
        ({"kind": "checkpoint", "checkpoint_id": "none"}, {}, "/source/checkpoint_id"),
        ({"kind": "pickle"}, {"backbone": "resnet18"}, "/source"),
        ({"kind": "random"}, {"backbone": "vit"}, "/backbone"),
        ({"kind": "random"}, {"backbone": "resnet18", "width": 1000}, "/width"),
        ({"kind": "random"}, {"backbone": "resnet18", "std": [0, 1, 1]}, "/std/0"),
        ({"kind": "random"}, {"backbone": "resnet18", "mean": [0.5, 0.5]}, "/mean"),
        ({"kind": "random"}, {"backbone": "resnet18", "mean": [124, 116, 104]}, "/mean/0"),
        ({"kind": "random"}, {"backbone": "resnet18", "depth": 3}, "/depth"),
    ):
        assert pointers(register(client, source, **settings))[0] == pointer, (source, settings)
    assert client.get(URL).json()["items"] == []


def test_an_equal_request_is_answered_by_what_is_being_registered(client: TestClient) -> None:
    first = register(client, {"kind": "random"}, backbone="resnet18").json()["id"]
    assert register(client, {"kind": "random", "seed": 0}, backbone="resnet18", width=64).json()["id"] == first
    assert register(client, {"kind": "random", "seed": 1}, backbone="resnet18").json()["id"] != first


def test_a_failed_registration_shows_what_fitted(client: TestClient, rows: Rows) -> None:
    row = rows.backbone("failed")
    names = {"prefix": "module.", "matched": ["conv1.weight"], "missing": ["bn1.bias"], "unexpected": ["fc.weight"]}
    with writing() as session:
        kept = session.get_one(BackboneWeights, row.id)
        kept.ended("failed", "the file has 1% of the backbone's weights", kept.created_at)
        kept.names, kept.matched_share = names | {"num_unexpected": 70_000}, 0.01
    shown = client.get(f"{URL}/{row.id}").json()
    assert shown["problem"]["detail"] == "the file has 1% of the backbone's weights"
    assert shown["names"] == names | {"num_unexpected": 70_000} and shown["matched_share"] == 0.01
    assert client.delete(f"{URL}/{row.id}").status_code == 204
    assert "no backbone" in str(problem(client.get(f"{URL}/{row.id}"), 404)["detail"])


def test_an_evaluation_of_a_backbone_is_queued_claimed_and_shown(client: TestClient, rows: Rows) -> None:
    backbone, dataset = rows.backbone(), rows.dataset()
    answer = evaluate(client, backbone.id, dataset)
    assert answer.status_code == 202, answer.text
    address = answer.headers["location"]
    shown = client.get(address).json()
    assert (shown["backbone_id"], shown["dataset_id"], shown["kind"]) == (backbone.id, dataset.id, "linear")
    assert (shown["job_id"], shown["checkpoint_id"], shown["epoch"], shown["accuracy"]) == (None, None, None, None)
    assert client.get(f"{URL}/{backbone.id}/evaluations").json()["items"] == [shown]
    with writing() as session:
        lease = leases.claim(session, Evaluation, "worker", 60, DEVICES)
    assert lease is not None and lease.id == shown["id"]
    with writing() as session:
        row = leases.held(session, lease)
        checkpoint_work.tell(session, row)  # there is no job whose stream has it
        leases.finish(session, lease, WorkStatus.SUCCEEDED, accuracy=0.5)
        checkpoint_work.show_first(session, row)
    assert client.get(address).json()["accuracy"] == 0.5
    assert client.delete(address).status_code == 204
    assert client.get(f"{URL}/{backbone.id}/evaluations").json()["items"] == []


def analyse(client: TestClient, backbone_id: str, dataset: Dataset, **settings: Any) -> Any:
    return client.post(f"{URL}/{backbone_id}/analyses", json={"dataset_id": dataset.id, **settings})


def test_an_analysis_of_a_backbone_says_what_stands_in_for_a_run(client: TestClient, rows: Rows) -> None:
    backbone, dataset = rows.backbone(), rows.dataset()
    answer = analyse(client, backbone.id, dataset, kind="alignment", num_pairs=2)
    assert answer.status_code == 202, answer.text
    address = answer.headers["location"]
    shown = client.get(address).json()
    assert (shown["backbone_id"], shown["dataset_id"], shown["kind"]) == (backbone.id, dataset.id, "alignment")
    assert (shown["job_id"], shown["checkpoint_id"], shown["epoch"], shown.pop("result")) == (None,) * 4
    assert shown["config"] == {"kind": "alignment", "seed": 0, "per_class": 200, "num_pairs": 2}
    assert shown["assumed"]["group_thresholds"] is None and shown["assumed"]["min_crop_scale"] == 0.1
    other = analyse(client, backbone.id, dataset, kind="uniformity").json()["id"]
    listed = client.get(f"{URL}/{backbone.id}/analyses").json()["items"]
    assert [item["id"] for item in listed] == [other, shown["id"]] and listed[1] == shown
    assert client.get(f"{URL}/{backbone.id}/analyses", params={"kind": "alignment"}).json()["items"] == [shown]
    assert pointers(client.get(f"{URL}/{backbone.id}/analyses", params={"kind": "horoscope"})) == ["?kind"]
    problem(client.get(f"{URL}/none/analyses"), 404)

    with writing() as session:
        lease = leases.claim(session, Analysis, "worker", 60, DEVICES)
    assert lease is not None and lease.id == shown["id"]
    found = {"kind": "alignment", "alignment": 0.5, "by_class": [0.5], "group": {"many": 0.5}}
    with writing() as session:
        leases.finish(session, lease, WorkStatus.SUCCEEDED, result=found)
    assert client.get(address).json()["result"] == found
    assert "Analyses use this backbone" in str(problem(client.delete(f"{URL}/{backbone.id}"), 409)["detail"])
    assert client.post(f"{API}/analyses/{other}/cancel").json()["status"] == "cancelled"
    for analysis in (shown["id"], other):
        assert client.delete(f"{API}/analyses/{analysis}").status_code == 204
    assert client.delete(f"{URL}/{backbone.id}").status_code == 204


def test_the_same_analysis_of_a_backbone_is_made_once(client: TestClient, rows: Rows) -> None:
    backbone, dataset = rows.backbone(), rows.dataset()
    first = analyse(client, backbone.id, dataset, kind="uniformity").json()["id"]
    assert analyse(client, backbone.id, dataset, kind="uniformity", num_samples=5000).json()["id"] == first
    with writing() as session:  # as an earlier version with another default
        session.get_one(Analysis, first).assumed = {"precision": "fp32"}
    again = analyse(client, backbone.id, dataset, kind="uniformity").json()["id"]
    assert again != first and analyse(client, backbone.id, dataset, kind="uniformity").json()["id"] == again
    assert analyse(client, rows.backbone().id, dataset, kind="uniformity").json()["id"] not in (first, again)


def test_what_cannot_be_analysed_is_refused_by_name(client: TestClient, rows: Rows) -> None:
    backbone, dataset = rows.backbone(), rows.dataset()
    for kind in ("tail_share", "cluster_minority"):
        refused = problem(analyse(client, backbone.id, dataset, kind=kind), 422)
        (told,) = refused["errors"]  # type: ignore[misc]
        assert told["pointer"] == "/kind"  # type: ignore[index]
        assert "only a run has" in told["detail"] and "uniformity, alignment" in told["detail"]  # type: ignore[index]
    for settings, where in (
        ({}, "/kind"),
        ({"kind": "horoscope"}, "/kind"),
        ({"kind": "uniformity", "num_samples": 1}, "/num_samples"),
        ({"kind": "uniformity", "checkpoint_id": "c"}, "/checkpoint_id"),
        ({"kind": "uniformity", "group_thresholds": None}, "/group_thresholds"),
        ({"kind": "misclassification", "probe": {"kind": "few_shot", "shots": 50}}, "/probe/shots"),
    ):
        assert pointers(analyse(client, backbone.id, dataset, **settings)) == [where], settings
    assert pointers(analyse(client, backbone.id, rows.unlabelled(), kind="alignment")) == ["/dataset_id"]
    assert pointers(analyse(client, backbone.id, rows.unlabelled(), kind="misclassification")) == ["/dataset_id"]
    assert analyse(client, backbone.id, rows.unlabelled(), kind="uniformity").status_code == 202
    missing = client.post(f"{URL}/{backbone.id}/analyses", json={"dataset_id": "none", "kind": "uniformity"})
    assert pointers(missing) == ["/dataset_id"]
    problem(analyse(client, "none", dataset, kind="uniformity"), 404)
    problem(analyse(client, rows.backbone("registering").id, dataset, kind="uniformity"), 409)


def test_evaluations_of_checkpoints_and_of_backbones_wait_in_one_queue(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    checkpoint = rows.checkpoint(rows.job(dataset), 1)
    of_checkpoint = client.post(f"{API}/jobs/{checkpoint.job_id}/evaluations", json={"kind": "knn"}).json()["id"]
    of_backbone = evaluate(client, rows.backbone().id, dataset, kind="knn").json()["id"]
    with writing() as session:
        held = [leases.claim(session, Evaluation, "worker", -1, DEVICES) for _ in range(2)]
        assert [lease and lease.id for lease in held] == [of_checkpoint, of_backbone]
    with writing() as session:
        assert {row.id for row in leases.expired(session, Evaluation)} == {of_checkpoint, of_backbone}


def test_the_same_evaluation_is_asked_once_unless_it_came_to_nothing(client: TestClient, rows: Rows) -> None:
    backbone, dataset = rows.backbone(), rows.dataset()
    first = evaluate(client, backbone.id, dataset, kind="knn").json()["id"]
    assert evaluate(client, backbone.id, dataset, kind="knn", neighbors=20).json()["id"] == first
    others = [
        evaluate(client, backbone.id, dataset, kind="knn", neighbors=3),
        evaluate(client, backbone.id, rows.dataset(image_size=16), kind="knn"),
        evaluate(client, rows.backbone().id, dataset, kind="knn"),
    ]
    assert len({first, *(answer.json()["id"] for answer in others)}) == 4
    client.post(f"{API}/evaluations/{first}/cancel")
    assert evaluate(client, backbone.id, dataset, kind="knn").json()["id"] != first


def test_two_who_ask_the_same_in_one_instant_share_it(service_engine: Engine, client: TestClient, rows: Rows) -> None:
    backbone, dataset = rows.backbone(), rows.dataset()
    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            session.get(BackboneWeights, backbone.id, with_for_update=True)
            second = start_behind(pool, service_engine, lambda: evaluate(client, backbone.id, dataset, kind="knn"))
            first = checkpoint_work.add_of_backbone(
                session, Evaluation, backbone.id, {"kind": "knn"}, subject={"dataset_id": dataset.id}
            )
        assert second.result().json()["id"] == first.id


def test_what_cannot_be_evaluated_is_refused_by_name(client: TestClient, rows: Rows) -> None:
    backbone, dataset = rows.backbone(), rows.dataset()
    problem(evaluate(client, "none", dataset), 404)
    for status in ("registering", "failed"):
        problem(evaluate(client, rows.backbone(status).id, dataset), 409)
    assert pointers(evaluate(client, backbone.id, rows.unlabelled())) == ["/dataset_id"]
    assert pointers(evaluate(client, backbone.id, dataset, kind="few_shot", shots=99)) == ["/shots"]
    assert pointers(evaluate(client, backbone.id, dataset, kind="knn", checkpoint_id="c")) == ["/checkpoint_id"]
    assert pointers(client.post(f"{URL}/{backbone.id}/evaluations", json={"kind": "knn"})) == ["/dataset_id"]
    missing = client.post(f"{URL}/{backbone.id}/evaluations", json={"dataset_id": "none"})
    assert pointers(missing) == ["/dataset_id"]
    problem(evaluate(client, backbone.id, rows.dataset(status="registering")), 409)


def test_a_backbone_and_a_data_set_stay_while_an_evaluation_names_them(client: TestClient, rows: Rows) -> None:
    backbone, dataset = rows.backbone(), rows.dataset()
    address = evaluate(client, backbone.id, dataset).headers["location"]
    for url, noun in ((f"{URL}/{backbone.id}", "backbone"), (f"{API}/datasets/{dataset.id}", "data set")):
        assert f"Evaluations use this {noun}. Delete them first." in str(problem(client.delete(url), 409)["detail"])
    assert client.delete(address).status_code == 204
    for url in (f"{URL}/{backbone.id}", f"{API}/datasets/{dataset.id}"):
        assert client.delete(url).status_code == 204


def start(client: TestClient, dataset: Dataset, backbone_id: str, **config: Any) -> Any:
    settings = {"preset": "digits", "sampler": "none", "batch_size": 4} | config
    named = {"start_from": {"backbone_id": backbone_id}}
    return client.post(f"{API}/jobs", json={"dataset_id": dataset.id, "config": settings, **named})


def test_a_job_begins_with_a_backbone_which_stays_until_then(client: TestClient, rows: Rows) -> None:
    dataset, backbone = rows.dataset(), rows.backbone()
    answer = start(client, dataset, backbone.id)
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["id"]
    assert client.get(f"{API}/jobs/{job_id}").json()["start_from"] == {"backbone_id": backbone.id, "name": "a net"}
    with reading() as session:
        assert session.get_one(Job, job_id).start_backbone_id == backbone.id
    assert "Jobs use this backbone" in str(problem(client.delete(f"{URL}/{backbone.id}"), 409)["detail"])
    with writing() as session:
        session.get_one(Job, job_id).start_backbone_id = None  # as its first checkpoint does
    assert client.delete(f"{URL}/{backbone.id}").status_code == 204
    assert client.get(f"{API}/jobs/{job_id}").json()["start_from"]["name"] == "a net"


def test_a_backbone_that_a_job_cannot_begin_with_is_refused_at_submission(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    assert pointers(start(client, dataset, "none")) == ["/start_from/backbone_id"]
    assert pointers(start(client, dataset, rows.backbone("failed").id)) == ["/start_from/backbone_id"]
    problem(start(client, dataset, rows.backbone("registering").id), 409)
    misfit = start(client, dataset, rows.backbone().id, width=32, stem="cifar", backbone="resnet18")
    assert pointers(misfit) == ["/config/backbone", "/config/width", "/config/stem"]
    other_pixels = start(client, dataset, rows.backbone(std=[0.5, 0.5, 0.5]).id)
    assert pointers(other_pixels) == ["/start_from/backbone_id"]
    assert "a run standardises pixels by mean" in str(problem(other_pixels, 422)["detail"])
    for both in ({}, {"checkpoint_id": "c", "backbone_id": "b"}):
        body = {"dataset_id": dataset.id, "start_from": both}
        assert pointers(client.post(f"{API}/jobs", json=body)) == ["/start_from"]


def test_an_old_idempotency_key_still_fits_its_request(client: TestClient, rows: Rows) -> None:
    """An earlier version stored the digest of a request that had no `backbone_id`."""
    from api.jobs.schemas import NewJob
    from api.jobs.submission import _fingerprint

    wanted = NewJob(dataset_id="d", start_from={"checkpoint_id": "c"})
    assert wanted.model_dump(mode="json")["start_from"] == {"checkpoint_id": "c"}
    assert _fingerprint(wanted) != _fingerprint(NewJob(dataset_id="d", start_from={"backbone_id": "c"}))
