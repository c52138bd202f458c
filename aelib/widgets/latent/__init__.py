"""The latent explorer of lab 5: Python half and browser half."""

from aelib.widgets.latent.latent import LatentExplorer

__all__ = ["LatentExplorer"]
