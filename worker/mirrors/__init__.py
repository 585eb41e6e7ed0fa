"""Copies of jobs in other tools: MLflow, TensorBoard."""
