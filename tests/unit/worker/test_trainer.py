"""Which of its probes a job has still to run."""

from __future__ import annotations

from colt_core.data.groups import GroupThresholds
from colt_core.probes.kinds import KnnProbeConfig, LinearProbeConfig
from worker.trainer import outstanding


def test_a_resumed_job_does_not_repeat_a_probe_that_an_older_version_ran() -> None:
    thresholds = GroupThresholds(low=20, high=100)
    document = {"low": 20, "high": 100}
    # As rows were written when one model held the settings of all probes.
    row = {"kind": "linear", "protocol": "fast", "shots": None, "neighbors": 20, "group_thresholds": None, "seed": 0}
    linear, knn = LinearProbeConfig(group_thresholds=thresholds), KnnProbeConfig(group_thresholds=thresholds)
    kinds = ["linear", "knn"]
    assert outstanding(kinds, thresholds, []) == [linear, knn]
    assert outstanding(kinds, thresholds, [row | {"group_thresholds": document}]) == [knn]
    assert outstanding(kinds, thresholds, [row | {"kind": "knn", "group_thresholds": document}]) == [linear]
    # Of other groups, seed or protocol it is another probe.
    assert outstanding(kinds, None, [row | {"group_thresholds": document}]) == [LinearProbeConfig(), KnnProbeConfig()]
    for other in ({"seed": 1}, {"protocol": "sgd"}):
        assert outstanding(["linear"], None, [row | other]) == [LinearProbeConfig()]
    # What this version writes counts as well.
    assert outstanding(kinds, thresholds, [settings.model_dump(mode="json") for settings in (knn, linear)]) == []
