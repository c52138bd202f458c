"""The console's buttons, and the browser's clipboard; its sliders and menus are those of ``aelib.widgets.controls``."""

import anywidget
import ipywidgets

_ICONS = dict(start="play", pause="pause", step="step-forward", stop="stop", reset="undo")
_ICONS |= {"new seed": "random", "copy as code": "code", "export history": "download"}


class Clipboard(anywidget.AnyWidget):
    """Shows nothing; ``send(text)`` puts text on the browser's clipboard, where the browser allows it."""

    _esm = """
    export default {
      initialize({ model }) {
        model.on("msg:custom", (text) => navigator.clipboard?.writeText(text).catch(() => {}));
      },
    };
    """


def buttons():
    """Return the buttons, name of their command -> ipywidget."""
    layout = dict(width="auto", margin="2px 3px")
    made = {
        name: ipywidgets.Button(description=name.capitalize(), icon=icon, layout=layout)
        for name, icon in _ICONS.items()
    }
    made["start"].button_style = "primary"
    return made
