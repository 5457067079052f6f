"""What the teacher says: its probabilities, calibrated and made into soft targets."""
