"""How each family of students learns soft targets."""
