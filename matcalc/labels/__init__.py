"""Labelled bags: every axis of every occurrence of every factor carries its own label."""
