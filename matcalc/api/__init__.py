"""The entries for callers: derive, check, parse, and expressions from Python."""
