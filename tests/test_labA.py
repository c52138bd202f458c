"""What lab A draws: no point of the roofline can be taken for another one."""

import numpy as np
from matplotlib.figure import Figure

from aelib.labs import labA


def test_each_point_of_the_roofline_has_a_mark_and_the_mark_a_name():
    """Even where all points are at one place."""
    roof = {"peak": 1e11, "from memory": 1e10, "from the cache": 1e11}
    names = {"products": ["a", "b", "c", "d", "e", "f"], "entry by entry": ["g", "h"]}
    points = {kind: (each, [1.0] * len(each), [1e10] * len(each)) for kind, each in names.items()}
    figure = Figure(layout="constrained")
    labA.draw_roofline(figure, (roof, points))
    (ax,) = figure.axes
    single = [line for line in ax.lines if len(line.get_xdata()) == 1]
    marks = {(line.get_marker(), line.get_color()) for line in single if line.get_transform() == ax.transData}
    assert len(marks) == 8 and len({marker for marker, _ in marks}) == 8
    keys = {line.get_ydata()[0]: line for line in single if line.get_transform() != ax.transData}
    found = {text.get_text(): keys.get(text.get_position()[1]) for text in ax.texts}
    assert list(found) == ["products", *"abcdef", "entry by entry", *"gh"]
    assert {(found[name].get_marker(), found[name].get_color()) for name in "abcdefgh"} == marks
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(not a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    assert np.min([box.x0 for box in boxes]) > ax.get_window_extent().x1
