"""Whether the service is well: liveness, readiness, Prometheus metrics."""
