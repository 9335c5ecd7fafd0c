"""The tables: what is data, reviewed by a mathematician and proven by loops."""
