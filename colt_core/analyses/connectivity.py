"""The augmentation graph: images of a class that are connected by their augmented views.

The COLT paper has such a figure (Bai et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from colt_core.analyses.analysed import Analysed
from colt_core.analyses.kinds import Connectivity, ConnectivityConfig, ConnectivityOf
from colt_core.analyses.views import UInt8, embed_views
from colt_core.embeddings import as_embeddings
from colt_core.events import Float32, Int64

BLOCK = 2**22  # products of views in memory at a time


def analyze(settings: ConnectivityConfig, subject: Analysed) -> Connectivity:
    """The analysis `connectivity`."""

    def views(images: UInt8, index: Int64, purpose: str) -> Float32:
        return embed_views(subject.encoder, images, index, settings.num_views, subject.config, settings.seed, purpose)

    pool, picked = subject.picked(settings.num_ood, settings.seed)
    ood_z_MVD = views(pool, picked, "ood views") if len(picked) else None
    of_group = []
    for classes in (subject.groups.many, subject.groups.few):
        index = subject.of_classes(classes, settings.per_class, settings.seed)
        id_z_NVD = views(subject.images, index, "id views")
        of_group.append(connectivity(id_z_NVD, subject.labels[index], settings.thresholds, ood_z_MVD))
    return Connectivity(
        thresholds=list(settings.thresholds), majority=of_group[0], minority=of_group[1], num_ood=len(picked)
    )


@torch.no_grad()
def connectivity(
    z_NVD: Float32,
    labels_N: Int64,
    thresholds: Sequence[float],
    ood_z_MVD: Float32 | None = None,
    block: int = BLOCK,
) -> ConnectivityOf:
    """Share of same-class pairs that are connected, without and with OOD images as bridges.

    Two images are connected at threshold t if the distance of their nearest augmented views is at
    most t (Euclidean). With OOD images they are also connected if both are within t of the same OOD
    image, measured in the same way.

    Args:
        z_NVD: L2-normalised embeddings of V views of each image.
        labels_N: the classes of the images. All same-class pairs have equal weight.
        thresholds: distances, 0..2.
        ood_z_MVD: the same for the OOD images. Without any, both shares are equal.
        block: products of views in memory at a time. It does not change the result.

    Returns:
        One share for each threshold; None if no class has two images.

    Raises:
        ValueError: if the numbers of labels and images differ, or embeddings are not normalised.
    """
    if len(z_NVD) != len(labels_N):
        raise ValueError(f"{len(z_NVD)} images need as many labels, not {len(labels_N)}")
    ood_z = None if ood_z_MVD is None or len(ood_z_MVD) == 0 else _views(ood_z_MVD, "ood_z_MVD")
    num_pairs = 0
    without_T, with_T = (np.zeros(len(thresholds), dtype=np.int64) for _ in range(2))
    for c in np.unique(labels_N):
        z_nVD = _views(z_NVD[labels_N == c], "z_NVD")
        pairs = torch.ones(len(z_nVD), len(z_nVD), dtype=torch.bool).triu(diagonal=1)
        num_pairs += int(pairs.sum())
        near_nn = nearest_views(z_nVD, z_nVD, block)
        near_nM = None if ood_z is None else nearest_views(z_nVD, ood_z, block)
        for n, threshold in enumerate(thresholds):
            connected_nn = near_nn <= threshold
            without_T[n] += int(connected_nn[pairs].sum())
            if near_nM is not None:
                reached_nM = (near_nM <= threshold).float()
                connected_nn |= reached_nM @ reached_nM.T > 0  # number of OOD images that both of a pair reach
            with_T[n] += int(connected_nn[pairs].sum())
    return ConnectivityOf(
        without_ood=_shares(without_T, num_pairs), with_ood=_shares(with_T, num_pairs), num_pairs=num_pairs
    )


def nearest_views(a_NVD: Tensor, b_MWD: Tensor, block: int = BLOCK) -> Tensor:
    """(N, M) Euclidean distance of the nearest two views of each pair of images.

    The embeddings must be L2-normalised.
    """
    (_, num_views, dim), num_b = a_NVD.shape, len(b_MWD)
    b_DX = b_MWD.reshape(-1, dim).T
    rows = max(1, block // (num_views * b_DX.shape[1]))
    largest = [
        (part.reshape(-1, dim) @ b_DX).view(len(part), num_views, num_b, -1).amax(dim=(1, 3))
        for part in torch.split(a_NVD, rows)
    ]
    return (2 - 2 * torch.cat(largest)).clamp_(min=0).sqrt_()


def _views(z_NVD: Float32, name: str) -> Tensor:
    return torch.from_numpy(as_embeddings(z_NVD.reshape(-1, z_NVD.shape[-1]), name)).view(z_NVD.shape)


def _shares(counts_T: Int64, num_pairs: int) -> list[float | None]:
    return [float(count / num_pairs) if num_pairs else None for count in counts_T]
