"""What evaluations and analyses share: each is one question about one of a job's checkpoints."""
