"""The latent explorer: a point in the plane of codes, moved by mouse or keyboard, and what the decoder makes of it.

What is shown is computed by ``view`` and drawn by ``pictures``; ``latent.js``, the browser's half, holds the marks, the
mouse and the drawing pad. Imported by the labs only.
"""

import base64
import html
import math
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from aelib.widgets.latent.drawing import mnist_form
from aelib.widgets.latent.pictures import UNDER, draw_state, plane_picture
from aelib.widgets.latent.plane import CodePlane
from aelib.widgets.latent.view import view
from aelib.widgets.pictures import picture

_SIDE = 470  # of the plane's picture, in pixels
_TICKS = 40  # steps of a path


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

    _esm = Path(__file__).with_name("latent.js")
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


class LatentExplorer(ipywidgets.VBox):
    """The plane of codes of a model, to be explored with the mouse or the keyboard.

    Drag in the plane (or use the sliders or the arrow keys): the point moves, the decoder's image there follows, with
    its changes along the two axes of the Jacobian's ellipse, which is drawn at one size everywhere; the arrows show
    directions. Hover: the nearest image and its reconstruction. Click (or Enter): that image ends the path, the one
    before starts it. Draw a digit: it is brought into MNIST's form, and its code appears. A stored notebook shows the
    first state. The models are copied: later training does not change what is shown.

    Args:
        model: an ``Autoencoder`` with a code of two numbers.
        mnist: what ``load_mnist`` returns.
        film: models at moments of training by name, in order; ``model`` is the last. A slider scrubs through them.
        point: where the point starts; by default at the code of the first test image.
        under: what lies under the codes at the start: "nothing", "distortion" (sqrt(det J^T J)) or "ellipses".

    Attributes:
        controls: dict of the controls by name.
        plane: the ``Plane``.
        now: the ``CodePlane`` shown.
        limits: (x0, x1, y0, y1), of the last moment's plane.
        error: the exception of the last event, or None.

    Raises:
        ValueError: there is no such ``under``; the images are not 28 x 28; a code has not two numbers; a model
            diverged, or has collapsed to one code; the film shows one model twice.
    """

    def __init__(self, model, mnist, film=None, point=None, under="nothing"):
        if under not in UNDER:
            raise ValueError(f"under is {under!r}: expected one of {', '.join(UNDER)}")
        film, width = dict(film or {}), mnist.test_images.shape[1]
        if width != 784:
            raise ValueError(f"the images have {width} pixels: expected 28 x 28, as the tiles and the drawing pad have")
        if len({id(early.theta) for early in (*film.values(), model)}) <= len(film):
            raise ValueError("the film shows one model twice: put copies into it, copy.copy(model), while training")
        self.moments = [CodePlane(early, mnist, name) for name, early in film.items()]
        self.moments.append(CodePlane(model, mnist, "the end" if film else ""))
        self.now, self.mnist, self.error = self.moments[-1], mnist, None
        self.limits = self.now.limits
        self._pictures, self._busy, self._drawing = {}, False, None
        self._near, self._path = 0, [1, 0]  # images, test images first: the hovered one; start and end of the path
        point = np.asarray(self.now.codes[0] if point is None else point, float)
        if point.shape != (2,) or not np.isfinite(point).all():
            raise ValueError(f"point is {point}: expected two numbers, a code")
        point = np.clip(point, self.limits[::2], self.limits[1::2])
        self.plane, self.message = Plane(point=[float(value) for value in point]), ipywidgets.HTML()
        self.controls = self._controls(under)
        wrap = ipywidgets.Layout(flex_flow="row wrap")
        super().__init__([ipywidgets.HBox(list(self.controls.values()), layout=wrap), self.plane, self.message])
        self.add_class("aelib-latent")
        self._choose()
        self._show()
        self._listen()

    def _controls(self, under):
        n_test, n = len(self.mnist.test_images), len(self.mnist.test_images) + len(self.mnist.train_images)
        counts = {f"{k:,} test images": k for k in (min(2000, n_test), n_test)} | {f"all {n:,} images": n}
        (x0, x1, y0, y1), (z1, z2) = self.limits, self.plane.point
        names = [(moment.name, k) for k, moment in enumerate(self.moments)]

        def control(kind, name, width, label, **arguments):
            style = {"description_width": label}
            return kind(description=name, layout=ipywidgets.Layout(width=width), style=style, **arguments)

        slider, menu = ipywidgets.FloatSlider, ipywidgets.Dropdown
        controls = {
            "code_1": control(slider, "code 1", "218px", "45px", value=z1, min=x0, max=x1, step=(x1 - x0) / 400),
            "code_2": control(slider, "code 2", "218px", "45px", value=z2, min=y0, max=y1, step=(y1 - y0) / 400),
            "show": control(menu, "show", "190px", "40px", options=counts),
            "under": control(menu, "over", "160px", "40px", options=UNDER, value=under),
            "path": control(ipywidgets.IntSlider, "path", "218px", "45px", value=_TICKS, max=_TICKS, readout=False),
            "play": ipywidgets.Play(value=_TICKS, max=_TICKS, interval=80, show_repeat=False),
        }
        ipywidgets.jslink((controls["play"], "value"), (controls["path"], "value"))
        if len(names) > 1:
            film = dict(options=names, value=len(names) - 1)
            controls["film"] = control(ipywidgets.SelectionSlider, "film", "420px", "40px", **film)
        return controls

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
        if self._busy:  # a change made by the action itself
            return
        self._busy, self.error, self.message.value = True, None, ""
        try:
            with self.plane.hold_sync():
                action(value)
                self._show()
        except Exception as error:
            self.error = error
            sentence = html.escape(f"{type(error).__name__}: {error}")
            self.message.value = f'<span style="color: #b00020">{sentence}</span>'
        finally:
            self._busy = False

    # -- actions -------------------------------------------------------------------------------------------------------

    def _move(self, point):
        self.plane.point = [float(value) for value in point]
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
        key = self.moments.index(self.now), self.controls["show"].value, self.controls["under"].value
        if key not in self._pictures:
            self._pictures[key] = plane_picture(_SIDE, self.now, *key[1:], self.limits)
        self.plane.picture, self.plane.axes = self._pictures[key]

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _show(self):
        """Show tiles, captions and marks of the present state."""
        state = view(self.now, self.limits, self.plane.point, self._near, self._path, self._drawing)
        self.plane.tiles, self.plane.captions, self.plane.marks = state

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["image/png"] = base64.b64encode(picture(draw_state, self, (8.4, 4.7)).data).decode()
        return bundle
