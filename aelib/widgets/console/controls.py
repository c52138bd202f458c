"""The console's buttons, and the browser's clipboard; its sliders and menus are those of ``aelib.widgets.controls``."""

import anywidget
import ipywidgets

RUN = ("start", "pause", "step", "stop", "reset")
NEXT = dict(start="pause", pause="start", stop="start", reset="start")  # where the focus goes from a button now grey
MORE = ("new seed", "copy as code", "export history")
PACES = ("eye", "fast")
_ICONS = dict(start="play", pause="pause", step="step-forward", stop="stop", reset="undo")
_ICONS |= {"new seed": "random", "copy as code": "code", "export history": "download"}
_SAYS = {
    "start": "Train, or go on after a pause; after the end, begin anew",
    "pause": "Hold the run",
    "step": "Make one update and hold",
    "stop": "End the run",
    "reset": "Go back to the first weights and keep this run as a line to compare with",
    "new seed": "Draw other first weights and another order of images",
    "copy as code": "Put the Python that repeats this run on the clipboard",
    "export history": "Make a CSV file: a row for each update",
}


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
        name: ipywidgets.Button(description=name.capitalize(), icon=icon, layout=layout, tooltip=_SAYS[name])
        for name, icon in _ICONS.items()
    }
    made["start"].button_style = "primary"
    return made


def usable(run):
    """Return which of the buttons ``RUN`` can do something in the state of a ``LiveRun``."""
    going = run.state == "running"
    return dict(
        start=not going,
        pause=going,
        step=not going,
        stop=run.state in ("running", "paused"),
        reset=run.update > 0 or bool(run.needs_reset),
    )


def pace_buttons(pace):
    """Return the choice between a pace for the eye and the machine's own."""
    return ipywidgets.ToggleButtons(
        options=PACES,
        value=pace,
        description="pace",
        tooltips=["the run takes about half a minute", "as fast as this machine can"],
        style={"description_width": "32px", "button_width": "52px"},
        layout=ipywidgets.Layout(width="172px", margin="2px 3px 2px 16px"),
    )
