"""The training console: a ``Player`` behind sliders, buttons and a live picture. Only the labs import this module.

An asyncio task of the kernel's own loop does all the work. Callbacks, which may come from another thread, note a
command in ``_commands`` and wake it.
"""

import asyncio
import base64
import html
import math
import time
from collections import deque
from dataclasses import fields

import ipywidgets
import numpy as np

from aelib.common.baselines import ladder
from aelib.common.settings import COEFFICIENTS, NETS, Settings
from aelib.datasets import MNIST
from aelib.widgets.console.controls import Clipboard, buttons
from aelib.widgets.console.player import Player
from aelib.widgets.console.screen import SIZE, Screen
from aelib.widgets.console.session import Session
from aelib.widgets.console.transcript import as_code, diagnosis, to_csv
from aelib.widgets.controls import ALL, run_controls

REPORT = {"784-2": 23.06, "784-200-2": 15.86, "784-400-200-2": 14.45}  # stored: the best run of "architectures-report"
PUBLISHED = 13.46  # 784-1000-500-250-2: Moor et al., Topological Autoencoders, 2020, table 1, converted
_TURN = 0.02  # seconds of training between two looks at the buttons
_YIELDS = 4  # a message passes through several tasks of the loop before it arrives
_FRAME = 0.1  # seconds between two pictures, at least
_SHARE = 0.1  # of the time may go into pictures
_CODES = 200  # test images whose codes are drawn
_FIELDS = [field.name for field in fields(Settings)]


class Console(ipywidgets.VBox):
    """Sliders, buttons and a live picture round a training run.

    Start trains, or goes on after a pause; after the end it begins anew. Pause holds the run, Step makes one update,
    Stop ends it, Reset goes back to the initial weights of the same seed. Step size, batch, momentum, decay, schedule
    and epochs obey at the next update; every other control waits for a reset, and the console says so.

    Args:
        data: MNIST, as ``load_mnist`` returns it, or other square images with labels.
        start: values of ``Settings`` to begin with, by name; ``images`` is at most as many as there are.

    Attributes:
        player: the ``Player``.
        session: the ``Session`` under way.
        state: ``"ready"``, ``"running"``, ``"paused"`` or ``"ended"``.
        task: the asyncio task that worked last, or None.
        error: the exception that ended it, or None.
        ghosts: the last earlier runs, label -> (update, test loss).
        frames: number of pictures drawn.

    Raises:
        ValueError: a setting, or the data, is not as described.
    """

    def __init__(self, data, **start):
        unknown = sorted(set(start) - set(_FIELDS))
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}; expected some of {', '.join(_FIELDS)}")
        n, pixels = np.shape(data.train_images)
        if math.isqrt(pixels) ** 2 != pixels:
            raise ValueError(f"the images have {pixels} pixels: expected a square number, such as 784 = 28 x 28")
        settings = Settings(**{"images": min(Settings.images, n)} | start)
        self.player = Player(Session(data, settings))
        self.task, self.error, self.frames = None, None, 0
        self._commands, self._due, self._complaint = deque(), 0.0, ""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        session = self.session
        self._levels = ladder(data.train_images, session.test_images)
        self._known = getattr(data, "fingerprint", None) == MNIST
        self._screen, self._scene = Screen(self._levels, np.unique(session.test_labels)), None
        fitting = {name: sizes for name, sizes in NETS.items() if sizes[0] == pixels}
        self.controls = run_controls(settings, ALL, fitting, n)
        self._build()
        self._name_coefficients()
        self._show()
        for name, control in self.controls.items():
            control.style.description_width = "88px"
            control.layout = ipywidgets.Layout(width="270px", margin="1px 4px")
            control.observe(self._changed, names="value")
            control.add_class(f"aelib-{name.replace('_', '-')}")

    session = property(lambda self: self.player.session)
    state = property(lambda self: self.player.state)
    ghosts = property(lambda self: self.player.ghosts)

    # -- widgets -------------------------------------------------------------------------------------------------------

    def _build(self):
        self.buttons = buttons()
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: self._command(name))
        width, height = (f"{pixels}px" for pixels in SIZE)
        layout = ipywidgets.Layout(width=width, height=height, max_width="100%", object_fit="contain")
        self.image = ipywidgets.Image(format="jpeg", layout=layout)
        self.status, self.message = ipywidgets.HTML(), ipywidgets.HTML()
        self.code = ipywidgets.Textarea(layout=ipywidgets.Layout(width="100%", height="230px", display="none"))
        self.link, self.clipboard = ipywidgets.HTML(), Clipboard(layout=ipywidgets.Layout(display="none"))
        row = ipywidgets.Layout(flex_flow="row wrap", max_width=f"{SIZE[0]}px")
        settings = ipywidgets.HBox([*self.controls.values(), self.buttons["new seed"]], layout=row)
        main = [button for name, button in self.buttons.items() if name != "new seed"]
        parts = [ipywidgets.HBox(main, layout=row), settings, self.status, self.message, self.image]
        super().__init__([*parts, self.link, self.code, self.clipboard])
        for part in (self.status, self.message):
            part.layout = ipywidgets.Layout(margin="0 4px", min_height="24px", max_width=f"{SIZE[0]}px")
        self.add_class("aelib-console")

    def _changed(self, change):
        self._command("change")

    def _command(self, name):
        """Note a command and wake the task on the loop. May be called in any thread."""
        self._commands.append(name)
        loop = self._loop
        if loop is None:
            try:
                self._loop = loop = asyncio.get_running_loop()
            except RuntimeError:
                self.message.value = _red("The console needs a running event loop: open it in Jupyter.")
                return
        loop.call_soon_threadsafe(self._wake)

    def _wake(self):
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._work())

    # -- the task ------------------------------------------------------------------------------------------------------

    async def _work(self):
        try:
            while True:
                if self._commands:
                    while self._commands:
                        self._obey(self._commands.popleft())
                    self._describe()  # the words at once, the picture when it is done
                    self._due = 0.0
                if self.state == "running":
                    self.player.train(_TURN)
                if self.state != "running" or time.perf_counter() >= self._due:
                    self._show()
                if self.state != "running" and not self._commands:
                    return
                for _ in range(_YIELDS):
                    await asyncio.sleep(0)
        except Exception as error:  # a task's exception would otherwise go to a log nobody reads
            self.error = error
            self.player.stop()
            self.message.value = _red(f"{type(error).__name__}: {error}")

    def _obey(self, command):
        if command in ("start", "reset"):
            self.error = None
        if command in ("start", "pause", "step", "stop", "reset"):
            getattr(self.player, command)()
        else:
            getattr(self, "_" + command.replace(" ", "_"))()

    def _change(self):
        values = {name: control.value for name, control in self.controls.items()}
        try:
            self.player.change(Settings(**values))
            self._complaint = ""
        except ValueError as error:
            self._complaint = str(error)
        self._name_coefficients()

    def _name_coefficients(self):
        """Call momentum and decay what the method calls them; disable what it does not have."""
        names = {setting: name for name, setting in COEFFICIENTS[self.controls["method"].value].items()}
        for setting in ("momentum", "decay", "epsilon_inside"):
            self.controls[setting].disabled = setting not in names
            self.controls[setting].description = names.get(setting, setting).replace("_", " ")

    def _new_seed(self):
        self.controls["seed"].value = int(np.random.default_rng().integers(1000))

    def _copy_as_code(self):
        self.code.value, self.code.layout.display = as_code(self.session), ""
        self.clipboard.send(self.code.value)

    def _export_history(self):
        data = base64.b64encode(to_csv(self.session).encode()).decode()
        name = f"history-{self.session.settings.net}-{self.session.update}.csv"
        place = f'download="{name}" href="data:text/csv;base64,{data}"'
        self.link.value = f'<a style="text-decoration: underline" {place}>Save {name}</a>'

    # -- showing -------------------------------------------------------------------------------------------------------

    def _show(self):
        """Draw the picture and the words; set when the next picture is due."""
        start, session = time.perf_counter(), self.session
        if self.state != "running":
            session.measure()
        settings, end = session.settings, self.player.end
        scene = (end, settings.sizes, tuple(self.ghosts))
        if scene != self._scene:
            marks = {f"report {settings.net}": REPORT[settings.net]} if settings.net in REPORT else {}
            marks = marks | {"best published": PUBLISHED} if self._known else {}
            self._screen.set_scene(end, settings.sizes, marks, self.ghosts)
            self._scene = scene
        codes, labels = session.encode(session.test_images[:_CODES]), session.test_labels[:_CODES]
        images = np.concatenate([session.examples, session.reconstruct(session.examples)])
        train, norms = self.player.train_curve.columns, self.player.norm_curve.columns
        whole = self._screen.draw(train, self.player.test_curve(), norms, images, codes, labels)
        self.image.value = self._screen.jpeg()
        self._describe()
        self.frames += 1
        now = time.perf_counter()
        self._due = now + max(_FRAME - (now - start), 0 if whole else (now - start) / _SHARE)

    def _describe(self):
        """Write the words: the state, how far the run is, what is wrong."""
        session, done = self.session, self.session.update
        bar = f'<progress value="{done}" max="{max(done + session.updates_left, 1)}" style="width: 110px"></progress>'
        self.status.value = f"{bar} {' · '.join([f'<b>{self.state}</b>', *self.player.words()])}"
        sentence = self._complaint or diagnosis(session, self._levels["grey"])
        waiting = session.needs_reset
        if waiting and self.state != "ready":
            names = ", ".join(self.controls[name].description for name in waiting)
            sentence = f"Press Reset to apply: {names}. {sentence}"
        self.message.value = _red(sentence) if sentence else ""

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["image/png"] = base64.b64encode(self._screen.png()).decode()
        return bundle


def _red(sentence):
    return f'<span style="color: #b00020">{html.escape(sentence)}</span>'
