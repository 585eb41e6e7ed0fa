"""Checks of single methods against numbers of their released code; see `benchmarks.golden`."""
