"""Notebooks as files: their cells, what they hold, and the student edition."""
