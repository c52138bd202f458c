"""What all widgets of the labs share: a copy that survives saving, errors in red, closing that gives memory back.

A saved notebook holds outputs, not widgets. So a ``LabWidget`` displays three outputs: the widget itself, a line of
text, and a picture. While the widget lives, the other two are hidden; without a kernel it is, and they are seen.
"""

import contextlib
import html
import uuid
from pathlib import Path

import anywidget
import ipywidgets
import traitlets
from IPython import get_ipython
from IPython.display import publish_display_data

RED = "color: color-mix(in srgb, var(--jp-error-color1, #b00020) 75%, var(--jp-ui-font-color1, black))"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_CHILD = ".jp-OutputArea-child"
_STILL = ":has(.aelib-still)"  # the output of the line of text, which comes after the widget's and before the picture's
_HERE_OR_COMING = f":is(.aelib-live, [data-mime-type='{WIDGET_VIEW}']:not(.jupyter-widgets))"
_SEEN = f"""
{_CHILD}:has({_HERE_OR_COMING}) + {_CHILD}{_STILL},
{_CHILD}:has({_HERE_OR_COMING}) + {_CHILD}{_STILL} + {_CHILD},
{_CHILD}:not(:has({_HERE_OR_COMING})):has(+ {_CHILD} .aelib-still) {{ display: none; }}
.aelib-alt {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
"""
_SCREEN = {"density": 2.0, "room": 0}  # as a browser told them last; at first, what most laptops' screens have
_HERE = Path(__file__).parent


def red(sentence):
    """Return a sentence as HTML, red in every theme."""
    return f'<span role="alert" style="{RED}">{html.escape(sentence)}</span>'


def complaint(error):
    """Return what a student is told about an exception, as HTML."""
    if isinstance(error, KeyboardInterrupt):
        return red("Interrupted.")
    return red(f"{type(error).__name__}: {error}")


class Front(anywidget.AnyWidget):
    """The browser's side of a ``LabWidget``; see ``front.js``. It shows nothing.

    Attributes:
        density: pixels of the screen to a pixel of the page; 0 as long as no browser has told it.
        room: width there is, in pixels of the page; 0 likewise.
    """

    _esm = (_HERE / "front.js").read_text(encoding="utf-8")  # as text: a path would keep each instance for ever
    density = traitlets.Float(0.0).tag(sync=True)
    room = traitlets.Int(0).tag(sync=True)


class PictureView(anywidget.AnyWidget):
    """A picture in the browser: ``value`` in bytes, of a ``format``, ``width`` on the page, and its ``alt`` text."""

    _esm = (_HERE / "image.js").read_text(encoding="utf-8")
    value = traitlets.Bytes().tag(sync=True)
    format = traitlets.Unicode("png").tag(sync=True)
    width = traitlets.Int(0).tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)

    def show(self, value, format, width, alt):
        """Show another picture, all of it in one message."""
        with self.hold_sync():
            self.format, self.width, self.alt, self.value = format, width, alt, value


class LabWidget(ipywidgets.VBox):
    """A box of widgets, with what all widgets of the labs share; to be subclassed.

    A subclass hands its children over, and says in ``still`` what a saved notebook shows; it calls ``keep_still``
    whenever that has changed and the widget is at rest. ``at_new_size`` is called when the browser has told the
    density of its screen or the width there is.

    Running a cell again closes the widgets that it made the last time, as nobody can move them any more.

    Attributes:
        message: a line of HTML; ``tell`` writes errors there.
        parts: widgets that belong to this one without being shown, such as links; they are closed with it.
        front: the browser's side, a ``Front``.
        error: the exception of the last change, or None.
    """

    def __init__(self, children, parts=(), **arguments):
        self.error, self.parts, self._displays = None, list(parts), []
        self.message = ipywidgets.HTML()
        self.front = Front(layout=ipywidgets.Layout(width="100%", height="0", margin="0", overflow="hidden"))
        super().__init__([*children, self.front], **arguments)
        self.add_class("aelib-live")
        self.front.observe(self._told, ["density", "room"])
        _replace(self)

    # -- for subclasses ------------------------------------------------------------------------------------------------

    def still(self):
        """Return what a saved notebook shows: PNG bytes or None, its width on the page, its text, a line of HTML."""
        return None, 0, "", "Run the cell to use it."

    def at_new_size(self):
        """Draw anew, as the screen's density or the width there is has changed."""

    @property
    def density(self):
        """Pixels of the screen to a pixel of the page: of its own page, or of the one that was looked at last."""
        return self.front.density or _SCREEN["density"]

    @property
    def room(self):
        """Width there is, in pixels of the page, likewise; 0 where no browser has told it."""
        return self.front.room or _SCREEN["room"]

    def _told(self, change):
        _SCREEN[change["name"]] = change["new"]
        self.at_new_size()

    def tell(self, error):
        """Show an exception to the student: in a callback it would go to a log that nobody reads."""
        self.error, self.message.value = error, complaint(error)

    def tell_nothing(self):
        """Take the last message away."""
        self.error, self.message.value = None, ""

    # -- a copy that survives saving -----------------------------------------------------------------------------------

    def keep_still(self):
        """Put the present picture into the notebook, wherever this widget is displayed."""
        if self._displays:
            for number, bundle in enumerate(self._still_bundles()):
                for name in self._displays:
                    _publish(*bundle, f"{name}-{number}", update=True)

    def _still_bundles(self):
        png, width, alt, line = self.still()
        words = f'{line} <span class="aelib-alt">{html.escape(alt)}</span>'
        words = f'<div class="aelib-still"><style>{_SEEN}</style>{words}</div>'
        yield {"text/html": words, "text/plain": ""}, {}
        picture = {"image/png": png} if png else {"text/html": ""}
        yield picture | {"text/plain": alt}, {"image/png": {"width": width}} if png else {}

    def _ipython_display_(self, **kwargs):
        if self.comm is None:
            publish_display_data({"text/plain": f"{type(self).__name__}, closed: run the cell that made it"}, {})
            return
        publish_display_data(self._repr_mimebundle_(), {})
        name = uuid.uuid4().hex
        for number, bundle in enumerate(self._still_bundles()):
            _publish(*bundle, f"{name}-{number}")
        self._displays.append(name)

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is None:
            return {"text/plain": type(self).__name__}
        return {WIDGET_VIEW: data[WIDGET_VIEW], "text/html": "", "text/plain": ""}

    # -- the end -------------------------------------------------------------------------------------------------------

    def close(self):
        """Close the widget with all its parts, but for controls that other open widgets use."""
        others = [widget for widget in list(_OPEN.values()) if widget is not self]
        _OPEN.pop(id(self), None)
        used = {id(part) for widget in others for part in _parts(widget)}
        for part in _parts(self):
            if part is not self and id(part) not in used:
                part.unobserve_all()
                part.close()
        super().close()


_OPEN = {}  # id -> LabWidget
_MADE = {}  # id of a cell -> (its run, the LabWidgets made by it)


def _publish(data, metadata, name, update=False):
    publish_display_data(data, metadata, transient={"display_id": name}, update=update)


def _parts(widget):
    """Return a widget and all widgets that hang on it: children, controls, layouts, styles."""
    found, waiting = {}, [widget]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ipywidgets.Widget) and id(part) not in found:
            found[id(part)] = part
            waiting += [getattr(part, name) for name in part.keys] + getattr(part, "parts", [])
        elif isinstance(part, (list, tuple)):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
    return list(found.values())


def _replace(widget):
    """Note an open widget, and close those that an earlier run of the same cell has made."""
    _OPEN[id(widget)] = widget
    cell, run = _cell()
    if cell is None:
        return
    last, made = _MADE.get(cell, (None, []))
    if last == run:
        made.append(widget)
        return
    _MADE[cell] = run, [widget]
    for old in made:
        with contextlib.suppress(Exception):  # whatever an old widget is up to, the new one is not hindered
            old.close()


def _cell():
    """Return the id of the cell that runs, and the number of its run; (None, None) outside a notebook's cell."""
    header = getattr(get_ipython(), "parent_header", None) or {}
    if header.get("header", {}).get("msg_type") != "execute_request":
        return None, None
    return header.get("metadata", {}).get("cellId"), header["header"]["msg_id"]
