"""Scores unseen images as a sampling round scores the images of its pool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from colt_core.config import PretrainConfig
from colt_core.embeddings import as_float32
from colt_core.events import Float32, Int64
from colt_core.samplers.build import build_sampler
from colt_core.samplers.ood_tailness import neighborhood_tailness
from colt_core.samplers.search import most_similar, search_in
from colt_core.snapshot import Snapshot
from colt_core.tailness import TailnessTracker
from colt_core.training.checkpoint import load_framework
from colt_core.training.device import Compute
from colt_core.training.embed import Images, embed, have_unit_norm
from colt_core.training.pool_embeddings import LARGEST_IN_MEMORY


@dataclass(frozen=True, slots=True)
class UnseenScores:
    """What a sampling round would say of M images.

    Attributes:
        tailness: (M,). Higher is nearer to the tail.
        cluster: (M,) the nearest cluster of the training images.
        similarity: (M,) cosine to its centre.
        nearest: (M, k) indices of the nearest training images, nearest first.
        nearest_similarity: (M, k) cosines to them.
        nearest_tailness: (M, k) their tailness.
    """

    tailness: Float32
    cluster: Int64
    similarity: Float32
    nearest: Int64
    nearest_similarity: Float32
    nearest_tailness: Float32


class TailnessScorer:
    """Scores images with the weights and the tailness of a checkpoint.

    With the checkpoint before a sampling round, an image of the pool gets the scores of that round.
    On the same machine they differ by rounding alone. `pool_refresh: candidates` is an exception:
    such a round estimates the embeddings of the images that it does not embed.

    Embedding the training images takes most of the time. It is done once, as is k-means on them.

    Args:
        state: a checkpoint, from `load_checkpoint` or a `CheckpointReady` event.
        images: (N, 3, S, S) uint8, the training images of the run.

    Raises:
        ValueError: if the sampler has no rounds, the images are not the run's, or their embeddings
            are not finite.
        DeviceMissing: if the run's device is not there.
    """

    def __init__(self, state: Snapshot, images: Images) -> None:
        config = PretrainConfig.from_stored(state["config"])
        rounds = config.rounds
        sizes = {"num_train": len(images), "image_size": int(images.shape[-1])}
        for name, value in sizes.items():
            if (trained_on := state["data"][name]) != value:  # type: ignore[literal-required]
                raise ValueError(f"the checkpoint belongs to other data: {name} was {trained_on} and is {value}")
        tracker = TailnessTracker(len(images), config.tailness_momentum)
        tracker.load_state_dict(state["tailness"])
        self._framework, _ = load_framework(state)
        Compute.of(config).module(self._framework)
        self._precision, self._neighbors = config.precision, rounds.ood_neighbors
        self._tailness_N = tracker.scores().numpy()
        self._id_z_ND = self._embedded(images)
        self._search = search_in(self._id_z_ND, rounds.neighbor_search)
        sampler = build_sampler(config)
        assert sampler is not None  # it has rounds
        self._centers_CD = sampler.cluster(
            self._id_z_ND, config.num_clusters, config.kmeans_restarts, config.seed
        ).centers
        num_pool = state["data"]["num_pool"] or 0
        self._in_half = 4 * num_pool * config.projection_dim > LARGEST_IN_MEMORY  # as embed_pool keeps it

    def score(self, images: Images, nearest: int = 0) -> UnseenScores:
        """The scores of images (M, 3, S, S) uint8, at least one.

        Args:
            images: the images.
            nearest: k, how many of the nearest training images to tell.

        Raises:
            ValueError: if an embedding is not finite.
        """
        z_MD = self._embedded(images)
        if self._in_half:
            z_MD = as_float32(z_MD.astype(np.float16))
        similarity, cluster = most_similar(z_MD, self._centers_CD, 1)
        near_similarity, near = np.empty((len(z_MD), 0), np.float32), np.empty((len(z_MD), 0), np.int64)
        if nearest:
            near_similarity, near = most_similar(z_MD, self._id_z_ND, nearest)
        return UnseenScores(
            tailness=neighborhood_tailness(*self._search(z_MD, self._neighbors), self._tailness_N),
            cluster=cluster[:, 0],
            similarity=similarity[:, 0],
            nearest=near,
            nearest_similarity=near_similarity,
            nearest_tailness=self._tailness_N[near],
        )

    def _embedded(self, images: Images) -> Float32:
        z = embed(self._framework, images, precision=self._precision)
        if not have_unit_norm(z):
            raise ValueError("the embeddings are not finite, or too large: score with another checkpoint")
        return z
