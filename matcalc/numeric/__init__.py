"""Minimizing typed objectives."""
