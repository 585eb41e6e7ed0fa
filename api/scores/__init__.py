"""Scores images that no run has seen."""
