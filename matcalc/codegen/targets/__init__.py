"""The spellings of the array libraries."""
