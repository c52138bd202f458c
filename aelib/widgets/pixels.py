"""Pixels drawn before, used again: what looks as it did, and is drawn on what it was drawn on, comes out the same.

In a picture that changes little by little, most of the time goes into axes and words that did not change. ``Pixels``
keeps what drawing them did: the pixels before and after. So it needs no rules about order, overlap or transparency.
"""

from collections import ChainMap
from functools import partial

import numpy as np

_PICTURES = 4  # are remembered: who drags a slider often drags it back
_MARGIN = 2  # pixels around those that changed: drawing may have touched them too, without a change
_WORDS = ("color", "alpha", "rotation", "rotation_mode", "ha", "va", "zorder", "usetex", "path_effects")
_LINES = ("color", "alpha", "linewidth", "linestyle", "marker", "markersize", "markeredgewidth", "markeredgecolor")


class Pixels:
    """The pixels of an Agg canvas of fixed size, and what drawing did to them in the last few pictures."""

    def __init__(self, canvas):
        self._renderer = canvas.get_renderer()
        width, height = canvas.get_width_height(physical=True)
        self._pixels = np.frombuffer(self._renderer.buffer_rgba(), np.uint32).reshape(height, width)
        self._now, self._known = {}, ChainMap()  # this picture's, those of the last few
        self._renderer.draw_text = partial(self._text, self._renderer.draw_text)

    def begin(self):
        """Begin a picture: what was not drawn in the last few is forgotten."""
        self._now, self._known = {}, ChainMap(self._now, *self._known.maps[: _PICTURES - 1])

    def watch(self, ax):
        """Have the axes of an Axes draw themselves by pixels of an earlier time where they can."""
        for axis in (ax.xaxis, ax.yaxis):
            axis.draw = partial(self._axis, axis, axis.draw)
            axis.get_tightbbox = partial(self._box, axis, axis.get_tightbbox)

    def _draw(self, key, draw, window=lambda: ...):
        """Do what ``draw()`` does, inside the window; ``key`` must tell all that it depends on but the pixels there."""
        if key not in self._known:
            self._now[key] = None  # to be kept if it is drawn a second time
            return draw()
        self._now[key] = self._known[key]
        if self._now[key]:
            inside, box, before, after = self._now[key]
            if np.array_equal(self._pixels[inside][box], before):
                self._pixels[inside][box] = after
                return None
        inside = window()
        pixels = self._pixels[inside]
        whole = pixels.copy()
        draw()
        changed = pixels != whole
        places = [np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0)]
        if places[0].size:
            box = tuple(slice(max(0, at[0] - _MARGIN), at[-1] + 1 + _MARGIN) for at in places)
            self._now[key] = inside, box, whole[box].copy(), pixels[box].copy()  # or all of it would be kept
        return None

    def _text(self, draw, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        """Draw a line of text, as ``RendererAgg.draw_text``."""

        def window():
            reach = 4 + sum(self._renderer.get_text_width_height_descent(s, prop, ismath))
            ends = (np.clip((y + far, x + far), 0, self._pixels.shape).astype(int) for far in (-reach, reach))
            return tuple(map(slice, *ends))

        work = partial(draw, gc, x, y, s, prop, angle, ismath=ismath, mtext=mtext)
        more = [getattr(mtext, name)() for name in ("get_fontfeatures", "get_language") if hasattr(mtext, name)]
        if any(more) or gc.get_clip_path()[0] is not None:
            return work()
        clip, style = gc.get_clip_rectangle(), (gc.get_rgb(), gc.get_alpha(), gc.get_antialiased(), gc.get_snap())
        return self._draw((s, x, y, angle, ismath, hash(prop), style, clip and clip.bounds), work, window)

    def _axis(self, axis, draw, renderer):
        if renderer is self._renderer and len(axis.get_majorticklocs()):
            self._draw(_looks(axis), partial(draw, renderer))
        else:
            draw(renderer)

    def _box(self, axis, measure, renderer=None, **options):
        if not len(axis.get_majorticklocs()):
            return measure(renderer, **options)
        key = "box", _looks(axis), *options.items()
        self._now[key] = self._known[key] if key in self._known else measure(renderer, **options)
        return self._now[key]


def _looks(axis):
    """Return all that the picture of an axis depends on, to be compared."""
    at = axis.get_majorticklocs(), axis.get_minorticklocs()
    formatters = axis.get_major_formatter(), axis.get_minor_formatter()
    words = [tuple(formatter.format_ticks(places)) for formatter, places in zip(formatters, at, strict=True)]
    places = [tuple(axis.get_transform().transform(values)) for values in (axis.get_view_interval(), *at)]
    label = axis.get_label_text(), axis.labelpad, axis.get_label_position(), styles(axis.label, axis.offsetText)
    spines = [str(spine.get_position()) for spine in axis.axes.spines.values()]
    rest = axis.axes.bbox.bounds, axis.get_visible(), formatters[0].get_offset(), tick_styles(axis, *map(len, at))
    return axis.axis_name, *words, *places, *label, *spines, *rest


def tick_styles(axis, *most):
    """Return the styles of an axis's ticks, of ``most`` so many major and minor ones; one style where all are alike."""
    found = []
    for ticks, n in zip((axis.majorTicks, axis.minorTicks), most or (None, None), strict=True):
        each = [(tick.get_pad(), *styles(*tick.get_children())) for tick in ticks[: n and max(1, n)]]
        found.append(tuple(each if len(set(each)) > 1 else each[:1]))
    return tuple(found)


def styles(*parts):
    """Return how words and lines look wherever they stand; that of what is not visible does not matter."""
    return tuple(part.get_visible() and _style(part) for part in parts)


def _style(part):
    names, font = (_WORDS, hash(part.get_fontproperties())) if hasattr(part, "get_text") else (_LINES, None)
    return font, *(str(getattr(part, f"get_{name}")()) for name in names)
