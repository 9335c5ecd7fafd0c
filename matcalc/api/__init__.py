"""What a caller sees: derive, check, parse, and expressions from Python."""
