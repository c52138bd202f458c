"""A small tape as a picture: boxes joined by arrows that carry values forward and shares of adjoints backward."""

import numpy as np

from aelib.autodiff import maps, sweep, tape
from aelib.common.plots import LINES


def walk(output, names, step):
    """Return what one step of a walk along a tape shows: forward over its m functions, then back over them.

    Args:
        output: a Node, scalar, made of Nodes and numbers.
        names: of the nodes of its tape, in order.
        step: 0 ... 2 m.

    Returns:
        (arrows, now): list of (from, to, value or None, share of the adjoint or None), in the order of the tape, the
        last from the output to nowhere, ""; the name of the node whose turn it is, or None.
    """
    nodes, adjoint, arrows = tape(output), sweep(output), []
    name = dict(zip(nodes, names, strict=True))
    made = [node for node in nodes if node.f]
    m = len(made)
    for k, z in enumerate(made):
        for a, _, pull in maps(z.f, z.value, z.arguments, z.options):
            share = pull(adjoint[z]) if k >= 2 * m - step else None
            arrows.append((name[a], name[z], a.value if k < step else None, share))
    arrows.append((name[output], "", output.value if step >= m else None, adjoint[output] if step > m else None))
    turn = step - 1 if step <= m else 2 * m - step
    return arrows, name[made[turn]] if step else None


def draw_walk(figure, walked, places):
    """Draw what ``walk`` returned: boxes at places, name -> (column, row), and arrows between them; twins are bent.

    The output is the box farthest to the right.
    Values stand above the arrows, shares of adjoints below; the box whose turn it is is filled.
    """
    (arrows, now), ax = walked, figure.subplots()
    right = max(places.values())
    ends = places | {"": (right[0] + 0.9, right[1])}
    for name, place in places.items():
        frame = dict(boxstyle="round,pad=0.3", facecolor="#FFE9B0" if name == now else "white", edgecolor="0.3")
        ax.annotate(name, place, ha="center", va="center", fontsize="medium", bbox=frame, zorder=3)
    pairs = [arrow[:2] for arrow in arrows]
    for k, (start, end, value, share) in enumerate(arrows):
        tail, tip = np.array(ends[start]), np.array(ends[end])
        bend = 0 if pairs.count((start, end)) == 1 else 1 if (start, end) not in pairs[:k] else -1
        curve = dict(arrowstyle="-|>", color="0.5", shrinkA=16, shrinkB=16, connectionstyle=f"arc3,rad={-0.5 * bend}")
        ax.annotate("", tip, tail, arrowprops=curve, zorder=1)
        middle = (tail + tip) / 2 + [0, 0.42 * bend]
        for text, lift, align, color in ((value, 3, "bottom", LINES[0]), (share, -3, "top", LINES[1])):
            form = dict(ha="center", va=align, fontsize=7, family="monospace", color=color, zorder=2)
            form["bbox"] = dict(boxstyle="square,pad=0", facecolor="white", edgecolor="none", alpha=0.8)
            ax.annotate(_text(text), middle, (0, lift), textcoords="offset points", **form)
    columns, rows = zip(*ends.values(), strict=True)
    ax.set(xlim=(min(columns) - 0.4, max(columns)), ylim=(min(rows) - 0.6, max(rows) + 0.5))
    ax.set_axis_off()


def _text(a):
    return "" if a is None else "\n".join(" ".join(f"{v:.2f}" for v in row) for row in np.atleast_2d(a))
