"""The two steps: the scalar chain rule, then arrangement; and what a person would write."""
