"""The released code's numbers, and that the check can fail."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.golden import check_file, main

FOLDER = Path(__file__).parents[2] / "golden"
GOLDEN = FOLDER / "colt_reference.npz"
# Quantities in each file.
FILES = {"colt": 14, "sdclr": 141, "bcl": 21, "mak": 4, "probe": 23}


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(GOLDEN, allow_pickle=False) as file:
        return dict(file.items())


@pytest.mark.parametrize("name", FILES)
def test_every_golden_number_is_reproduced(name: str) -> None:
    checks = check_file(FOLDER / f"{name}_reference.npz")
    assert len(checks) == FILES[name]
    assert [check for check in checks if not check.passed] == []


@pytest.mark.parametrize(
    ("name", "key", "place", "change", "told"),
    [
        ("sdclr", "mask.backbone.layer1.0.conv1.weight", 3, 1, "mask.backbone.layer1.0.conv1.weight"),
        ("sdclr", "grad.backbone.conv1.weight", (0, 0, 0, 0), 0.5, "grad.backbone.conv1.weight"),
        (
            "sdclr",
            "after.pruned_backbone.norms.bn1.running_var",
            0,
            0.01,
            "after.pruned_backbone.norms.bn1.running_var",
        ),
        ("bcl", "D_strength", (2, 5), 1e-3, "D_strength"),
        ("bcl", "levels_n2", 3, 1e-2, "levels_n2"),
        ("mak", "loss", 9, 1e-2, "loss"),
        ("mak", "selected", 7, 1, "selected"),
        ("probe", "orders", (3, 4), 1, "orders"),
        ("probe", "val_accuracy", 11, 1 / 3, "val_accuracy"),
        ("probe", "in_summary", 4, 1e-4, "in_summary std (rounded)"),
    ],
)
def test_one_changed_number_of_another_method_is_found(
    tmp_path: Path, name: str, key: str, place: int | tuple[int, ...], change: float, told: str
) -> None:
    with np.load(FOLDER / f"{name}_reference.npz", allow_pickle=False) as file:
        changed = dict(file.items())
    changed[key][place] += np.array(change).astype(changed[key].dtype)
    np.savez(tmp_path / "changed.npz", **changed)
    assert [check.quantity for check in check_file(tmp_path / "changed.npz") if not check.passed] == [told]


@pytest.mark.parametrize(
    ("key", "place", "factor"),
    [
        ("loss1_loss", (), 1 + 2e-5),
        ("loss1_per_sample_ntxent", 3, 1 + 2e-5),
        ("loss2_topk_negative_probability", 0, 1 + 2e-5),
        ("loss0_grad", (0, 0), 1.5),
    ],
)
def test_one_changed_number_is_found(
    arrays: dict[str, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    place: tuple[int, ...],
    factor: float,
) -> None:
    changed = {**arrays, key: arrays[key].copy()}
    changed[key][place] *= factor
    np.savez(tmp_path / "changed.npz", **changed)
    assert main([str(tmp_path / "changed.npz")]) == 1
    (out,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("OUT")]
    assert out.startswith(key.replace("_", " ", 1))


def test_two_picks_in_the_wrong_order_are_found(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    selected = arrays["sample0_selected"].copy()
    selected[[4, 5]] = selected[[5, 4]]
    np.savez(tmp_path / "changed.npz", **{**arrays, "sample0_selected": selected})
    assert main([str(tmp_path / "changed.npz")]) == 1


def test_any_number_of_cases(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    one = {key.replace("loss2", "loss17"): value for key, value in arrays.items() if key.startswith("loss2_")}
    np.savez(tmp_path / "one.npz", **one)
    checks = check_file(tmp_path / "one.npz")
    assert checks[0].quantity == "loss17 loss"
    assert all(check.passed for check in checks)
    del one["loss17_alpha"]
    np.savez(tmp_path / "less.npz", **one)
    assert main([str(tmp_path / "less.npz")]) == 2


@pytest.mark.parametrize("content", [b"not an npz", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_without_cases_is_no_success(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    assert main([str(path)]) == 2
    assert main([str(tmp_path / "absent.npz")]) == 2
    assert "file.npz" in capsys.readouterr().err
