"""What the labs show: ``picture`` once, ``Explorer`` under sliders; cards, the console, the latent explorer."""

from aelib.widgets.explorer import Explorer, start_lab
from aelib.widgets.pictures import picture

__all__ = ["Explorer", "picture", "start_lab"]
