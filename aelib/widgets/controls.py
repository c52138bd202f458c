"""Controls: buttons instead of a short menu; and those of a training run, the same in lab 3 and in the console."""

import ipywidgets
import traitlets

from aelib.activations import ACTIVATIONS
from aelib.common.settings import NETS, OPTIMIZERS, OUTPUT_BIASES, SCHEDULES
from aelib.layers import INITIALISERS

RUN = ("step", "batch", "epochs", "method", "sizes", "init", "hidden", "output_bias")
ALL = (*RUN, "images", "schedule", "momentum", "decay", "weight_decay", "epsilon_inside", "seed")
_NUMBERS = {
    "step": (1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0),
    "batch": (20, 50, 100, 200, 500, 1000),
    "epochs": (1, 2, 4, 8, 16, 33),
    "images": (1000, 2000, 5000, 10_000, 20_000),
    "momentum": (0.0, 0.5, 0.8, 0.9, 0.95, 0.99),
    "decay": (0.9, 0.99, 0.999, 0.9999),
    "weight_decay": (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
}
_CHOICES = dict(init=INITIALISERS, output_bias=OUTPUT_BIASES, method=OPTIMIZERS, schedule=SCHEDULES)


def run_controls(start, names=RUN, nets=NETS, images=None):
    """Return the controls of a run at the values of ``start``, a ``Settings``: name of the setting -> ipywidget.

    Their ranges take in the values of ``start``.

    Args:
        start: a ``Settings``.
        names: which, in this order, out of ``ALL``.
        nets: name -> sizes, the networks to choose from.
        images: the number of images at hand: no more are offered.
    """
    return {name: _control(name, start, nets, images) for name in names}


def buttons_for_few(control):
    """Return buttons linked to a ``Dropdown`` of at most five short choices; any other control as it is.

    Buttons show all choices at once, and the arrow keys go from one to the next. ``menu`` is the control that they
    stand for, ``links`` what ties them to it.
    """
    if type(control) is not ipywidgets.Dropdown or not _few(control._options_labels):
        return control
    buttons = ipywidgets.ToggleButtons(
        options=control.options, value=control.value, description=control.description, disabled=control.disabled
    )
    buttons.style.button_width = "auto"
    buttons.menu = control
    buttons.links = [traitlets.link((control, name), (buttons, name)) for name in ("value", "disabled")]
    return buttons


def _few(labels):
    return len(labels) <= 5 and sum(map(len, labels)) <= 70


def _control(name, start, nets, images):
    value, words = getattr(start, name), dict(description="net" if name == "sizes" else name.replace("_", " "))
    if name in _NUMBERS:
        values = {*_NUMBERS[name], value} | ({images} if name == "images" and images else set())
        most = images if name == "images" and images else max(values)
        options = [(f"{number:g}", number) for number in sorted(values) if number <= most]
        return ipywidgets.SelectionSlider(**words, options=options, value=value)
    if name == "epsilon_inside":
        return ipywidgets.Checkbox(**words, indent=True, value=value)
    if name == "seed":
        return ipywidgets.BoundedIntText(**words, min=0, max=max(2**31 - 1, value), value=value)
    if name == "sizes":
        own = start.net if nets.get(start.net, value) == value else "-".join(map(str, value))
        options = nets if value in nets.values() else {own: value} | nets
    elif name == "hidden":
        options = ({} if value in ACTIVATIONS else {str(value): value}) | {name: name for name in ACTIVATIONS}
    else:
        options = list(_CHOICES[name])
    return ipywidgets.Dropdown(**words, options=options, value=value)
