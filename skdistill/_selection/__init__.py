"""What the student learns from: hold-outs, candidates, pilots and the choice."""
