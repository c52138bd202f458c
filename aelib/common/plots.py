"""Draw given arrays on given Axes or Figures. Nothing is computed here but layout.

Colours are Okabe and Ito's (lines) and Paul Tol's muted scheme (digits), both safe for colour-blind readers; every
line has a label and every cloud of digits its digit, so that no picture depends on colour alone.
"""

import numpy as np

from aelib.arrays import as_array, as_labels

LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_SIGNED = dict(cmap="RdBu_r", aspect="auto", interpolation="nearest")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DIGITS = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933",
    "#DDCC77", "#CC6677", "#882255", "#AA4499", "#555555",
)  # fmt: skip


def mosaic(X, columns, side=28):
    """Return images in rows, (n, side^2), tiled from left to right and top to bottom as one array; gaps are nan."""
    gap = 1
    n = len(X)
    rows = -(-n // columns)
    step = side + gap
    tiled = np.full((rows * step - gap, columns * step - gap), np.nan)
    for k, image in enumerate(np.reshape(X, (n, side, side))):
        top = k // columns * step
        left = k % columns * step
        tiled[top : top + side, left : left + side] = image
    return tiled


def images(ax, X, columns, title="", side=28):
    """Draw images in rows, (n, side^2) in [0, 1], as a table of tiles, white on black."""
    ax.imshow(mosaic(X, columns, side), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_title(title)
    ax.set_axis_off()


def image_rows(ax, rows):
    """Draw a dict of labelled rows of images, label -> (n, 784), one row under the other: inputs over outputs."""
    side = 28
    n = min(len(X) for X in rows.values())
    stacked = np.concatenate([np.asarray(X)[:n] for X in rows.values()])
    ax.imshow(mosaic(stacked, n, side), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for k, label in enumerate(rows):
        ax.text(-2, (side + 1) * k + side / 2, label, ha="right", va="center")
    ax.set_axis_off()


def curves(ax, lines, xlabel, ylabel, log=False, markers=False):
    """Draw a dict of named curves, name -> (x, y), with a legend; log: logarithmic y axis."""
    for k, (name, (x, y)) in enumerate(lines.items()):
        marker = MARKERS[k % len(MARKERS)] if markers else None
        color = LINES[k % len(LINES)]
        style = STYLES[k % len(STYLES)]
        ax.plot(x, y, label=name, color=color, linestyle=style, marker=marker, markersize=4)
    if log:
        ax.set_yscale("log")
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    if lines:
        ax.legend(fontsize="small")


def levels(ax, ladder):
    """Draw the reference ladder, name -> loss, as dashed horizontal lines named at the right edge."""
    for name, loss in ladder.items():
        ax.axhline(loss, color="0.55", linewidth=0.8, linestyle="--", zorder=0)
        ax.annotate(
            f"{name} {loss:.2f}",
            (1, loss),
            xycoords=("axes fraction", "data"),
            xytext=(-3, 1),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize="x-small",
            color="0.35",
        )


def codes(ax, Z, labels, title="", size=2.0, fontsize="large", limits=None):
    """Draw two-dimensional codes (n, 2) coloured by digit or other label, which stands at its class's median.

    Where medians are close, their discs are moved apart and joined to them by lines. ``limits``, (x0, x1, y0, y1), are
    the ends of the axes; without them all codes are shown. A ValueError says where codes and labels do not fit.
    """
    Z = as_array("Z", Z)
    if Z.ndim != 2 or Z.shape[1] != 2 or Z.dtype.kind not in "biuf":
        raise ValueError(f"Z is {Z.dtype}{Z.shape}: expected codes of two numbers, (n, 2); of more, draw two columns")
    labels = as_labels(labels, len(Z))
    digits = np.unique(labels)
    colors = [DIGITS[(k if isinstance(digit, str) else int(digit)) % len(DIGITS)] for k, digit in enumerate(digits)]
    for digit, color in zip(digits, colors, strict=True):
        own = Z[labels == digit].T
        ax.plot(*own, ".", markersize=size, color=color, markeredgewidth=0, alpha=0.7, rasterized=True)
    if limits is not None:
        ax.set(xlim=limits[:2], ylim=limits[2:])
    low, high = np.transpose([ax.get_xlim(), ax.get_ylim()])
    medians = np.array([np.median(Z[labels == digit], axis=0) for digit in digits])
    places = apart((medians - low) / (high - low), 0.075)
    form = dict(ha="center", va="center", fontweight="bold", fontsize=fontsize, color="white")
    line = dict(arrowstyle="-", linewidth=0.8, shrinkA=0, shrinkB=0)
    for digit, color, median, place in zip(digits, colors, medians, places, strict=True):
        disc = dict(boxstyle="circle,pad=0.15", facecolor=color, edgecolor="white")
        ax.annotate(str(digit), median, place, textcoords="axes fraction", bbox=disc, arrowprops=line, **form)
    ax.set_xlabel("code 1")
    ax.set_ylabel("code 2")
    ax.set_title(title)


def apart(places, least):
    """Return places in the unit square, (n, 2), moved by little until no two are nearer than ``least``, if they fit."""
    turn = 2 * np.pi * np.arange(len(places))[:, None] / len(places)
    little = 1e-6 * np.hstack([np.cos(turn), np.sin(turn)])  # so that equal ones part, too
    places = np.clip(places, 0, 1) + little
    for _ in range(300):
        between = places[:, None] - places
        distance = np.linalg.norm(between, axis=2, keepdims=True) + np.eye(len(places))[:, :, None]
        push = np.maximum(least - distance, 0) / distance
        if not push.any():
            break
        places = np.clip(places + 0.5 * (push * between).sum(axis=1), least / 2, 1 - least / 2) + little
    return places


def confusion(ax, counts, title=""):
    """Draw a confusion matrix (true class, predicted class) as percentages of each row, below 1 % left blank."""
    percent = 100 * counts / counts.sum(axis=1, keepdims=True)
    ax.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (i, j), value in np.ndenumerate(percent):
        if value >= 1:
            ax.text(j, i, f"{value:.0f}", ha="center", va="center", color="white" if value > 50 else "black")
    ticks = range(len(counts))
    ax.set(xticks=ticks, yticks=ticks, xlabel="digit predicted", ylabel="true digit", title=title)


def grid(ax, values, rows, columns, ylabel, xlabel, title="", most=np.inf, digits=1):
    """Draw a table of numbers (len(rows), len(columns)) as a heat map with the numbers in it, the best one framed.

    A value that is nan (a diverged run) is grey and named "nan". Values above ``most`` have its colour, so that a few
    large ones do not take all colours from the rest; ``digits`` counts decimals.
    """
    values = np.ma.masked_invalid(np.asarray(values, float))
    ax.set_facecolor("0.85")
    top = min(values.max(), most) if values.count() else 1
    picture = ax.imshow(values, cmap="viridis_r", aspect="auto", vmax=top)
    middle = (values.min() + top) / 2 if values.count() else 0
    for i in range(len(rows)):
        for j in range(len(columns)):
            masked = values.mask is not np.ma.nomask and values.mask[i, j]
            text, color = ("nan", "black") if masked else (f"{values[i, j]:.{digits}f}", "black")
            if not masked and values[i, j] > middle:
                color = "white"
            ax.text(j, i, text, ha="center", va="center", color=color)
    if values.count():
        i, j = np.unravel_index(int(np.ma.argmin(values)), values.shape)
        frame(ax, (i, i), (j, j))
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return picture


def frame(ax, rows, columns, color=LINES[1], style="-"):
    """Frame cells of a ``grid``, from the first to the last of ``rows`` and of ``columns``, two indices each."""
    from matplotlib.patches import Rectangle

    (top, bottom), (left, right) = rows, columns
    size = right - left + 1, bottom - top + 1
    form = dict(fill=False, edgecolor=color, linestyle=style, linewidth=3, clip_on=False)
    ax.add_patch(Rectangle((left - 0.5, top - 0.5), *size, zorder=2 + (style == "-"), **form))


def dots(ax, repeats, ylabel, most=np.inf):
    """Draw a dict of repeated measurements, name -> (k,), as columns of dots, a mark each and their mean as a bar.

    Dots above ``most``, and their mean, stand at the upper edge with their values beside them.
    """
    table = np.array(list(repeats.values()), float)
    for k, column in enumerate(table.T):
        mark = dict(color=LINES[k % len(LINES)], marker=MARKERS[k % len(MARKERS)], linestyle="none")
        ax.plot(np.minimum(column, most), label=f"seed {k}", clip_on=False, **mark)
    ax.plot(np.minimum(table.mean(axis=1), most), "_", color="black", markersize=18, label="mean")
    for i, row in enumerate(table):
        if np.any(row > most):
            low = row[row > most].min()
            high = row[row > most].max()
            text = f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f}"
            ax.annotate(text, (i, most), xytext=(10, -10), textcoords="offset points", fontsize="small")
    if np.isfinite(most):
        ax.set_ylim(top=most)
    ax.set_xticks(range(len(repeats)), list(repeats))
    ax.set_ylabel(ylabel)
    ax.legend(fontsize="small")


def signed(ax, values, title="", limit=None):
    """Draw an array (rows, columns) of signed numbers as a heat map, blue below 0, red above, white at 0."""
    limit = limit or float(np.nanmax(np.abs(values))) or 1.0
    picture = ax.imshow(values, vmin=-limit, vmax=limit, **_SIGNED)
    ax.set_title(title, fontsize="small")
    ax.set_xticks([])
    ax.set_yticks([])
    return picture


def signed_matrices(figure, matrices, blocks):
    """Draw a dict of square matrices as heat maps of one scale; ``blocks``, name -> slice, are marked on both axes."""
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    end = max(float(np.nanmax(np.abs(A))) for A in matrices.values())
    for ax, (name, A) in zip(axes, matrices.items(), strict=True):
        image = signed(ax, A, name, end)
        ax.set_aspect("equal")
        _mark(ax, blocks)
    figure.colorbar(image, ax=list(axes), shrink=0.8)


def signed_table(ax, rows):
    """Draw a table of heat maps, label of the row -> {title: array of signed numbers, or None for an empty place}.

    Each is drawn as by ``signed``, with a scale of its own whose end stands in its title; all in one Axes, as Axes for
    each would take twice as long.
    """
    height = 0.8
    width = 0.95  # of a heat map, in a place of 1 by 1
    x = width * np.array([0, 1, 1, 0, 0])
    y = height * np.array([0, 0, 1, 1, 0])
    for top, (label, row) in enumerate(rows.items()):
        ax.text(-0.05, top + height / 2, label, rotation=90, ha="right", va="center")
        for left, (title, A) in enumerate(row.items()):
            if A is not None:
                end = float(np.nanmax(np.abs(A)))
                ax.imshow(A, vmin=-(end or 1), vmax=end or 1, extent=(left, left + width, top + height, top), **_SIGNED)
                ax.plot(left + x, top + y, color="black", linewidth=0.8, clip_on=False)
                words = f"{title}:  ±{end:.2g}" if end else f"{title}:  all 0"
                ax.text(left + width / 2, top - 0.03, words, ha="center", va="bottom", fontsize="small")
    ax.set(xlim=(0, max(map(len, rows.values())) + width - 1), ylim=(len(rows) + height - 1, -0.2))
    ax.set_axis_off()


def _mark(ax, blocks):
    """Name blocks of a matrix, name -> slice, on both axes, with thin lines between them."""
    middles = [(block.start + block.stop - 1) / 2 for block in blocks.values()]
    ax.set_xticks(middles, blocks, fontsize="x-small", rotation=90)
    ax.set_yticks(middles, blocks, fontsize="x-small")
    ax.tick_params(length=0)
    for block in list(blocks.values())[1:]:
        ax.axhline(block.start - 0.5, color="0.7", linewidth=0.5)
        ax.axvline(block.start - 0.5, color="0.7", linewidth=0.5)


def bands(ax, lines, xlabel, ylabel, **legend):
    """Draw a dict of named bands, name -> (x, low, middle, high), lines on shaded ground; ``legend``: its options."""
    for k, (name, (x, low, middle, high)) in enumerate(lines.items()):
        color = LINES[k % len(LINES)]
        style = STYLES[k % len(STYLES)]
        ax.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(x, middle, label=name, color=color, linestyle=style)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    if lines:
        ax.legend(**{"fontsize": "small"} | legend)


def ellipses(ax, centres, axes, color="black"):
    """Draw ellipses at centres (n, 2) with half-axes (n, 2, 2), long before short, and the short half-axes in red."""
    turn = np.linspace(0, 2 * np.pi, 49)
    for centre, (long, short) in zip(centres, axes, strict=True):
        ax.plot(*(centre + np.outer(np.cos(turn), long) + np.outer(np.sin(turn), short)).T, color=color, linewidth=1)
        ax.plot(*np.transpose([centre, centre + short]), color=LINES[1], linewidth=1.5)


def log_ticks(ax, ticks):
    """Make the y axis logarithmic, with plain numbers at these ticks and nowhere else."""
    ax.set_yscale("log")
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
