"""Grading: submissions in, points and reasons out."""
