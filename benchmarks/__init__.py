"""Reproducible measurements. Each script prints tables and a line of JSON.

python -m benchmarks         # a quick run of all, as `make bench`
python -m benchmarks.NAME    # one of them
"""
