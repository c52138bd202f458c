"""The training console of lab 3, and the run behind it."""

from aelib.widgets.console.console import Console

__all__ = ["Console"]
