"""The training console: a ``LiveRun`` behind sliders, buttons and a live picture. Only the labs import this module.

A generator that trains in short turns does all the work, on the kernel's own loop (``Turns``). Callbacks, which may
come from another thread, note a command in ``_commands`` and wake it.
"""

import asyncio
import base64
import math
import time
from collections import deque
from dataclasses import fields

import ipywidgets
import numpy as np

from aelib.common.baselines import ladder
from aelib.common.settings import NETS, Settings, coefficient_settings
from aelib.widgets.base import LabWidget, PictureView, red
from aelib.widgets.console import picture
from aelib.widgets.console.controls import MORE, NEXT, PACES, RUN, Clipboard, buttons, pace_buttons, usable
from aelib.widgets.console.live_run import LiveRun
from aelib.widgets.console.transcript import as_code, diagnosis, to_csv
from aelib.widgets.controls import ALL, buttons_for_few, run_controls
from aelib.widgets.pictures import DPI, fitted
from aelib.widgets.turns import Turns

EYE = 30.0  # seconds that a run takes at the pace for the eye
_TURN = 0.02  # seconds of training between two looks at the buttons
_FRAME = 0.1  # seconds between two pictures, at least
_SHARE = 0.3  # of the time may go into pictures, at most
_REST = 0.25  # seconds without a command after which a hurried picture is drawn in full
_CODES = 400  # test images whose codes are drawn
_FIELDS = [field.name for field in fields(Settings)]


class Console(LabWidget):
    """Sliders, buttons and a live picture round a training run.

    Start trains, or goes on after a pause; after the end it begins anew. Pause holds the run, Step makes one update,
    Stop ends it, Reset goes back to the initial weights of the same seed. Step size, batch, momentum, decay, schedule
    and epochs obey at the next update; every other control waits for a reset, and the console says so.

    Args:
        data: MNIST, as ``load_mnist`` returns it, or other square images with labels.
        marks: further levels for the loss, name -> half-SSE, such as a result that is to be reached.
        main: names of the settings whose controls stand in sight; the others wait behind a button "More".
        more: whether there is such a button.
        gradients: whether the picture shows the norms of the gradient, layer by layer.
        pace: ``"eye"``: the run takes about half a minute, if the machine can; ``"fast"``: as fast as it can.
        autoplay: whether the run starts by itself when the console is shown in Jupyter.
        start: values of ``Settings`` to begin with, by name; ``images`` is at most as many as there are.

    Attributes:
        run: the ``LiveRun`` under way.
        controls: dict of the controls by the names of the settings; those of ``main``, and with ``more`` all.
        buttons: dict of the buttons by their commands.
        busy: whether a command waits or a run is under way.
        error: the exception that ended the run, or None.
        frames: number of pictures drawn.

    Raises:
        ValueError: a setting, or the data, is not as described.
    """

    _turns = None  # where a wrong call leaves nothing but a widget to close

    def __init__(
        self,
        data,
        marks=None,
        main=("sizes", "method", "step", "batch"),
        more=True,
        gradients=True,
        pace="eye",
        autoplay=False,
        **start,
    ):
        unknown = sorted({*start, *main} - {*_FIELDS})
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}; expected some of {', '.join(_FIELDS)}")
        if pace not in PACES:
            raise ValueError(f"pace is {pace!r}: expected one of {', '.join(PACES)}")
        missing = [name for name in ("train_images", "test_images", "test_labels") if not hasattr(data, name)]
        if missing:
            raise ValueError(f"data is a {type(data).__name__} without {missing[0]}: expected what load_mnist returns")
        n, pixels = np.shape(data.train_images)
        if math.isqrt(pixels) ** 2 != pixels:
            raise ValueError(f"the images have {pixels} pixels: expected a square number, such as 784 = 28 x 28")
        settings = Settings(**{"images": min(Settings.images, n)} | start)
        self.run, self.frames, self._closed = LiveRun(data, settings), 0, False
        self._marks, self._autoplay = dict(marks or {}), autoplay
        self._commands, self._turns, self._due, self._complaint = deque(), Turns(alone=False), 0.0, ""
        self._pressed = None  # the button that was pressed last, until it is obeyed
        self._waiting = None  # the handle of a picture to be drawn in full
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._levels = ladder(data.train_images, self.run.test_images)
        self._picture = picture.RunPicture(gradients)
        fitting = {name: sizes for name, sizes in NETS.items() if sizes[0] == pixels}
        names = [*main, *(name for name in ALL if more and name not in main)]
        controls = run_controls(settings, names, fitting, n)
        self.controls = {name: buttons_for_few(control) for name, control in controls.items()}
        self._build(main, more, pace)
        self.parts = [control.menu for control in self.controls.values() if hasattr(control, "menu")]
        self._name_coefficients()
        self._show_in_full()
        for control in self.controls.values():
            control.observe(self._changed, names="value")

    state = property(lambda self: self.run.state)
    busy = property(lambda self: bool(self._commands) or self._turns.running)

    # -- widgets -------------------------------------------------------------------------------------------------------

    def _build(self, main, more, pace):
        self.buttons, self.pace = buttons(), pace_buttons(pace)
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: self._press(name))
        for name, control in self.controls.items():
            if name in main:  # in a line or two: sliders are the wide ones
                widths = {ipywidgets.SelectionSlider: "330px", ipywidgets.ToggleButtons: "auto"}
                width, label = widths.get(type(control), "184px"), f"{14 + 7 * len(control.description)}px"
            else:
                width, label = "440px" if isinstance(control, ipywidgets.ToggleButtons) else "300px", "96px"
            control.style.description_width, control.layout.width, control.layout.margin = label, width, "1px 6px"
            control.add_class(f"aelib-{name.replace('_', '-')}")
        shape = dict(width=f"{round(picture.SIZE[0] * DPI)}px", max_width="100%")
        row = dict(flex_flow="row wrap", **shape)
        self.image = PictureView()
        self.status = ipywidgets.HTML(layout=ipywidgets.Layout(margin="0 4px", height="24px", **shape))
        rows = [
            ipywidgets.HBox([*(self.buttons[name] for name in RUN), self.pace], layout=ipywidgets.Layout(**row)),
            ipywidgets.HBox([self.controls[name] for name in main], layout=ipywidgets.Layout(**row)),
        ]
        super().__init__(())
        self.message.layout = ipywidgets.Layout(margin="0 4px", height="36px", **shape)
        opener = self._more(main, row) if more else ()
        self.children = [*rows, self.status, self.message, self.image, *opener, self.front]
        self.add_class("aelib-console")

    def _more(self, main, row):
        """Return the button that opens the other controls, and what it opens."""
        self.code = ipywidgets.Textarea(layout=ipywidgets.Layout(width="100%", height="230px", display="none"))
        self.note, self.clipboard = ipywidgets.HTML(), Clipboard(layout=ipywidgets.Layout(display="none"))
        others = [control for name, control in self.controls.items() if name not in main]
        settings = ipywidgets.HBox(others, layout=ipywidgets.Layout(**row))
        actions = ipywidgets.HBox([*(self.buttons[name] for name in MORE), self.note], layout=ipywidgets.Layout(**row))
        panel = ipywidgets.VBox([actions, settings, self.code, self.clipboard])
        panel.layout.display = "none"
        opener = ipywidgets.ToggleButton(description="More", icon="sliders", layout=ipywidgets.Layout(width="auto"))
        opener.tooltip = "Every other setting, the code of this run, its history as a file"
        opener.observe(lambda change: setattr(panel.layout, "display", "" if change["new"] else "none"), names="value")
        return opener, panel

    def _changed(self, change):
        self._command("change")

    def _press(self, name):
        self._pressed = name
        self._command(name)

    def _command(self, name):
        """Note a command and wake the console on the loop. May be called in any thread."""
        if self._closed:
            return
        self._commands.append(name)
        loop = self._loop
        if loop is None:
            try:
                self._loop = loop = asyncio.get_running_loop()
            except RuntimeError:
                self.message.value = red("The console needs a running event loop: open it in Jupyter.")
                return
        loop.call_soon_threadsafe(self._wake)

    # -- on the loop ---------------------------------------------------------------------------------------------------

    def _wake(self):
        """Obey what waits, unless the run under way will; let it run, or rest."""
        if self._turns.running or self._closed:
            return
        try:
            self._obey_all()
            if self.state == "running":
                self._turns.begin(self._training(), lambda _: None, self._rest, self._fail)
            else:
                self._rest()
        except Exception as error:  # an observer's error would go to a log nobody reads
            self._fail(error)

    def _training(self):
        """Train in turns from yield to yield, between which Jupyter answers, until the run rests."""
        try:
            self._due = 0.0
            while self.state == "running":
                settings = self.run.settings
                pace = settings.epochs * settings.images / EYE if self.pace.value == "eye" else None
                self.run.train(_TURN, pace)
                if time.perf_counter() >= self._due:
                    self._show()
                yield
                self._obey_all()
        finally:
            self.run.pause()  # where something else closed it

    def _obey_all(self):
        while self._commands:
            self._obey(self._commands.popleft())
            self._due = 0.0
        self._describe()  # the words at once, the picture when it is done

    def _obey(self, command):
        if command in ("start", "step", "reset"):
            self.error = None
        if command in RUN:
            getattr(self.run, command)()
        else:
            getattr(self, "_" + command.replace(" ", "_"))()

    def _fail(self, error):
        if not self._closed:
            self.tell(error)
            if not isinstance(error, KeyboardInterrupt):  # after an interrupt, Start goes on
                self.run.stop()
            self._rest()

    def close(self):
        """End the run under way, close the widget with its controls, and let go of what it showed."""
        if self._turns and not self._closed:
            self._closed = True
            self._commands.clear()
            self._turns.stop()
            if self._waiting:
                self._waiting.cancel()
            for control in self.controls.values():
                for link in getattr(control, "links", ()):
                    link.unlink()
        super().close()

    # -- commands ------------------------------------------------------------------------------------------------------

    def _change(self):
        wanted = {name: control.value for name, control in self.controls.items()}
        try:
            self.run.change(Settings(**vars(self.run.wanted) | wanted))
            self._complaint = ""
        except ValueError as error:
            self._complaint = str(error)
        self._name_coefficients()

    def _name_coefficients(self):
        """Call momentum and decay what the method calls them; disable what it does not have."""
        method = getattr(self.controls.get("method"), "value", self.run.wanted.method)
        names = {setting: name for name, setting in coefficient_settings(method).items()}
        for setting in {"momentum", "decay", "epsilon_inside"} & self.controls.keys():
            self.controls[setting].disabled = setting not in names
            self.controls[setting].description = names.get(setting, setting).replace("_", " ")

    def _new_seed(self):
        self.controls["seed"].value = int(np.random.default_rng().integers(1000))

    def _copy_as_code(self):
        self.code.value, self.code.layout.display = as_code(self.run), ""
        self.clipboard.send(self.code.value)
        self.note.value = "The code stands below, and on the clipboard where the browser allows it."

    def _export_history(self):
        data = base64.b64encode(to_csv(self.run).encode()).decode()
        name = f"history-{self.run.settings.net}-{self.run.update}.csv"
        place = f'download="{name}" href="data:text/csv;base64,{data}"'
        self.note.value = f'<a style="text-decoration: underline" {place}>Save {name}</a>'

    # -- showing -------------------------------------------------------------------------------------------------------

    def frame(self):
        """Return what there is to see now, a ``Frame``."""
        run = self.run
        return picture.Frame(
            end=run.end,
            sizes=run.settings.sizes,
            levels=self._levels,
            marks=self._marks,
            ghosts={_difference(ghost, run.settings): ghost.curve for ghost in run.ghosts},
            train=run.train_curve.columns,
            test=run.test_curve(),
            norms=run.norm_curve.columns,
            examples=run.examples,
            outputs=run.reconstruct(run.examples),
            codes=run.encode(run.test_images[:_CODES]),
            labels=run.test_labels[:_CODES],
        )

    def _show(self):
        """Draw a hurried picture and the words; set when the next picture is due."""
        start, frame = time.perf_counter(), self.frame()
        self._set(self._picture.jpeg(frame), "jpeg", frame)
        self._describe()
        now = time.perf_counter()
        self._due = now + max(_FRAME - (now - start), (now - start) * (1 / _SHARE - 1))

    def _rest(self):
        """Show where the run stands, in full when no command has come for a while; obey what came meanwhile."""
        if self._closed:
            return
        self.run.measure()
        if self._loop is None:
            self._show_in_full()
        else:
            self._show()
            self._later(_REST, self._show_in_full)
            if self._commands:
                self._loop.call_soon(self._wake)

    def _later(self, seconds, action):
        """Do something after a while, in place of what was to be done so before."""
        if self._waiting:
            self._waiting.cancel()
        self._waiting = self._loop.call_later(seconds, action)

    def _show_in_full(self):
        self._waiting = None
        if self.state != "running" and not self._closed:
            frame = self.frame()
            png = self._picture.png(frame, self.density)
            self._set(png, "png", frame)
            self._still = png, self.image.width, self.image.alt
            self._describe()
            self.keep_still()

    def _set(self, data, kind, frame):
        self.image.show(data, kind, round(self._picture.size[0] * DPI), picture.in_words(frame))
        self.frames += 1

    def still(self):
        """Return the last picture that was drawn in full."""
        made = "The net's last run" if self.run.update else "A net before its first update"
        return *self._still, f"<i>{made}: run the cell to train it.</i>"

    def at_new_size(self):
        """Draw anew for the screen's density and the width there is."""
        if not self._closed and self._loop is not None:
            self._loop.call_soon_threadsafe(self._resize)

    def _resize(self):
        if not self._closed:
            self._picture.size = fitted(picture.SIZE, self.front.room)
            self._later(_REST, self._show_in_full)

    def _describe(self):
        """Write the words: the state, how far the run is, what is wrong; grey the buttons that can do nothing."""
        run, done = self.run, self.run.update
        bar = f'<progress value="{done}" max="{max(done + run.updates_left, 1)}" style="width: 110px"></progress>'
        words = " · ".join([f"<b>{run.state}</b>", *run.words()])
        self.status.value = f'<span style="font-variant-numeric: tabular-nums">{bar} {words}</span>'
        sentence = self._complaint or diagnosis(run, self._levels["grey"])
        if run.needs_reset and run.state != "ready":
            names = ", ".join(self.controls[name].description for name in run.needs_reset)
            sentence = f"Press Reset to apply: {names}. {sentence}"
        if self.error is None:  # else that is what the message says
            self.message.value = red(sentence) if sentence else ""
        for name, can in usable(run).items():
            self.buttons[name].disabled = not can
        if self._pressed in NEXT and self.buttons[self._pressed].disabled:
            self.buttons[NEXT[self._pressed]].focus()  # keys would go to JupyterLab otherwise
        self._pressed = None

    def _ipython_display_(self, **kwargs):
        super()._ipython_display_(**kwargs)
        if self._autoplay and self._loop is not None:
            self._autoplay = False
            self._command("start")


def _difference(ghost, settings):
    """Return in a few words what an earlier run had that the settings now have not."""
    words = [
        f"{'net' if name == 'sizes' else name.replace('_', ' ')} {ghost.settings.net if name == 'sizes' else value:}"
        for name, value in vars(ghost.settings).items()
        if value != getattr(settings, name)
    ]
    words = ", ".join(words) or "before"
    return (words if len(words) < 30 else words[:28] + " …") + ", then changed" * ghost.changed
