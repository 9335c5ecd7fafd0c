"""What is done to a whole plan."""
