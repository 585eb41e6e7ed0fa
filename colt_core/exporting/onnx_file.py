"""The backbone as an ONNX file, from pixels to features.

The graph is written here, block by block, from the modules of `Backbone`. PyTorch's own exporter
takes a minute on a slow machine, needs further packages, and notes the paths of source files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from colt_core.exporting.about import describe
from colt_core.exporting.kinds import Onnx, OnnxExportConfig
from colt_core.exporting.subject import ExportedImages
from colt_core.models import Backbone
from colt_core.models.resnet import BasicBlock, Bottleneck
from colt_core.pixels import MEAN, STD
from colt_core.snapshot import Snapshot
from colt_core.training.checkpoint import load_backbone

if TYPE_CHECKING:
    from onnx import ModelProto

INPUT, OUTPUT = "images", "features"
OPSET, IR_VERSION = 17, 8  # of 2022: the nodes need nothing newer, and many runtimes read it


def write(
    _settings: OnnxExportConfig, state: Snapshot, _images: ExportedImages | None, about: Mapping[str, str], path: Path
) -> Onnx:
    """The export `onnx`, see :class:`colt_core.exporting.subject.Implementation`.

    The network is in float32 and evaluation mode, whatever the run's precision was.
    """
    import onnx

    backbone, _ = load_backbone(state)
    if not all(value.isfinite().all() for value in backbone.state_dict().values()):
        raise ValueError("the backbone's weights are not finite, since its training diverged: name an earlier one")
    size = state["data"]["image_size"]
    model = to_onnx(backbone, size)
    pixels = {"input": "RGB in 0..1", "standardised": "in the graph"}
    for name, value in {**describe(state), **pixels, **about}.items():
        model.metadata_props.add(key=name, value=value)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    opset = next(entry.version for entry in onnx.load(path).opset_import if not entry.domain)
    return Onnx(num_features=backbone.num_features, opset=opset, image_size=size)


def to_onnx(backbone: Backbone, image_size: int) -> ModelProto:
    """From `images` (batch, 3, S, S), float32 RGB in 0..1, to `features` (batch, d) float32.

    It standardises the pixels itself. Batch norms are folded into the convolutions before them.
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    mean, std = (graph.constant(name, torch.tensor(x).view(3, 1, 1)) for name, x in (("mean", MEAN), ("std", STD)))
    x = graph.node("Div", graph.node("Sub", INPUT, mean), std)
    x = graph.node("Relu", graph.convolution("conv1", x, backbone.conv1, backbone.bn1))
    if isinstance(backbone.maxpool, nn.MaxPool2d):
        pool = backbone.maxpool
        side, stride, padding = (int(value) for value in (pool.kernel_size, pool.stride, pool.padding))  # type: ignore[arg-type]
        x = graph.node("MaxPool", x, kernel_shape=[side] * 2, strides=[stride] * 2, pads=[padding] * 4)
    for name, block in _blocks(backbone):
        x = graph.block(name, x, block)
    graph.node("Flatten", graph.node("GlobalAveragePool", x), to=OUTPUT)
    shapes = {INPUT: ("batch", 3, image_size, image_size), OUTPUT: ("batch", backbone.num_features)}
    ends = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    return helper.make_model(
        helper.make_graph(graph.nodes, "backbone", [ends[INPUT]], [ends[OUTPUT]], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="colt-studio",
    )


def _blocks(backbone: Backbone) -> Iterator[tuple[str, BasicBlock | Bottleneck]]:
    for name in ("layer1", "layer2", "layer3", "layer4"):
        for i, block in enumerate(getattr(backbone, name)):
            yield f"{name}.{i}", block


class _Graph:
    """Nodes in their order, and the constants that they read. Values have names."""

    def __init__(self) -> None:
        from onnx import NodeProto, TensorProto

        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def node(self, operator: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Add a node. Returns the name of its output."""
        from onnx import helper

        output = to or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], output, **attributes))
        return output

    def constant(self, name: str, value: Tensor) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value.numpy(), np.float32), name))
        return name

    def convolution(self, name: str, x: str, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> str:
        """A convolution without bias and the batch norm after it, as one convolution."""
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weight = self.constant(f"{name}.weight", convolution.weight.double() * scale.view(-1, 1, 1, 1))
        bias = self.constant(f"{name}.bias", norm.bias.double() - norm.running_mean.double() * scale)
        pads = [side // 2 for side in convolution.kernel_size] * 2
        return self.node("Conv", x, weight, bias, strides=list(convolution.stride), pads=pads)

    def block(self, name: str, x: str, block: BasicBlock | Bottleneck) -> str:
        """A residual block."""
        shortcut = x
        if block.downsample is not None:
            convolution, norm = block.downsample.children()
            assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            shortcut = self.convolution(f"{name}.downsample", x, convolution, norm)
        layers = [(block.conv1, block.bn1), (block.conv2, block.bn2)]
        if isinstance(block, Bottleneck):
            layers.append((block.conv3, block.bn3))
        for number, layer in enumerate(layers, 1):
            x = self.convolution(f"{name}.conv{number}", x, *layer)
            if number < len(layers):
                x = self.node("Relu", x)
        return self.node("Relu", self.node("Add", x, shortcut))
