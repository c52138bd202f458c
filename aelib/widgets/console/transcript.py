"""What to take away from a training run: a sentence on what is wrong, the code that repeats it, its history as CSV."""

import csv
import io
import math


def diagnosis(run, grey=math.inf):
    """Return one sentence on what is wrong with this run, with the measurement that shows it, or "".

    Args:
        run: a ``LiveRun``.
        grey: the half-SSE of a grey output; a loss above it is named.
    """
    if run.error:
        return f"Diverged: {run.error}"
    last, since = run.measurements[-1], None
    for measurement in reversed(run.measurements):
        if measurement.spread > 0.02:
            break
        since = measurement.update
    norm = list(run.norms.values())[-1][0] if run.norms else math.nan
    if since is not None and last.update - since >= 100:
        kind = "one picture for every input"
        if last.brightest < 0.05:
            kind = "black for every input (dead)"
        elif last.to_mean < 1:
            kind = "the mean image for every input (plateau)"
        return (
            f"Test loss {last.test_loss:.2f} after {last.update - since} updates in which the output is {kind}: "
            f"its pixels vary by {last.spread:.0e} over images; gradient norm of layer 1 is {norm:.0e}."
        )
    if last.test_loss > grey:
        step = f"step {run.settings.step:g}"
        return f"Test loss {last.test_loss:.2f} is above grey, {grey:.1f}: {step} is probably too large."
    return ""


def as_code(run):
    """Return a script in terms of ``aelib`` that makes this run again, bit for bit; it leaves ``losses``.

    With the changes made on the way. "Bit for bit" needs the same machine and the same number of BLAS threads.
    """
    first = run.stages[0]
    changes, batches, before = [], [(0, first.batch)], run.optimizer_values(0, first)[1]
    for update, settings in list(run.stages.items())[1:]:
        if update >= run.update:
            continue  # it changed nothing yet
        after = run.optimizer_values(update, settings)[1]
        new = [f"{name}={code}" for name, code in after.items() if code != before[name]]
        if new:
            changes.append(f"    {update}: dict({', '.join(new)}),")
        if settings.batch != batches[-1][1]:
            batches.append((update, settings.batch))
        before = after
    batch = "".join(f"{size} if update >= {update} else " for update, size in batches[:0:-1]) + str(first.batch)
    if len(batches) > 1:
        batch = f"lambda update: {batch}"
    text = "\n".join(changes)
    start = run.optimizer_values(0, first)[1]
    arguments = [start.pop("learning_rate")] + [f"{name}={code}" for name, code in start.items() if code != "False"]
    model = ", ".join(f"{name}={value!r}" for name, value in first.model_arguments().items() if name != "sizes")
    schedules = [name for name in ("cosine", "step_decay") if f"{name}(" in text + arguments[0]]
    used, whole = run.images_used, run.settings.epochs * first.images
    epochs = -(-used // first.images) if used > whole else run.settings.epochs
    lines = [
        "from aelib import Autoencoder, load_mnist, train",
        f"from aelib.optimizers import {', '.join([first.method, *schedules])}",
        changes and "from aelib.widgets.console.live_run import change",
        "from aelib.widgets import start_lab\n",
        "start_lab()  # one BLAS thread: the same losses bit for bit",
        f"X = load_mnist().train_images[:{first.images}]",
        f"model = Autoencoder({list(first.sizes)}, {model})",
        first.output_bias == "logit" and "model.start_output_bias(X)",
        f"optimizer = {first.method}({', '.join(arguments)})",
        changes and f"changes = {{  # after this many updates\n{text}\n}}",
        "losses = []",
        f"for progress in train(model, X, optimizer, epochs={epochs}, batch_size={batch}, seed={first.seed}):",
        "    losses.append(progress.train_loss)",
        changes and "    change(optimizer, **changes.get(progress.update, {}))",
        0 < used < epochs * first.images and f"    if progress.update == {run.update}:\n        break",
        run.error and "# the next update diverged",
    ]
    return "\n".join(line for line in lines if line) + "\n"


_COLUMNS = (
    "update",
    "epoch",
    "images",
    "seconds",
    "learning_rate",
    "batch_size",
    "train_loss",
    "grad_norm",
    "test_loss",
)


def to_csv(run):
    """Return the history as CSV text: a row for each update, empty where nothing was measured then."""
    layers = range(1, len(run.model.layers) + 1)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_COLUMNS, *(f"grad_norm_layer_{l}" for l in layers)])
    tests = {measurement.update: measurement.test_loss for measurement in run.measurements}
    rate, images = None, 0
    for row in run.history.rows:
        made, batch, images = row.update - 1, row.images - images, row.images
        if made in run.stages:
            rate = run.optimizer_values(made, run.stages[made])[0]["learning_rate"]
        now = rate(made) if callable(rate) else rate
        values = [row.update, row.epoch, row.images, row.seconds, now, batch, row.train_loss, row.grad_norm]
        table.writerow([*values, tests.get(row.update, ""), *run.norms.get(row.update, [""] * len(layers))])
    return text.getvalue()
