"""Files that other programs read: the network as ONNX, and features of images.

This file imports nothing, so that `colt_core.exporting.kinds` loads without torch.
"""
