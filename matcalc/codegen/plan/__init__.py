"""What is computed, in which order."""
