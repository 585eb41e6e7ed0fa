"""The settings and the result of a pool check. Imports no torch.

Lists of the result that belong together have the same length.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from colt_core.kinds import Registry
from colt_core.samplers.kinds import SampleBudget
from colt_core.tagged import TaggedSettings

CLUSTERS_OF_BACKBONE = 10  # of a check without a run, whose configuration would say

Verdict = Literal["useful", "useless", "leak"]
FindingVerdict = Literal["useful", "useless", "leak", "no leak"]
About = Literal["near_duplicates", "tail", "in_distribution", "budget"]
Part = Literal["train", "probe", "val", "test"]


class PoolCheckSettings(TaggedSettings):
    """Compares a pool with a data set in the feature space of an encoder."""

    registry: ClassVar[Registry[Any]] = Registry("pool check")
    kind = "pool_check"
    title = "Pool check"
    implementation = "colt_core.pools.check:check_pool"

    budget: SampleBudget = Field(description="K: images that a sampling round would pick from the pool.")


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Result):
    """One of four questions, answered in a word and in sentences."""

    about: About
    verdict: FindingVerdict
    detail: str = Field(description="For people: what was found, by which rule, and what follows.")


class Reach(_Result):
    """How near the pool comes to the classes.

    A training image is reached if a pool image is at least as similar to it as its fifth nearest
    other training image is.
    """

    expected: float = Field(
        description="Share of training images that as many new images of the data's own kind would reach."
    )
    group: dict[str, float | None] = Field(
        description="Share reached of the training images of `many`, `medium` and `few`. Null: it has none."
    )
    reached: list[float | None] = Field(description="By class: the share reached. Null: it has no training images.")
    own_similarity: list[float | None] = Field(
        description="By class: median cosine of a training image and the nearest other one of its class. "
        "Null with fewer than two images."
    )
    pool_similarity: list[float | None] = Field(
        description="By class: median cosine of a training image and the nearest pool image."
    )
    verdict: list[Verdict | None] = Field(description="By class. Useful: at least half of `expected` is reached.")


class NearDuplicate(_Result):
    """A pool image and the image of the data set that it nearly equals."""

    pool_index: int
    index: int = Field(description="Of the image in the data set.")
    part: Part
    label: int
    similarity: float = Field(description="Cosine of their features.")
    difference: float = Field(description="Root mean square of the difference of the pixels, 0..255. 0: equal.")


class NearDuplicates(_Result):
    """Pool images that nearly equal an image of the data set."""

    count: int
    by_part: dict[str, int] = Field(description="The same by part of the data set. A pool image counts once.")
    exact_by_part: dict[str, int] = Field(description="Those of them with equal pixels.")
    examples: list[NearDuplicate] = Field(description="Those of the test part come first.")


class ClusterUse(_Result):
    """A cluster of the training images, and what it would pick."""

    size: int
    tailness: float | None = Field(description="Mean of its images. Null: it is empty.")
    few_share: float | None = Field(description="Share of its images in the Few classes. Null: it is empty.")
    budget: int
    own_similarity: float | None = Field(description="Mean cosine of its images and its centre. Null: it is empty.")
    pick_similarity: float | None = Field(description="Mean cosine of its picks and its centre. Null: it picks none.")


class BudgetUse(_Result):
    """What COLT would do with the budget in one sampling round."""

    budget: int
    tailness_from: Literal["checkpoint", "class_sizes"] = Field(
        description="Scores of the checkpoint, if it was trained on this data set. Else rare classes count as tail."
    )
    clusters: list[ClusterUse]
    near_no_class: int = Field(description="Picks that do not look in-distribution.")
    near_no_tail_class: int = Field(
        description="Picks that do not look in-distribution, or have no image of a Few class among the five nearest."
    )
    near_duplicates: int = Field(description="Picks that nearly equal an image of the data set.")


class PoolCheckResult(_Result):
    """Whether a pool can help a data set."""

    verdict: Verdict = Field(description="Leak if a finding is. Else useless if the tail or the budget is.")
    findings: list[Finding]
    num_train: int
    num_pool: int
    in_distribution: int = Field(description="Pool images that look in-distribution. The finding states the rule.")
    reach: Reach
    near_duplicates: NearDuplicates
    use: BudgetUse
