"""COLT: self-supervised learning on long-tailed data with the help of OOD images.

The method is that of Bai et al., ICLR 2023.

Everything a user needs is here: `from colt_core import PretrainConfig, pretrain`. `__init__.pyi`
lists the names and their modules. A name is imported at its first use, so `colt_core.config` and
`colt_core.events` load without torch.
"""

from colt_core.exports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
