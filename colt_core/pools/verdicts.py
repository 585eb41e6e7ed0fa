"""The findings of a pool check in words.

The rules:

- **near_duplicates**: a leak if at least 1 % of the pool, of the test part or of the expected picks
  are near-duplicates. Below, they can move no accuracy by more than a point.
- **tail**: useful if the pool reaches at least half of what images of the data's own kind would
  reach of the Few classes. Noise reaches next to nothing, new data all of it: half is between.
- **in_distribution**: useful if at least half of K images look in-distribution. With fewer, even
  the best picks are mostly unlike the data.
- **budget**: useful if at least half of the expected picks look in-distribution.

The verdict of the whole is a leak if any is. Else it is useless if the tail or the budget is.
"""

from __future__ import annotations

from collections.abc import Sequence

from colt_core.data.dataset import ImageDataset
from colt_core.pools.kinds import BudgetUse, Finding, NearDuplicates, Reach, Verdict

LEAK_SHARE = 0.01


def enough(share: float, of: float) -> bool:
    """Whether it is at least half."""
    return share >= of / 2


def overall(findings: Sequence[Finding]) -> Verdict:
    """The verdict of the whole."""
    verdicts = {finding.about: finding.verdict for finding in findings}
    if "leak" in verdicts.values():
        return "leak"
    return "useless" if "useless" in (verdicts["tail"], verdicts["budget"]) else "useful"


def findings_of(
    dataset: ImageDataset, num_pool: int, in_distribution: int, reach: Reach, found: NearDuplicates, use: BudgetUse
) -> list[Finding]:
    """The four findings.

    Args:
        dataset: the data set.
        num_pool: M.
        in_distribution: pool images that look in-distribution.
        reach: of the classes.
        found: the near-duplicates.
        use: of the budget.
    """
    return [
        _near_duplicates(dataset, num_pool, found, use),
        _tail(dataset, reach),
        _in_distribution(num_pool, in_distribution, use.budget),
        _budget(use),
    ]


def _near_duplicates(dataset: ImageDataset, num_pool: int, found: NearDuplicates, use: BudgetUse) -> Finding:
    rule = (
        "A copy differs on pixels by less than half of what a shift by one pixel changes. It also differs by less "
        "than half of what 99 % of training images and their nearest other one differ by."
    )
    if not found.count:
        return Finding(about="near_duplicates", verdict="no leak", detail=f"No copy of the data is in the pool. {rule}")
    by_part = [f"{count:,} of the {part} part" for part, count in found.by_part.items() if count]
    exact = sum(found.exact_by_part.values())
    told = (
        f"{_counted(found.count)} of the pool nearly equal images of the data ({', '.join(by_part)}), "
        f"{exact:,} of them exactly. {use.near_duplicates:,} of {use.budget:,} expected picks are such copies."
    )
    of_test, num_test = found.by_part["test"], len(dataset.parts["test"])
    shares = ((found.count, num_pool), (of_test, num_test), (use.near_duplicates, use.budget))
    is_leak = any(count and count >= LEAK_SHARE * of for count, of in shares)
    if is_leak:
        then = "What a run gains from them is not the effect of a pool: remove them."
        if of_test:
            then = "A run that picks test images trains on what it is tested with: remove them."
        return Finding(about="near_duplicates", verdict="leak", detail=f"{told} {then} {rule}")
    then = "They are less than 1 % of the pool, of the test part and of the picks; removing them is better still."
    return Finding(about="near_duplicates", verdict="no leak", detail=f"{told} {then} {rule}")


def _tail(dataset: ImageDataset, reach: Reach) -> Finding:
    few = reach.group["few"]
    name = "few"
    if few is None:  # by thresholds, every class may be large
        few, name = next((share, other) for other, share in reversed(reach.group.items()) if share is not None)
    useful = enough(few, reach.expected)
    farthest = sorted((share, c) for c, share in enumerate(reach.reached) if share is not None)[:3]
    named = ", ".join(f"'{dataset.class_names[c]}' ({_percent(share)})" for share, c in farthest)
    detail = (
        f"The pool reaches {_percent(few)} of the training images of the {name.capitalize()} classes. As many new "
        f"images of the data's own kind would reach {_percent(reach.expected)}, and half of that is enough. "
        f"Least reached: {named}. A training image is reached if a pool image is at least as similar as its fifth "
        "nearest other training image."
    )
    if not useful:
        detail += " The pool has next to nothing that looks like the tail: choose another one."
    return Finding(about="tail", verdict="useful" if useful else "useless", detail=detail)


def _in_distribution(num_pool: int, count: int, budget: int) -> Finding:
    useful = enough(count, budget)
    detail = (
        f"{_counted(count)} of {num_pool:,} ({_percent(count / num_pool)}) look in-distribution, for a budget of "
        f"{budget:,}; half of the budget is enough. Their fifth nearest training image is as similar as for 95 % of "
        "the training images. Their brightness, contrast and roughness are in the range of 99 % of these."
    )
    return Finding(about="in_distribution", verdict="useful" if useful else "useless", detail=detail)


def _budget(use: BudgetUse) -> Finding:
    useful = enough(use.budget - use.near_no_class, use.budget)
    source = "the checkpoint's tailness" if use.tailness_from == "checkpoint" else "the sizes of the classes"
    share = sum(cluster.size * (cluster.few_share or 0.0) for cluster in use.clusters)
    share /= sum(cluster.size for cluster in use.clusters)
    detail = (
        f"Of {use.budget:,} expected picks, {use.near_no_class:,} do not look in-distribution; at least half should. "
        f"{use.near_no_tail_class:,} are near no tail class: among their five nearest training images is none of a "
        f"Few class, which {_percent(share)} of all are. The budgets of the clusters come from {source}."
    )
    return Finding(about="budget", verdict="useful" if useful else "useless", detail=detail)


def _counted(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
