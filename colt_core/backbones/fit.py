"""Fits the weights of a file into one of our backbones.

Our names are torchvision's, which timm's ResNets share. A file may have others in front, such as
`module.` or `encoder_q.`, and more tensors beside them, such as `fc.weight`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from colt_core.backbones.errors import WeightsRefused
from colt_core.models import Backbone
from colt_core.printed import printed

LEAST_SHARE = 0.9  # of the backbone's weights
_NAMED = 5  # names in a message
_LONGEST = 120  # characters of a name in a message
_OUTER_PARTS = 5  # at most, of our names: layer1.0.downsample.0.weight
_FAMILIES = ("conv1", "bn1", "layer")
_COUNTER = "num_batches_tracked"  # of batch norms; no weight
# Momentum averages beside the encoder that was trained, in MoCo's code, lightly's and ours.
_AVERAGES = ("encoder_k.", "backbone_momentum.", "key_backbone.")


@dataclass(frozen=True, slots=True)
class Fit:
    """How the names of a file and of a backbone go together.

    Attributes:
        prefix: what was in front of the file's names and was taken off.
        matched: our names that the file has, in our shape. missing: the others.
        unexpected: the file's names that nothing reads.
        share: of the backbone's weights that are matched, 0..1.
        problem: why the file is refused; None if it fits.
    """

    prefix: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    share: float
    problem: str | None


def fit(weights: Mapping[str, Tensor], backbone: Backbone) -> Fit:
    """Compare names and shapes, and change nothing.

    Raises:
        WeightsRefused: if several networks in the file fit.
    """
    own = {name: value for name, value in backbone.state_dict().items() if not name.endswith(_COUNTER)}
    prefix = _prefix(weights, own)
    inside = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    matched = tuple(name for name, value in own.items() if name in inside and inside[name].shape == value.shape)
    missing = tuple(name for name in own if name not in set(matched))
    unexpected = tuple(name for name in weights if not _is_read(name, prefix, own))
    share = sum(own[name].numel() for name in matched) / sum(value.numel() for value in own.values())
    problem = _other_network(inside, own, backbone)
    if problem is None and share < LEAST_SHARE:
        lacks = f"the file has {share:.0%} of the backbone's weights, and at least {LEAST_SHARE:.0%} are needed"
        problem = f"{lacks}: {_some('it lacks', missing)}; {_some('nothing reads', unexpected)}"
    return Fit(prefix, matched, missing, unexpected, share, problem)


def put(weights: Mapping[str, Tensor], backbone: Backbone, fitting: Fit) -> None:
    """Load the matched weights into the backbone, as float32. The missing ones stay.

    Raises:
        WeightsRefused: if the file does not fit, or some weights are not finite, or are variances
            below zero.
    """
    if fitting.problem is not None:
        raise WeightsRefused(fitting.problem)
    found = {name: weights[fitting.prefix + name].to(torch.float32) for name in fitting.matched}
    for name, value in found.items():
        if not value.isfinite().all() or (name.endswith("running_var") and (value < 0).any()):
            raise WeightsRefused(f"{name} has values that are not finite, or a variance below zero: take another file")
    backbone.load_state_dict(found, strict=False)


def _prefix(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """What is in front of the names of the network that fits best."""
    fitting: Counter[str] = Counter()
    for name in weights:
        parts = name.rsplit(".", _OUTER_PARTS)
        for start in range(len(parts)):
            inner = ".".join(parts[start:])
            if inner in own:
                fitting[name.removesuffix(inner)] += own[inner].numel()
    if not fitting:
        return ""
    total = sum(value.numel() for value in own.values())
    whole = [prefix for prefix, count in fitting.items() if count >= LEAST_SHARE * total]
    trained = [prefix for prefix in whole if not prefix.endswith(_AVERAGES)] or whole
    if len(trained) > 1:
        raise WeightsRefused(f"the file has {len(trained)} networks that fit: {_some('save one of', trained)}")
    return trained[0] if trained else fitting.most_common(1)[0][0]


def _other_network(inside: Mapping[str, Tensor], own: Mapping[str, Tensor], backbone: Backbone) -> str | None:
    """Why the file's network computes something else, even if most weights fit."""
    called = "{} of width {} with stem '{}'".format(*backbone.architecture)
    foreign = [name for name in inside if name.startswith(_FAMILIES) and name not in own and not _is_counter(name)]
    if foreign:
        more = f"the file's network has layers that a {called} has not"
        variants = "Choose its backbone. timm's variants, such as resnet18d, are other networks"
        return f"{more}: {_some('such as', foreign)}. {variants}"
    for name, expected in own.items():
        value = inside.get(name, expected)
        if value.shape != expected.shape:
            shapes = f"is {_shape(value)} in the file, and {_shape(expected)} in a {called}"
            return f"{name} {shapes}: choose the file's backbone, width and stem"
        if not value.is_floating_point() or value.layout != torch.strided:
            return f"{name} is of {value.dtype}, not dense floating-point numbers: save it as float32"
    return None


def _is_read(name: str, prefix: str, own: Mapping[str, Tensor]) -> bool:
    return name.startswith(prefix) and (name.removeprefix(prefix) in own or _is_counter(name))


def _is_counter(name: str) -> bool:
    return name.endswith(_COUNTER)


def _shape(value: Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "a number"


def _some(verb: str, names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(printed(name, _LONGEST) for name in islice(names, _NAMED))
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{verb} {shown or 'nothing'}{more}"
