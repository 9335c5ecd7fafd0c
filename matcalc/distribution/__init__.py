"""Data beyond one machine."""
