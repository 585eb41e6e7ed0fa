"""Imported by the process that programs are forked off, and by no other.

Nothing of the imports is used here. What computes, or talks to a device, a database or a network,
begins in the program.
"""

import gc
import pkgutil

import colt_core.training.pretrain  # noqa: F401
from store.models import leased_models
from worker.child import die_with_parent

# A running program keeps the pipe open by whose end multiprocessing's fork server would know that
# its worker has ended.
die_with_parent()
for _model in leased_models():
    pkgutil.resolve_name(_model.program)
gc.freeze()  # so that collections in programs leave shared pages shared
