"""Text to typed expression."""
