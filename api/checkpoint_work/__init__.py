"""What evaluations and analyses share: both work on one of a job's checkpoints."""
