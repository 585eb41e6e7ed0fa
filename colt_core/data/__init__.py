"""Reads images, cuts long tails and builds data sets. Imports neither torch nor scikit-learn.

`__init__.pyi` lists the names and their modules. A name is imported at its first use, so decoding
processes start without what they do not need.
"""

from colt_core.exports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
