"""The training console: a ``Session`` behind sliders, buttons and a live picture. Only the labs import this module.

An asyncio task of the kernel's own loop does all the work. Callbacks, which may come from another thread, set plain
attributes and wake it: ``_commands`` for the buttons, ``session.wanted`` for the controls.
"""

import asyncio
import base64
import html
import time
import weakref
from collections import deque
from dataclasses import fields

import ipywidgets
import numpy as np

from aelib.baselines import ladder
from aelib.settings import COEFFICIENTS, Settings
from aelib.widgets.console.controls import Clipboard, settings_controls
from aelib.widgets.console.screen import SIZE, Screen, Trace
from aelib.widgets.console.session import Session
from aelib.widgets.console.transcript import as_code, diagnosis, to_csv

REPORT = {"784-2": 23.05, "784-200-2": 15.75, "784-400-200-2": 14.8}  # the report's best, on all 10,000 test images
PUBLISHED = 13.46  # 784-1000-500-250-2: Moor et al., Topological Autoencoders, 2020, table 1, converted
_TURN = 0.02  # seconds of training between two looks at the buttons
_YIELDS = 4  # a message passes through several tasks of the loop before it arrives
_FRAME = 0.1  # seconds between two pictures, at least
_SHARE = 0.1  # of the time may go into pictures
_CODES = 200  # test images whose codes are drawn
_GHOSTS = 5
_OPEN = weakref.WeakSet()  # a cell run again leaves its first console without buttons: a new one pauses the others
_FIELDS = [field.name for field in fields(Settings)]


class Console(ipywidgets.VBox):
    """Sliders, buttons and a live picture round a training run.

    Start trains, or goes on after a pause; after the end it begins anew. Pause holds the run, Step makes one update,
    Stop ends it, Reset goes back to the initial weights of the same seed. Step size, batch, momentum, decay, schedule
    and epochs obey at the next update; every other control waits for a reset, and the console says so.

    Args:
        data: MNIST, as ``load_mnist`` returns it.
        start: values of ``Settings`` to begin with, by name.

    Attributes:
        session: the ``Session`` under way.
        state: ``"ready"``, ``"running"``, ``"paused"`` or ``"ended"``.
        task: the asyncio task that worked last, or None.
        error: the exception that ended it, or None.
        ghosts: the last earlier runs, label -> (update, test loss).
        frames: number of pictures drawn.
    """

    def __init__(self, data, **start):
        unknown = sorted(set(start) - set(_FIELDS))
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}; expected some of {', '.join(_FIELDS)}")
        settings = Settings(**start)
        self.session = Session(data, settings)
        self.state, self.task, self.error, self.ghosts, self.frames = "ready", None, None, {}, 0
        self._commands, self._due, self._started, self._speed, self._complaint = deque(), 0.0, None, 0.0, ""
        for other in _OPEN:
            other.state = "paused" if other.state == "running" else other.state
        _OPEN.add(self)
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._levels = ladder(data.train_images, self.session.test_images)
        first = [int(np.argmax(self.session.test_labels == digit)) for digit in range(10)]
        self._digits = self.session.test_images[first]
        self._screen, self._scene = Screen(self._levels), None
        self.controls = settings_controls(settings)
        self._build()
        self._name_coefficients()
        self._begin()
        self._show()
        for name, control in self.controls.items():
            control.observe(self._changed, names="value")
            control.add_class(f"aelib-{name.replace('_', '-')}")

    # -- widgets -------------------------------------------------------------------------------------------------------

    def _build(self):
        icons = dict(start="play", pause="pause", step="step-forward", stop="stop", reset="undo")
        icons |= {"new seed": "random", "copy as code": "code", "export history": "download"}
        self.buttons = {}
        for name, icon in icons.items():
            layout = ipywidgets.Layout(width="auto", margin="2px 3px")
            button = ipywidgets.Button(description=name.capitalize(), icon=icon, layout=layout)
            button.on_click(lambda _, name=name: self._command(name))
            self.buttons[name] = button
        self.buttons["start"].button_style = "primary"
        width, height = (f"{pixels}px" for pixels in SIZE)
        layout = ipywidgets.Layout(width=width, height=height, max_width="100%", object_fit="contain")
        self.image = ipywidgets.Image(format="jpeg", layout=layout)
        self.status, self.message = ipywidgets.HTML(), ipywidgets.HTML()
        self.code = ipywidgets.Textarea(layout=ipywidgets.Layout(width="100%", height="230px", display="none"))
        self.link, self.clipboard = ipywidgets.HTML(), Clipboard(layout=ipywidgets.Layout(display="none"))
        row = ipywidgets.Layout(flex_flow="row wrap", max_width=f"{SIZE[0]}px")
        order = ("method", "sizes", "images", "step", "hidden", "batch", "momentum", "init", "schedule")
        order += ("decay", "output_bias", "epochs", "epsilon_inside", "weight_decay", "seed")
        settings = ipywidgets.HBox([*(self.controls[name] for name in order), self.buttons["new seed"]], layout=row)
        main = [button for name, button in self.buttons.items() if name != "new seed"]
        super().__init__(
            [
                ipywidgets.HBox(main, layout=row),
                settings,
                self.status,
                self.message,
                self.image,
                self.link,
                self.code,
                self.clipboard,
            ]
        )
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
                    self._train()
                if self.state != "running" or time.perf_counter() >= self._due:
                    self._show()
                if self.state != "running" and not self._commands:
                    return
                for _ in range(_YIELDS):
                    await asyncio.sleep(0)
        except Exception as error:  # a task's exception would otherwise go to a log nobody reads
            self.error, self.state = error, "ended"
            self.message.value = _red(f"{type(error).__name__}: {error}")

    def _obey(self, command):
        getattr(self, "_" + command.replace(" ", "_"))()

    def _change(self):
        values = {name: control.value for name, control in self.controls.items()}
        values["step"] = float(f"{values['step']:.2g}")  # as the slider shows it
        try:
            self.session.wanted, self._complaint = Settings(**values), ""
        except ValueError as error:
            self._complaint = str(error)
        self._name_coefficients()
        if self.session.update == 0 and self.session.needs_reset:
            self._reset()
        if self.state != "ended":
            self.session.obey()

    def _name_coefficients(self):
        """Call momentum and decay what the method calls them; disable what it does not have."""
        names = {setting: name for name, setting in COEFFICIENTS[self.controls["method"].value].items()}
        for setting in ("momentum", "decay", "epsilon_inside"):
            self.controls[setting].disabled = setting not in names
            self.controls[setting].description = names.get(setting, setting).replace("_", " ")

    def _start(self):
        if self.state == "ended":
            self._reset()
        if self.state != "running":
            self.state, self._started, self._due = "running", (time.perf_counter(), self.session.update), 0.0
        self.error = None

    def _pause(self):
        if self.state == "running":
            self.state = "paused"

    def _step(self):
        if self.state == "ended":
            self._reset()
        self.state = "paused"
        self._advance()

    def _stop(self):
        if self.state in ("running", "paused"):
            self.state = "ended"

    def _reset(self):
        self._keep_ghost()
        self.session.reset()
        self.state, self.error = "ready", None
        self._begin()

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

    # -- training and showing ------------------------------------------------------------------------------------------

    def _train(self):
        end = time.perf_counter() + _TURN
        while self.state == "running" and time.perf_counter() < end:
            self._advance()

    def _advance(self):
        progress = self.session.advance()
        if progress is None or self.session.over:
            self.state = "ended"
        if progress is None:
            return
        self._train_trace.add(progress.update, progress.train_loss)
        norms = self.session.norms.get(progress.update)
        if norms:
            self._norm_trace.add(progress.update, *norms)

    def _begin(self):
        """Set the curves up for a new run."""
        self._train_trace, self._norm_trace = Trace(), Trace(len(self.session.model.layers), most=120)

    def _keep_ghost(self):
        if self.session.update < 2:
            return
        self.session.measure()
        label = self.session.label
        self.ghosts.pop(label, None)
        self.ghosts[label] = self._test_curve()
        while len(self.ghosts) > _GHOSTS:
            del self.ghosts[next(iter(self.ghosts))]

    def _test_curve(self):
        rows = self.session.measurements
        rows = rows[:: 1 + len(rows) // 400] + rows[-1:]
        return np.array([row.update for row in rows]), np.array([row.test_loss for row in rows])

    def _show(self):
        """Draw the picture and the words; set when the next picture is due."""
        start, session = time.perf_counter(), self.session
        if self.state != "running":
            session.measure()
        end = session.update + session.updates_left
        end = max([end, *(int(x[-1]) for x, _ in self.ghosts.values())])
        scene = (end, session.settings.net, tuple(self.ghosts))
        if scene != self._scene:
            net = session.settings.net
            marks = {f"report {net}": REPORT[net]} if net in REPORT else {}
            self._screen.set_scene(end, len(session.model.layers), marks | {"best published": PUBLISHED}, self.ghosts)
            self._scene = scene
        codes, labels = session.encode(session.test_images[:_CODES]), session.test_labels[:_CODES]
        images = np.concatenate([self._digits, session.reconstruct(self._digits)])
        train, norms = self._train_trace.columns, self._norm_trace.columns
        whole = self._screen.draw(train, self._test_curve(), norms, images, codes, labels)
        self.image.value = self._screen.jpeg()
        self._describe()
        self.frames += 1
        now = time.perf_counter()
        self._due = now + max(_FRAME - (now - start), 0 if whole else (now - start) / _SHARE)

    def _describe(self):
        """Write the words: the state, how far the run is, what is wrong."""
        session, now = self.session, time.perf_counter()
        done, left = session.update, session.updates_left
        if self.state == "running" and now > self._started[0]:
            self._speed = (done - self._started[1]) / (now - self._started[0])
        last = session.measurements[-1]
        words = [f"<b>{self.state}</b>", f"{done} of {done + left} updates"]
        if done:
            words += [f"epoch {session.history.rows[-1].epoch:.1f}", f"train {session.history.rows[-1].train_loss:.2f}"]
        words += [f"test {last.test_loss:.2f}", f"step {session.optimizer.rate:.2g}"]
        if self._speed:
            words += [f"{self._speed:.0f} updates/s"]
        bar = f'<progress value="{done}" max="{max(done + left, 1)}" style="width: 110px"></progress>'
        self.status.value = f"{bar} {' · '.join(words)}"
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
