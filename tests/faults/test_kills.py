"""Whatever is killed in mid-training, the job ends with the very numbers of a run that nothing disturbed."""

from __future__ import annotations

import signal
import time

from tests.support.processes import wait_until
from tests.support.runs import DATASET, PATIENCE, Service, post, wait_status, working

QUICK_STOP_SECONDS = 20.0  # of a worker that trains; a second or two on an idle machine


def test_killing_the_trainer(service: Service) -> None:
    job_id = service.submit()
    service.wait_training(job_id).kill()
    service.assert_as_undisturbed(job_id)
    assert service.job(job_id)["attempts"] == 2


def test_killing_the_worker(service: Service) -> None:
    job_id = service.submit()
    trainer = service.wait_training(job_id)
    worker = service.worker_of(trainer)
    worker.kill()
    trainer.wait(5)  # it does not live on as an orphan
    others = [other for other in service.stack.workers if other is not worker]
    if not others:  # with more than one worker, another one takes the job over
        worker.start()
    service.assert_as_undisturbed(job_id)
    assert service.job(job_id)["attempts"] == 2


def test_killing_the_worker_while_it_registers(service: Service) -> None:
    dataset_id = post(service.stack, "datasets", DATASET)
    wait_until(lambda: service.process_of(dataset_id) is not None, PATIENCE, "the registration runs")
    registrar = service.process_of(dataset_id)
    assert registrar is not None
    worker = service.worker_of(registrar)
    worker.kill()
    registrar.wait(5)
    worker.start()
    again = wait_status(service.stack, f"datasets/{dataset_id}", "ready", "failed")
    first = service.stack.client.get(f"/api/v1/datasets/{service.dataset_id}").json()
    assert {**again, "id": "", "created_at": ""} == {**first, "id": "", "created_at": ""}


def test_killing_the_api(service: Service) -> None:
    job_id = service.submit()
    service.wait_training(job_id)
    service.stack.api.kill()
    time.sleep(0.5)
    service.stack.api.start()
    service.stack.wait_ready()
    service.assert_as_undisturbed(job_id)
    assert service.job(job_id)["attempts"] == 1


def test_stopping_every_worker_and_starting_them_again(service: Service) -> None:
    job_id = service.submit()
    trainer = service.wait_training(job_id)
    began = time.monotonic()
    for worker in service.stack.workers:
        worker.send(signal.SIGTERM)
    assert [worker.wait(60) for worker in service.stack.workers] == [0] * len(service.stack.workers)
    assert time.monotonic() - began < QUICK_STOP_SECONDS
    assert not trainer.is_running()
    job = service.job(job_id)
    assert (job["status"], job["attempts"]) == ("queued", 0), job
    assert job["progress"]["epoch"] >= 2 and job["progress"]["step"] < job["progress"]["steps"]
    for worker in service.stack.workers:
        worker.start()
    service.assert_as_undisturbed(job_id)
    assert service.job(job_id)["attempts"] == 1


def test_cancelling_and_resuming(service: Service) -> None:
    job_id = service.submit()
    service.wait_training(job_id)
    client = service.stack.client
    assert client.post(f"/api/v1/jobs/{job_id}/cancel").json()["status"] == "cancelling"
    job = service.wait_status(job_id, "cancelled", "succeeded")
    assert job["status"] == "cancelled" and job["progress"]["step"] < job["progress"]["steps"]
    checkpoint = client.get(f"/api/v1/jobs/{job_id}/checkpoints").json()["items"][0]
    assert checkpoint["step"] == job["progress"]["step"]  # nothing trained was lost
    assert client.post(f"/api/v1/jobs/{job_id}/resume").status_code < 300
    service.assert_as_undisturbed(job_id)


def test_no_process_is_left_of_all_these_jobs(service: Service) -> None:
    def others() -> list[list[str]]:  # an idle worker has no child at all, so none that could be killed unnoticed
        programs = {program.pid for program in service.stack.processes}
        return [line for process, line in working(service.stack) if process.pid not in programs]

    wait_until(lambda: not others(), 10, "API and workers are all that is left")
