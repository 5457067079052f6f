"""The ways to learn that pilots compare."""

WAYS = [
    "transfer set",
    "far transfer set",
    "training rows",
    "half true labels",
    "true labels",
]
