import numpy as np
import pytest
from matplotlib.figure import Figure

from aelib.common.settings import NETS, Settings
from aelib.study.kinds import Run
from aelib.study.results import Result
from aelib.trial import evidence


def run(losses, net="784-2", method="Adam", **arrays):
    """A result whose test loss is logged at the end of each epoch of one update."""
    settings = Settings(NETS[net], method=method, step=0.01, images=100, epochs=len(losses))
    update = np.arange(1, len(losses) + 1)
    columns = dict(update=update, images=100 * update, test_loss=np.array(losses)) | arrays
    return Result(Run(settings), "done", {}, columns)


def test_epochs():
    results = [run([9.0, 5.0, 3.0]), run([9.0, 8.0, 4.0])]
    assert evidence.epoch_ends(results, 2, 3).tolist() == [[5.0, 3.0], [8.0, 4.0]]
    assert evidence.waking(results, 6).tolist() == [2.0, 3.0]
    assert evidence.after(2)(results[1]) == 8.0


def test_confusion_of_separate_and_of_mixed_classes(rng):
    labels = np.tile(np.arange(10), 200).astype(np.uint8)
    apart = np.stack([10.0 * labels, np.zeros(2000)], axis=1) + 0.1 * rng.standard_normal((2000, 2))
    np.testing.assert_array_equal(evidence.confused(apart, labels, n_train=1500), 50 * np.eye(10))
    apart[labels == 5] = apart[labels == 3][rng.permutation(200)]
    counts = evidence.confused(apart, labels, n_train=1500)
    np.testing.assert_array_equal(counts.sum(axis=1), 50)
    overlaps = dict(zip(evidence.PAIRS, evidence.overlaps(counts), strict=True))
    assert overlaps.pop((3, 5)) == counts[3, 5] + counts[5, 3] > 25 and not any(overlaps.values())


def test_pairs_of_digits_are_refused_on_other_labels(rng):
    codes, labels = rng.standard_normal((60, 2)), np.tile([1, 2, 3], 20).astype(np.uint8)
    for use in (lambda: evidence.confused(codes, labels, n_train=45), lambda: evidence.closeness(codes, labels)):
        with pytest.raises(ValueError, match=r"expected images of each label 0 to 9, got \[1, 2, 3\]"):
            use()
    with pytest.raises(ValueError, match=r"each label 0 to 9, got \[\]"):
        evidence.confused(codes, labels, n_train=60)


def test_climbs_are_over_seeds():
    rows = [dict(update=np.array([0, 1]), cosines=np.array([[0.0, *[a] * 5], [a] * 6])) for a in (0.5, 1)]
    found = evidence.climbs([run([1.0], **row) for row in rows])
    assert set(found) == {("784-2", "gradient"), ("784-2", "random")}
    at, low, middle, high = found["784-2", "gradient"]
    assert at.tolist() == [0, 1] and (low[1], middle[1], high[1]) == (0.5, 0.75, 1)


def test_crossed_means_are_over_seeds_of_a_cell():
    assert evidence.crossed([run([4.0]), run([6.0])]) == {(100, 0.01): 5.0}
    assert evidence.crossed([run([4.0]), run([6.0])], evidence.after(2)) == {}  # no run made two updates


@pytest.mark.parametrize("name", ["cosines", "climbing", "dots", "map"])
def test_panels_draw_with_title_and_labels(name, rng, mnist):
    figure = Figure(figsize=(4, 4), layout="constrained")
    ax = figure.subplots()
    x, Z = np.arange(1, 9), rng.standard_normal((100, 2))
    panels = {
        "cosines": (evidence.cosines, rng.uniform(-1, 1, 50), "title"),
        "climbing": (evidence.climbing, {("net", "random"): (x, x / 9, x / 8, x / 7)}),
        "dots": (evidence.dots_by_name, {"a": [1.0, 2.0], "b": [3.0]}, "share"),
        "map": (evidence.code_map, Z, rng.integers(0, 10, 100), "title"),
    }
    function, *arguments = panels[name]
    function(ax, *arguments)
    figure.canvas.draw()
    assert ax.get_title() and ax.get_xlabel() + ax.get_ylabel()
