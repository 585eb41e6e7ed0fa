"""Checks our numbers against those of the released code.

    python -m benchmarks.golden FILE.npz

The file holds any number of cases `loss{c}_*` and `sample{c}_*`: inputs, and outputs of the
released code. A line is printed for each quantity, with its largest deviation and the tolerance.
The exit status is 1 if a deviation is too large, and 2 if the file cannot be read.
"""

from __future__ import annotations

import argparse
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from colt_core.losses import distribution_contrastive, log_norm, nt_xent
from colt_core.samplers.budget import budgeted_clusters
from colt_core.samplers.colt import nearest_unpicked
from colt_core.tailness import negative_tailness

Arrays = dict[str, NDArray[Any]]

SCORE_TOLERANCE = 1e-5  # relative
GRADIENT_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Check:
    """The largest deviation of a quantity.

    It is relative, except for `selected`, where it is the number of differing places.
    """

    quantity: str
    deviation: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the deviation is within the tolerance. NaN is not."""
        return self.deviation <= self.tolerance


def check_file(path: Path) -> list[Check]:
    """Check every quantity of every case.

    Raises:
        ValueError: if there is no case, or a case lacks an array.
        OSError: if the file cannot be read.
    """
    if not zipfile.is_zipfile(path):
        path.stat()  # OSError if there is no such file
        raise ValueError(f"{path} is not an .npz file")
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file.items())
    cases: dict[str, Arrays] = {}
    for key, array in arrays.items():
        if match := re.fullmatch(r"((?:loss|sample)\d+)_(\w+)", key):
            cases.setdefault(match[1], {})[match[2]] = array
    if not cases:
        raise ValueError(f"{path} has no loss or sample case")
    checks = []
    for name, case in cases.items():
        try:
            found = loss_checks(case) if name.startswith("loss") else sample_checks(case)
            checks += [Check(f"{name} {check.quantity}", check.deviation, check.tolerance) for check in found]
        except KeyError as missing:
            raise ValueError(f"case {name} lacks {missing}") from None
    return checks


def loss_checks(case: Arrays) -> Iterator[Check]:
    """Check loss, loss by sample, gradient and tailness of a batch.

    The features have interleaved views and are not normalised.
    """
    features = torch.from_numpy(case["features"]).requires_grad_()
    temperature, top_k = float(case["temperature"]), float(case["top_k"])
    is_ood_B = torch.from_numpy(case["index"] == -1)
    z_2BD = torch.nn.functional.normalize(torch.cat([features[0::2], features[1::2]]), dim=1)
    shared = log_norm(z_2BD, temperature)
    contrastive, per_sample_B = nt_xent(z_2BD, temperature, shared)
    loss = contrastive + float(case["alpha"]) * distribution_contrastive(z_2BD, is_ood_B, temperature, "all", shared)
    loss.backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    probability_B = -negative_tailness(z_2BD, temperature, top_k)
    for quantity, ours in (
        ("loss", loss),
        ("per_sample_ntxent", per_sample_B),
        ("topk_negative_probability", probability_B),
    ):
        # Deviations are relative to each number, but at least to a thousandth of the largest.
        yield Check(quantity, deviation(ours.detach().numpy(), case[quantity], floor=1e-3), SCORE_TOLERANCE)
    # Gradients may cancel out to almost 0, so deviations are relative to the largest.
    yield Check("grad", deviation(features.grad.numpy(), case["grad"], floor=1.0), GRADIENT_TOLERANCE)


def sample_checks(case: Arrays) -> Iterator[Check]:
    """Check the picked OOD images, given the released run's clusters.

    The last cluster gets the remainder of the budgets.
    """
    clusters = budgeted_clusters(
        -case["topk_negative_probability"],
        case["cluster_labels"].astype(np.int64),
        int(case["num_clusters"]),
        int(case["budget"]),
        float(case["cluster_temperature"]),
        remainder="last",
    )
    granted = [cluster.budget for cluster in clusters]
    selected = nearest_unpicked(normalised(case["cluster_centers"]), granted, normalised(case["ood_features"]))
    expected = case["selected"]
    differing = len(expected) if selected.shape != expected.shape else np.count_nonzero(selected != expected)
    yield Check("selected", float(differing), 0.0)


def normalised(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """L2-normalised rows."""
    return torch.nn.functional.normalize(torch.from_numpy(rows), dim=1).numpy()


def deviation(ours: NDArray[np.float32], expected: NDArray[np.float32], floor: float) -> float:
    """Largest relative difference; infinite if the shapes differ.

    Args:
        ours: what was computed.
        expected: what it should be.
        floor: differences are relative to the expected magnitude, but at least to this share of the
            largest one.
    """
    if ours.shape != expected.shape:
        return float("inf")
    magnitude = np.abs(expected.astype(np.float64))
    scale = np.maximum(np.maximum(magnitude, floor * magnitude.max()), np.finfo(np.float32).tiny)
    return float((np.abs(ours.astype(np.float64) - expected) / scale).max())


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.golden", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    path = parser.parse_args(arguments).file
    try:
        checks = check_file(path)
    except (OSError, ValueError, zipfile.BadZipFile) as problem:
        print(f"benchmarks.golden: {problem}", file=sys.stderr)
        return 2
    width = max(len(check.quantity) for check in checks)
    for check in checks:
        verdict = "ok" if check.passed else "OUT"
        print(f"{check.quantity:{width}}  deviation {check.deviation:.2e}  tolerance {check.tolerance:.0e}  {verdict}")
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
