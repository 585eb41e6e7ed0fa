"""Reproducible measurements, each a script that prints tables and a line of JSON: `python -m benchmarks.NAME`.

All of them, quickly: `python -m benchmarks`, or `make bench`.
"""
