"""How images, labels and parts are arranged in a folder, an archive or a file.

Each layout is one file here and one entry in `kinds.py`.
"""
