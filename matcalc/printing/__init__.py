"""Expressions as text and as LaTeX."""
