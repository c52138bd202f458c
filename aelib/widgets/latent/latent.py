"""The latent explorer: a point in the plane of codes, moved by mouse or keyboard, and what the decoder makes of it.

What is shown is computed by ``view`` and drawn by ``pictures``; ``latent.js``, the browser's half, holds the marks, the
mouse and the drawing pad. Imported by the labs only.
"""

import asyncio
import math
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from aelib.widgets.base import LabWidget
from aelib.widgets.latent.drawing import mnist_form
from aelib.widgets.latent.pictures import UNDER, draw_state, plane_picture
from aelib.widgets.latent.plane import CodePlane, Images
from aelib.widgets.latent.view import view
from aelib.widgets.pictures import DPI, STORED, Picture

_SIDE = 470  # of the plane's picture, in pixels of the page
_TICKS = 40  # steps of a path
_MOMENT = 700  # milliseconds that a moment of the film is seen
_STILL = (8.4, 4.7)  # size of the picture in a saved notebook, in inches
_REST = 1.0  # seconds without a change after which that picture is drawn anew
_EDGE = 0.025  # of the plane's width: so near the point comes to the frame, that its cross stays whole


class Plane(anywidget.AnyWidget):
    """What the browser shows: a picture of the plane with marks, and nine tiles. It computes nothing.

    Attributes:
        picture: the plane without marks, PNG.
        axes: [left, top, width, height] of the Axes in pixels, then [x0, x1, y0, y1] in units of the code.
        point: the moved point; set from both sides.
        marks: places by name: ``near``, ``drawn``, ``path`` (two places), ``axes`` (the ellipse's
            half-axes at the point, the long one first).
        tiles: nine RGBA images of 28 x 28 pixels.
        captions: nine strings.
        hover: where the mouse is, or [].
        pick: where it was clicked last, and the number of clicks.
        drawing: the pad's ink, one byte a pixel; empty after a clearing.
    """

    _esm = Path(__file__).with_name("latent.js").read_text(encoding="utf-8")  # a path would keep each instance
    size = traitlets.List([_SIDE, _SIDE]).tag(sync=True)
    picture = traitlets.Bytes().tag(sync=True)
    axes = traitlets.List([0, 0, 1, 1, 0, 1, 0, 1]).tag(sync=True)
    point = traitlets.List([0.0, 0.0]).tag(sync=True)
    marks = traitlets.Dict().tag(sync=True)
    tiles = traitlets.Bytes(bytes(9 * 4 * 784)).tag(sync=True)
    captions = traitlets.List([""] * 9).tag(sync=True)
    hover = traitlets.List().tag(sync=True, echo_update=False)
    pick = traitlets.List([0.0, 0.0, 0]).tag(sync=True, echo_update=False)
    drawing = traitlets.Any(b"").tag(sync=True, echo_update=False)


class LatentExplorer(LabWidget):
    """The plane of codes of a model, to be explored with the mouse or the keyboard.

    Drag in the plane (or use the sliders or the arrow keys): the point moves, the decoder's image there follows, with
    its changes along the two axes of the Jacobian's ellipse, which is drawn at one size everywhere; the arrows show
    directions. Hover: the nearest image and its reconstruction. Click (or Enter): that image ends the path, the one
    before starts it. Draw a digit: it is brought into MNIST's form, and its code appears. A film plays from its
    beginning when the explorer is shown. A saved notebook shows the last state. The models are copied: later training
    does not change what is shown.

    Args:
        model: an ``Autoencoder`` with a code of two numbers.
        mnist: what ``load_mnist`` returns, or other images of 28 x 28 with a label each.
        film: models at moments of training by name, in order; ``model`` is the last. A slider scrubs through them.
        under: what lies under the codes at the start: "nothing", "distortion" (sqrt(det J^T J)) or "ellipses".

    Attributes:
        controls: dict of the controls by name.
        plane: the ``Plane``.
        now: the ``CodePlane`` shown.
        limits: (x0, x1, y0, y1), of the last moment's plane.
        error: the exception of the last event, or None.

    Raises:
        ValueError: the first argument is no model; the images are not 28 x 28, or the labels not one an image; there
            is no such ``under``; a code has not two numbers; a model diverged, or has collapsed to one code; the film
            shows one model twice.
    """

    _closed, _links, _rest = False, (), None  # where a wrong call leaves nothing but a widget to close

    def __init__(self, model, mnist, film=None, under="nothing"):
        if under not in UNDER:
            raise ValueError(f"under is {under!r}: expected one of {', '.join(UNDER)}")
        if not callable(getattr(model, "encode", None)):
            raise ValueError(f"model is a {type(model).__name__}: expected an Autoencoder first, then the images")
        film, self.mnist = dict(film or {}), Images.of(mnist)
        if len({id(early.theta) for early in (*film.values(), model)}) <= len(film):
            raise ValueError("the film shows one model twice: put copies into it, copy.copy(model), while training")
        self.moments = [CodePlane(early, self.mnist, name) for name, early in film.items()]
        self.moments.append(CodePlane(model, self.mnist, "the end" if film else ""))
        self.now, self.limits = self.moments[-1], self.moments[-1].limits
        self._pictures, self._busy, self._drawing = {}, False, None
        self._near, self._path = 0, [1, 0]  # images, test images first: the hovered one; start and end of the path
        self._rest, self._closed, self._stored = None, False, Picture(draw_state, _STILL)
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # no Jupyter
        self.plane = Plane(point=self._inside(self.now.codes[0]))
        self.controls = self._controls(under)
        wrap = ipywidgets.Layout(flex_flow="row wrap")
        super().__init__([ipywidgets.HBox(list(self.controls.values()), layout=wrap), self.plane])
        self.message.layout = ipywidgets.Layout(min_height="24px", margin="0 4px")  # so that nothing jumps
        self.children = [*self.children[:-1], self.message, self.front]
        self.parts = self._links
        self.add_class("aelib-latent")
        self._choose()
        self._show()
        self._listen()

    def _inside(self, point):
        """Return a point, moved by little if need be, so that its cross stands inside the frame; floats."""
        low, high = np.reshape(self.limits, (2, 2)).T
        edge = _EDGE * (high - low)
        return np.clip(np.asarray(point, float), low + edge, high - edge).tolist()

    def _controls(self, under):
        n_test, n = len(self.mnist.test_images), len(self.mnist.test_images) + len(self.mnist.train_images)
        counts = {f"{k:,} test images": k for k in (min(2000, n_test), n_test)} | {f"all {n:,} images": n}
        (x0, y0), (x1, y1) = self._inside(self.limits[::2]), self._inside(self.limits[1::2])
        z1, z2 = self.plane.point
        names = [(moment.name, k) for k, moment in enumerate(self.moments)]

        def control(kind, name, width, label, **arguments):
            style = {"description_width": label}
            style |= {"button_width": "auto"} if kind is buttons else {}
            return kind(description=name, layout=ipywidgets.Layout(width=width), style=style, **arguments)

        slider, buttons = ipywidgets.FloatSlider, ipywidgets.ToggleButtons
        controls = {
            "code_1": control(slider, "code 1", "218px", "45px", value=z1, min=x0, max=x1, step=(x1 - x0) / 400),
            "code_2": control(slider, "code 2", "218px", "45px", value=z2, min=y0, max=y1, step=(y1 - y0) / 400),
            "path": control(ipywidgets.IntSlider, "path", "218px", "45px", value=_TICKS, max=_TICKS, readout=False),
            "play": ipywidgets.Play(value=_TICKS, max=_TICKS, interval=80, show_repeat=False),
            "show": control(buttons, "show", "auto", "45px", options=counts),
            "under": control(buttons, "over", "auto", "40px", options=UNDER, value=under),
        }
        self._links = [ipywidgets.jslink((controls["play"], "value"), (controls["path"], "value"))]
        if len(names) > 1:
            last = len(names) - 1
            film = control(ipywidgets.SelectionSlider, "film", "420px", "40px", options=names, value=last)
            roll = ipywidgets.Play(value=last, max=last, interval=_MOMENT, show_repeat=False)
            self._links.append(ipywidgets.jslink((roll, "value"), (film, "index")))
            controls |= dict(film=film, roll=roll)
        return controls

    def _ipython_display_(self, **kwargs):
        super()._ipython_display_(**kwargs)
        if "roll" in self.controls and self._loop is not None:  # from the beginning; the copy shows the end
            self.controls["film"].index = self.controls["roll"].value = 0
            self.controls["roll"].playing = True

    def _listen(self):
        def on(source, name, action):
            source.observe(lambda change: self._react(action, change.new), name)

        actions = dict(code_1=self._slide, code_2=self._slide, path=self._walk)
        actions |= dict(show=self._choose, under=self._choose, film=self._choose)
        for name in actions.keys() & self.controls.keys():
            on(self.controls[name], "value", actions[name])
        for name, action in dict(point=self._move, hover=self._hover, pick=self._pick, drawing=self._draw).items():
            on(self.plane, name, action)

    def _react(self, action, value):
        """Do one action and show what follows; an error is shown too: an observer's goes to a log nobody reads."""
        if self._busy or self._closed:  # a change made by the action itself
            return
        self._busy = True
        self.tell_nothing()
        try:
            with self.plane.hold_sync():
                action(value)
                self._show()
        except Exception as error:
            self.tell(error)
        finally:
            self._busy = False
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wait_for_rest)

    def _wait_for_rest(self):
        """Put off the picture for a saved notebook, on the loop, until nothing has moved for a while."""
        if self._rest:
            self._rest.cancel()
        if not self._closed:
            self._rest = self._loop.call_later(_REST, self.keep_still)

    def close(self):
        """Close the widget with its controls, and let go of what it showed."""
        self._closed = True
        if self._rest:
            self._rest.cancel()
        for link in self._links:
            link.unlink()
        self.moments, self.now, self._pictures = [], None, {}
        super().close()

    # -- actions -------------------------------------------------------------------------------------------------------

    def _move(self, point):
        self.plane.point = self._inside(point)
        for name, value in zip(("code_1", "code_2"), self.plane.point, strict=True):
            self.controls[name].value = value

    def _slide(self, _):
        self.plane.point = [self.controls["code_1"].value, self.controls["code_2"].value]

    def _walk(self, tick):
        start, end = (self.now.code(k) for k in self._path)
        self._move(start + (end - start) * (tick / _TICKS))

    def _hover(self, place):
        if len(place):
            self._near = self.now.nearest(place, self.controls["show"].value)

    def _pick(self, place):
        self._hover(place[:2])
        if self._near != self._path[1]:
            self._path = [self._path[1], self._near]
        self._move(self.now.code(self._near))
        self.controls["path"].value = _TICKS

    def _draw(self, ink):
        side = math.isqrt(len(ink))
        self._drawing = mnist_form(np.frombuffer(ink, np.uint8).reshape(side, side) / 255) if side else None

    def _choose(self, _=None):
        """Show another moment, other codes or another ground; pictures once made are kept."""
        if "film" in self.controls:
            self.now = self.moments[self.controls["film"].value]
        chosen = self.controls["show"].value, self.controls["under"].value
        key = self.moments.index(self.now), *chosen, self.density
        if key not in self._pictures:
            self._pictures[key] = plane_picture(_SIDE, self.density, self.now, *chosen, self.limits)
        self.plane.picture, self.plane.axes = self._pictures[key]

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _show(self):
        """Show tiles, captions and marks of the present state."""
        state = view(self.now, self.limits, self.plane.point, self._near, self._path, self._drawing)
        self.plane.tiles, self.plane.captions, self.plane.marks = state

    def still(self):
        """Return the plane with its marks, and the tiles."""
        if self._closed:
            return super().still()
        png, width = self._stored.png(self, STORED), round(_STILL[0] * DPI)
        words = ", ".join(" ".join(caption.split()) for caption in self.plane.captions[:6])
        alt = f"The plane of codes, half-SSE {self.now.error:.1f} on the test images. Beside it images: {words}."
        return png, width, alt, "<i>The map of codes: run the cell to walk about in it.</i>"

    def at_new_size(self):
        """Draw anew for the screen's density."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._react, self._choose, None)
