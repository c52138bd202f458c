"""The controls of the training console, one for each setting, and the browser's clipboard."""

import math

import anywidget
import ipywidgets

from aelib.activations import ACTIVATIONS
from aelib.layers import INITIALISERS
from aelib.settings import NETS, OPTIMIZERS, OUTPUT_BIASES, SCHEDULES

_NAMES = {"sizes": "network", "method": "optimizer", "hidden": "activation", "step": "step size"}

_ORDER = ("method", "sizes", "images", "step", "hidden", "batch", "momentum", "init", "schedule")
_ORDER += ("decay", "output_bias", "epochs", "epsilon_inside", "weight_decay", "seed")
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


def _choices(value, *options):
    """Return the options with ``value`` among them, ascending."""
    return sorted({*options, value})


def settings_controls(start, images, pixels):
    """Return the controls, name of their setting -> ipywidget, at the values of ``start``, a ``Settings``.

    They offer no more images than there are, and only networks for images of so many pixels.
    """
    nets = {name: sizes for name, sizes in NETS.items() if sizes[0] == pixels}
    name = start.net if nets.get(start.net, start.sizes) == start.sizes else "-".join(map(str, start.sizes))
    menu = {
        "sizes": {name: start.sizes} | nets,
        "hidden": {str(start.hidden): start.hidden} | {name: name for name in ACTIVATIONS},
        "init": list(INITIALISERS),
        "output_bias": list(OUTPUT_BIASES),
        "method": list(OPTIMIZERS),
        "schedule": list(SCHEDULES),
    }
    steps = {
        "batch": _choices(start.batch, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
        "momentum": _choices(start.momentum, 0.0, 0.5, 0.8, 0.9, 0.95, 0.99),
        "decay": _choices(start.decay, 0.9, 0.99, 0.999, 0.9999),
        "weight_decay": _choices(start.weight_decay, 0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
        "images": [n for n in _choices(start.images, 1000, 2000, 5000, 10000, 20000, images) if n <= images],
        "epochs": _choices(start.epochs, 1, 2, 4, 8, 16, 33),
    }
    controls = {name: ipywidgets.Dropdown(options=options) for name, options in menu.items()}
    for name, values in steps.items():
        options = [(f"{value:g}", value) for value in values]
        controls[name] = ipywidgets.SelectionSlider(options=options, value=getattr(start, name))
    power = math.log10(start.step)
    ends = dict(min=min(-5, math.floor(power)), max=max(1, math.ceil(power)))
    controls["step"] = ipywidgets.FloatLogSlider(**ends, step=0.05, readout_format=".2g")
    controls["epsilon_inside"] = ipywidgets.Checkbox(indent=True)
    controls["seed"] = ipywidgets.BoundedIntText(min=0, max=max(2**31 - 1, start.seed))
    controls = {name: controls[name] for name in _ORDER}
    for name, control in controls.items():
        control.value = getattr(start, name)
        control.description = _NAMES.get(name, name.replace("_", " "))
        control.style.description_width = "88px"
        control.layout = ipywidgets.Layout(width="270px", margin="1px 4px")
    return controls


def buttons():
    """Return the buttons, name of their command -> ipywidget."""
    layout = dict(width="auto", margin="2px 3px")
    made = {
        name: ipywidgets.Button(description=name.capitalize(), icon=icon, layout=layout)
        for name, icon in _ICONS.items()
    }
    made["start"].button_style = "primary"
    return made
