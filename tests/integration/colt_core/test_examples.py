"""COLT's pieces in loops that are not ours: the examples, each run small."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colt_core import negative_tailness, nt_xent
from examples import lightly_simclr, plain_simclr


@pytest.mark.parametrize("example", [plain_simclr, lightly_simclr], ids=["plain", "lightly"])
def test_an_example_picks_trains_on_what_it_picked_and_learns(
    example: object, capsys: pytest.CaptureFixture[str]
) -> None:
    result = example.main(  # type: ignore[attr-defined]
        epochs=4, warmup_epochs=2, sample_interval=5, budget=16, batch_size=16, max_per_class=20, pool_size=60
    )
    assert len(result.picked) == len(set(result.picked.tolist())) == 16
    assert "picked 16 pool images" in capsys.readouterr().out
    assert result.ood_trained_on <= set(result.picked.tolist())
    assert len(result.ood_trained_on) > 8  # two epochs; each leaves out at most a short batch
    assert np.isfinite(result.losses).all() and result.losses[-1] < result.losses[0]
    assert torch.isfinite(result.tailness).all()
    assert len(result.tailness.unique()) > 0.9 * len(result.tailness)  # filled, each image with its own
    assert result.tailness.min() >= -1 and result.tailness.max() < 0


def test_lightlys_loss_is_ours_so_the_scores_mean_the_same() -> None:
    from lightly.loss import NTXentLoss

    torch.manual_seed(0)
    z_1, z_2 = torch.randn(2, 8, 16)
    z_2BD = torch.nn.functional.normalize(torch.cat([z_1, z_2]), dim=1)
    assert NTXentLoss(0.2)(z_1, z_2).item() == pytest.approx(nt_xent(z_2BD, 0.2)[0].item(), rel=1e-5)
    assert negative_tailness(z_2BD, 0.2, 3).shape == (8,)
