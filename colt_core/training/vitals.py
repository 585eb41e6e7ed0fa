"""Whether a run is healthy: it ends on impossible numbers, and warns of a collapse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.data.warnings import DataWarning
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.step import Step

# For tau = 1 and alpha = 0. Runs on digits had four frameworks and learning rates of 0.5 to 50.
# Their largest norm was 6 to 66 at tau = 0.2 or 0.3, and 240 at 0.01. On blank images it was 6e10.
LARGEST_GRADIENT = 1e6
LARGEST_NUMBER = 1e18  # the square of a larger one leaves the range of float32
CONSTANT_WITHIN = 0.01
LOW_SPREAD = 0.1  # runs that learned had 0.2 to 1, runs at the loss of a constant output 0.006 to 0.06
SPREAD_SHARE = 0.005
_MEMORY = 0.9  # of the running mean of losses
_RISE, _JUMP = 1.1, 1.5


def spread(z_2BD: Tensor) -> Tensor:
    """The embeddings' variance, a scalar in 0..1: the mean squared distance from their mean.

    Each view has a mean of its own, since the two may come from different branches.
    """
    z_2BD = z_2BD.view(2, -1, z_2BD.shape[1])
    return (z_2BD - z_2BD.mean(dim=1, keepdim=True)).square().sum(dim=2).mean()


@dataclass
class Vitals:
    """What the steps of a run say about its health. It is part of a checkpoint.

    Losses are the contrastive ones. The distribution-level loss only begins with the first OOD
    images.
    """

    config: PretrainConfig
    in_bf16: bool
    steps: int = 0  # of the unfinished epoch
    contrastive: float = 0.0  # sums over these steps
    constant: float = 0.0  # NaN if the loss of a constant output is not known
    spread: float = 0.0
    recent: float | None = None  # running mean of losses of full batches, which are comparable
    lowest: float | None = None  # of `recent` so far
    last: float | None = None  # loss of the last full batch
    constant_before: bool = False  # whether the last epoch's loss was that of a constant output
    warned: list[str] = field(default_factory=list)  # codes of the warnings so far

    def observe(self, step: Step, names: Sequence[str], constant_loss: float | None) -> None:
        """Remember a step.

        Args:
            step: with its results on the host.
            names: the parameters that `step.health` has gradients of.
            constant_loss: `Framework.constant_loss` of the batch.

        Raises:
            TrainingDiverged: if the loss or a gradient is not finite, or a gradient has a norm
                above LARGEST_GRADIENT * (1 + alpha) / tau. Here alpha is 0 for a batch without OOD
                images. Batch norms and the norm of equal embeddings divide by numbers near 0. So
                the limit is LARGEST_NUMBER in a collapse.
        """
        loss, contrastive, distribution = step.losses.tolist()
        spread, *norms = step.health.tolist()
        where = f"in epoch {step.epoch}, step {step.number}, at learning rate {step.learning_rate:.4g}"
        if not math.isfinite(loss):
            raise self.diverged(f"the loss is {loss} {where}")
        alpha = 0.0 if math.isnan(distribution) else self.config.distribution_loss_weight
        limit = LARGEST_GRADIENT * (1 + alpha) / self.config.temperature
        if self._is_gone(spread):
            limit = LARGEST_NUMBER
        wrong = [(name, value) for name, value in zip(names, norms, strict=True) if not value <= limit]
        if wrong:
            name, value = wrong[-1]  # the one nearest to the loss: it is passed on to all before it
            more = f" (and {len(wrong) - 1} others)" if len(wrong) > 1 else ""
            raise self.diverged(f"the gradient of {name}{more} has a norm of {value:.3g} {where}")
        self.steps += 1
        self.contrastive += contrastive
        self.constant += math.nan if constant_loss is None else constant_loss
        self.spread += spread
        if step.per_sample_loss is None:
            return
        self.last = contrastive
        self.recent = self.last if self.recent is None else _MEMORY * self.recent + (1 - _MEMORY) * self.last
        self.lowest = self.recent if self.lowest is None else min(self.lowest, self.recent)

    def end_epoch(self, epoch: int) -> DataWarning | None:
        """Forget the epoch's steps, and return a warning of a collapse if it is the first.

        A run has collapsed in either of these cases:

        - After the learning rate's warm-up, an epoch's contrastive loss is within 1 % of that of a
          constant output. The epoch before was so too, or the variance is below 0.1. A single epoch
          may just pass this loss, since a random net has a higher one.
        - The variance of the embeddings is below tau / 200. Similarities then differ by less than
          tau / 100, so the softmax of the loss takes all pairs for equal.
        """
        if self.steps == 0:  # an older version stopped after the last step of an epoch
            return None
        if self.config.temperature_schedule == "cosine":  # losses at another temperature are not comparable
            self.recent = self.lowest = self.last = None
        loss, constant, variance = (total / self.steps for total in (self.contrastive, self.constant, self.spread))
        was_constant, is_constant = self.constant_before, abs(loss - constant) < CONSTANT_WITHIN * constant
        self.constant_before = is_constant
        self.steps, self.contrastive, self.constant, self.spread = 0, 0.0, 0.0, 0.0
        if self._is_gone(variance):
            found = f"the embeddings have a variance of {variance:.2g}: all images have the same"
        elif is_constant and (was_constant or variance < LOW_SPREAD) and epoch > self.config.lr_warmup_epochs:
            found = f"the contrastive loss is {loss:.4g}, as if all embeddings were equal ({constant:.4g})"
        else:
            return None
        if "collapse" in self.warned:
            return None
        self.warned.append("collapse")
        advice = "Check that the images differ, then try another learning_rate, or a longer lr_warmup_epochs"
        return DataWarning("collapse", f"After epoch {epoch}, {found}. {advice}.", 1, (f"epoch {epoch}",))

    def check_weights(self, weights: Mapping[str, Tensor], epoch: int, step: int) -> None:
        """Check a state dict on the host.

        Args:
            epoch, step: finished epochs and steps.

        Raises:
            TrainingDiverged: if a value is not finite, or above LARGEST_NUMBER.
        """
        for name, value in weights.items():
            if value.is_floating_point() and value.numel() and not (largest := value.abs().max()) <= LARGEST_NUMBER:
                what = f"as large as {largest:.2g}" if largest.isfinite() else "not finite"
                raise self.diverged(f"weights are {what} after step {step}, with {epoch} epochs finished: {name}")

    def diverged(self, what: str) -> TrainingDiverged:
        """The error of a run in which `what` was found, with advice that fits the loss so far."""
        what = f"{what}, in {'bf16' if self.in_bf16 else 'fp32'}"
        if self._loss_rose():
            advice = "The loss had risen before: try a lower learning_rate or a longer lr_warmup_epochs"
            return TrainingDiverged(f"{what}. {advice}", loss_rose=True)
        other = "precision 'fp32'" if self.in_bf16 else "another seed, or another machine"
        return TrainingDiverged(f"{what}. The loss had not risen before: compare with {other} to find the cause")

    def _is_gone(self, variance: float) -> bool:
        return variance < SPREAD_SHARE * self.config.temperature

    def _loss_rose(self) -> bool:
        """Whether the loss is well above its lowest running mean."""
        if self.recent is None or self.lowest is None or self.last is None:
            return False
        return self.recent > _RISE * self.lowest or self.last > _JUMP * self.lowest

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as plain values."""
        kept = {name: value for name, value in vars(self).items() if name not in ("config", "in_bf16")}
        return kept | {"warned": list(self.warned)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from `state`. A checkpoint of an older version has none, so it is empty."""
        for name, value in state.items():
            setattr(self, name, value)
        self.warned = list(self.warned)
