"""The training console, and the run behind it."""

from aelib.widgets.console.console import Console

__all__ = ["Console"]
