"""Every framework with every sampler, and every analysis, through API and working programs on the
digits sample.

Starting these programs is not what is tested here: test_api_job.py does that with a whole service.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import httpx
import pytest
from safetensors.numpy import load

from colt_core.analyses.kinds import analyses
from colt_core.frameworks.kinds import frameworks
from colt_core.models import Backbone
from colt_core.samplers.kinds import samplers
from tests.support.clients import API, CONFIG, register, until
from tests.support.forking import forked_worker
from tests.support.stack import StartStack

# MAK's forward passes grow with its passes; three already make pairs to average over.
OF_KIND: dict[str, dict[str, Any]] = {"mak": {"mak_passes": 3}}
VARIANTS: dict[str, dict[str, Any]] = {
    **{
        f"{framework}-{sampler}": {"framework": framework, "sampler": sampler, **OF_KIND.get(sampler, {})}
        for framework, sampler in product(frameworks, samplers)
    },
    "bcl-D-colt": {"framework": "bcl", "bcl_variant": "D", "sampler": "colt"},
    "simclr-matched": {"framework": "simclr", "sampler": "none", "match_steps": True},
}
STEPS_OF_ID_IMAGES, STEPS_WITH_OOD = 4 * 3, 4 + 5 * 2


class Service(NamedTuple):
    client: httpx.Client
    dataset: dict[str, Any]
    pool: dict[str, Any]

    def train(self, settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """A job's path, and the job once it has succeeded."""
        sampler = samplers[settings["sampler"]]
        unread = {"sample_interval"} - sampler.model_fields.keys()
        small = CONFIG | {"width": 4}  # half the time of each of these many jobs
        common = {name: value for name, value in small.items() if name not in unread}
        pool = self.pool["id"] if sampler.uses_pool else None
        body = {"dataset_id": self.dataset["id"], "ood_pool_id": pool, "config": common | settings}
        created = self.client.post(f"{API}/jobs", json=body)
        assert created.status_code == 202, created.text
        return created.headers["location"], until(self.client, created.headers["location"], "succeeded")


@pytest.fixture(scope="module")
def service(start_module_stack: StartStack) -> Iterator[Service]:
    stack = start_module_stack("distributed", workers=0)
    client = stack.client
    tail = {"profile": "exp", "imbalance_ratio": 20, "seed": 1}
    digits = {"kind": "sample", "name": "digits"}
    glyphs = {"kind": "sample", "name": "glyphs-and-patches"}
    with forked_worker(stack):
        dataset = register(client, "datasets", {"name": "d", "source": digits, "long_tail": tail})
        pool = register(client, "ood-pools", {"name": "p", "source": glyphs})
        yield Service(client, dataset, pool)


@pytest.fixture(scope="module")
def trained(service: Service) -> str:
    """The path of a job that has picked OOD images."""
    return service.train(VARIANTS["sdclr-colt"])[0]


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_it_trains_and_is_evaluated(service: Service, settings: dict[str, Any]) -> None:
    path, job = service.train(settings)
    sampler = samplers[settings["sampler"]]
    assert job["attempts"] == 1
    with_ood = sampler.picks or "match_steps" in settings
    assert job["progress"]["step"] == job["progress"]["steps"] == (STEPS_WITH_OOD if with_ood else STEPS_OF_ID_IMAGES)

    (probe,) = service.client.get(f"{path}/evaluations").json()["items"]
    assert 0.2 < probe["balanced_accuracy"] <= 1, probe  # chance is 0.1

    rounds = service.client.get(f"{path}/rounds").json()["items"]
    expected = [2, 3] if "sample_interval" in sampler.model_fields else [2] if sampler.picks else []
    assert [item["epoch"] for item in rounds] == expected
    assert {item["num_selected"] for item in rounds} <= {CONFIG["sample_budget"]}

    tailness = service.client.get(f"{path}/tailness/samples", params={"order": "-tailness", "limit": 3}).json()
    assert -1 <= tailness["items"][0]["tailness"] <= 0

    # What is downloaded is a plain backbone, without masks, a second set of batch norms, or a key
    # encoder.
    (checkpoint, *_) = service.client.get(f"{path}/checkpoints").json()["items"]
    file = service.client.get(f"{API}/checkpoints/{checkpoint['id']}/download", params={"format": "backbone"})
    plain = Backbone(*(job["config"][name] for name in ("backbone", "width", "stem")))
    assert set(load(file.content)) == set(plain.state_dict())


@pytest.mark.parametrize("kind", analyses)
def test_it_is_analysed(service: Service, trained: str, kind: str) -> None:
    created = service.client.post(f"{trained}/analyses", json={"kind": kind})
    assert created.status_code == 202, created.text
    result = until(service.client, created.headers["location"], "succeeded")["result"]
    assert result["kind"] == kind
    analyses[kind].result.model_validate(result)
    match kind:
        case "uniformity":
            assert -4 < result["uniformity"] < 0
        case "alignment":
            assert 0 < result["alignment"] < 4
        case "tail_share":  # all images together hold the tail's own share
            assert result["phi_tail"][-1] == pytest.approx(1)
        case "cluster_minority":
            assert sum(result["size"]) == service.dataset["split_sizes"]["train"]
        case "misclassification":
            assert sum(map(sum, result["counts"])) == service.dataset["split_sizes"]["test"]
        case "connectivity":
            without, bridged = (result["minority"][name] for name in ("without_ood", "with_ood"))
            assert all(a <= b for a, b in zip(without, bridged, strict=True))
        case "feature_map":
            assert result["label"].count(-1) == CONFIG["sample_budget"]
