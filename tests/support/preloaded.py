"""All that working programs and ranks import, for a process that others are forked off. Nothing of
it is used here."""

from importlib import import_module

from store.models import leased_models

for module in (
    "torch._dynamo",  # the first optimiser of a process imports it
    "colt_core.training.pretrain",
    "colt_core.probes.evaluate",
    "colt_core.probes.linear",
    "tests.support.tiny_runs",
    *(model.program for model in leased_models()),
):
    import_module(module)
