"""The latent explorer: a point in the plane of codes, moved by mouse or keyboard, and what the decoder makes of it.

Everything shown is computed here; ``latent.js``, the browser's half, holds the marks, the mouse and the drawing pad.
Imported by the labs only.
"""

import base64
import html
import math
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aelib import plots
from aelib.baselines import half_sse
from aelib.geometry import decoder_jacobian, distortion, ellipses
from aelib.widgets.latent.drawing import mnist_form
from aelib.widgets.latent.plane import CodePlane
from aelib.widgets.pictures import DPI, encoded, picture

UNDER = ("nothing", "distortion", "ellipses")
_SIDE = 470  # of the plane's picture, in pixels
_TICKS = 40  # steps of a path
_CELLS = 12  # ellipses in a row
_LONG = 0.12  # long half-axis of the ellipse at the point, of the plane's width: its form counts, not its size


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


def draw_plane(figure, plane, count, under, limits):
    """Draw ``count`` codes, what lies under them, and the axes; return the Axes.

    Args:
        figure: Figure or SubFigure, empty.
        plane: a ``CodePlane``.
        count: number of images, the test images first.
        under: one of ``UNDER``.
        limits: (x0, x1, y0, y1).
    """
    ax = figure.add_axes((0.14, 0.1, 0.845, 0.85))
    codes = plane.codes if count <= len(plane.codes) else plane.all_codes
    labels = np.concatenate([plane.mnist.test_labels, plane.mnist.train_labels])[: len(codes)]
    plots.codes(ax, codes[:count], labels[:count], size=3.5 if count <= 3000 else 1.5, fontsize="small")
    title = f"{plane.name}: " if plane.name else ""
    ax.set_title(f"{title}half-SSE {plane.error:.1f} on the test images", fontsize="medium")
    ax.set(xlim=limits[:2], ylim=limits[2:])
    if under == "distortion":
        areas = distortion(plane.lattice(limits, 40)[1])
        plots.distortion_map(ax, np.reshape(areas, (40, 40)), limits)
    elif under == "ellipses":
        (Z, J), radius = plane.lattice(limits, _CELLS), plane.radius(limits, _CELLS)
        plots.ellipses(ax, Z, ellipses(J, radius, (limits[1] - limits[0]) / (2 * _CELLS)))
        ax.set_xlabel(f"code 1 (ellipses: steps that change the image by {radius:g})")
    return ax


def draw_state(figure, explorer):
    """Draw a whole explorer as a stored notebook shows it: the plane with its marks, and the tiles."""
    left, right = figure.subfigures(1, 2, width_ratios=(47, 37))
    e, marks, point = explorer, explorer.plane.marks, np.array(explorer.plane.point)
    ax = draw_plane(left, e.now, e.controls["show"].value, e.controls["under"].value, e.limits)
    plots.ellipses(ax, point[None], np.array([marks["axes"]]), color=plots.LINES[0])
    ax.plot(*np.transpose(marks["path"]), "o-", color="black", markerfacecolor="none", linewidth=1.5)
    ax.plot(*point, "X", color="black", markeredgecolor="white", markersize=12, zorder=10)
    ax.plot(*marks["near"], "o", color="black", markerfacecolor="none", markersize=12)
    tiles = np.frombuffer(e.plane.tiles, np.uint8).reshape(9, 28, 28, 4)
    for axes, tile, caption in zip(right.subplots(3, 3).ravel(), tiles, e.plane.captions, strict=True):
        axes.imshow(tile)
        axes.set_axis_off()
        axes.set_title(caption, fontsize=7)


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
        start, end = (self._code(k) for k in self._path)
        self._move(start + (end - start) * (tick / _TICKS))

    def _hover(self, place):
        if len(place):
            count = self.controls["show"].value
            codes = self.now.codes if count <= len(self.now.codes) else self.now.all_codes
            self._near = int(np.linalg.norm(codes[:count] - np.array(place), axis=1).argmin())

    def _pick(self, place):
        self._hover(place[:2])
        if self._near != self._path[1]:
            self._path = [self._path[1], self._near]
        self._move(self._code(self._near))
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
            figure = Figure(figsize=(_SIDE / DPI, _SIDE / DPI), dpi=DPI)
            FigureCanvasAgg(figure)
            box = draw_plane(figure, self.now, *key[1:], self.limits).bbox
            figure.canvas.draw()
            self._pictures[key] = (
                encoded(figure.canvas, "png"),
                [box.x0, _SIDE - box.y1, box.width, box.height, *self.limits],
            )
        self.plane.picture, self.plane.axes = self._pictures[key]

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _image(self, k):
        """Return image k, test images first, (784,), its label, and its name."""
        n = len(self.mnist.test_images)
        if k < n:
            return self.mnist.test_images[k], self.mnist.test_labels[k].item(), f"test image {k}"
        return self.mnist.train_images[k - n], self.mnist.train_labels[k - n].item(), f"training image {k - n}"

    def _code(self, k):
        return self.now.model.encode(self._image(k)[0][None])[0]

    def _show(self):
        """Compute tiles, captions and marks of the present state."""
        model = self.now.model
        (decoded,), J = decoder_jacobian(model, np.array([self.plane.point], model.dtype))
        slow, fast = ellipses(J, 1.0, longest=1e9)[0]
        slow, fast = np.array([slow, fast]) * (_LONG * (self.limits[1] - self.limits[0]) / np.linalg.norm(slow))
        changes = [J[0] @ (axis / np.linalg.norm(axis)) for axis in (fast, slow)]
        sizes = [f"{np.linalg.norm(change):.2g} per unit" for change in changes]
        near, label, name = self._image(self._near)
        start, start_label, _ = self._image(self._path[0])
        tiles, captions = [_grey(decoded), *map(_signed, changes), _grey(near)], ["decoded here"]
        captions += [f"fastest change\n{sizes[0]}", f"slowest change\n{sizes[1]}", f"{name}\na {label}"]
        restored = model.reconstruct(near[None])[0]
        tiles += [_grey(restored), _grey(start)]
        captions += [
            f"reconstructed\nhalf-SSE {half_sse(near[None], restored[None]):.1f}",
            f"path starts\na {start_label}",
        ]
        marks = dict(axes=[slow, fast], near=self._code(self._near), path=[self._code(k) for k in self._path])
        captions += ["draw here", "in MNIST's form", "reconstructed"]
        if self._drawing is None:
            tiles += [_grey(np.zeros(784))] * 3
        else:
            code, restored = model.encode(self._drawing[None])[0], model.reconstruct(self._drawing[None])[0]
            digit, votes = self.now.vote(code)
            marks["drawn"] = np.clip(code, self.limits[::2], self.limits[1::2])
            tiles += [_grey(self._drawing)] * 2 + [_grey(restored)]
            captions[-2:] = [
                f"{votes} of {min(15, len(self.now.codes))} near codes\na {digit}",
                f"reconstructed\nhalf-SSE {half_sse(self._drawing[None], restored[None]):.1f}",
            ]
        self.plane.tiles, self.plane.captions = np.stack(tiles).tobytes(), captions
        self.plane.marks = {key: np.asarray(value, float).tolist() for key, value in marks.items()}

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["image/png"] = base64.b64encode(picture(draw_state, self, (8.4, 4.7)).data).decode()
        return bundle


def _grey(image):
    """Return an image (784,) in [0, 1] as RGBA, (28, 28, 4) bytes."""
    grey = np.uint8(np.rint(255 * np.clip(np.reshape(image, (28, 28, 1)), 0, 1)))
    return np.concatenate([grey, grey, grey, np.full_like(grey, 255)], axis=2)


def _signed(change):
    """Return a change (784,) as RGBA: blue where it darkens, red where it lightens, each to its own scale."""
    most = np.abs(change).max() or 1
    return colormaps["RdBu_r"](np.reshape(0.5 + 0.5 * change / most, (28, 28)), bytes=True)
