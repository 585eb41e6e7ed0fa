"""Checks whether an OOD pool can help a data set."""
