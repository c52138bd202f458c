import numpy as np
import pytest
from matplotlib.figure import Figure

from aelib import load_mnist
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
    with pytest.raises(ValueError, match=r"expected images of each label 0 to 9, got \[1, 2, 3\]"):
        evidence.confused(codes, labels, n_train=45)
    with pytest.raises(ValueError, match=r"each label 0 to 9, got \[\]"):
        evidence.confused(codes, labels, n_train=60)


def test_climbs_are_over_seeds():
    rows = [dict(update=np.array([0, 1]), cosines=np.array([[0.0, *[a] * 5], [a] * 6])) for a in (0.5, 1)]
    found = evidence.climbs([run([1.0], **row) for row in rows])
    assert set(found) == {("784-2", "gradient"), ("784-2", "random")}
    at, low, middle, high = found["784-2", "gradient"]
    assert at.tolist() == [0, 1] and (low[1], middle[1], high[1]) == (0.5, 0.75, 1)


@pytest.mark.parametrize("name", ["cosines", "climbing", "map"])
def test_panels_draw_with_title_and_labels(name, rng, mnist):
    figure = Figure(figsize=(4, 4), layout="constrained")
    ax = figure.subplots()
    x, Z = np.arange(1, 9), rng.standard_normal((100, 2))
    panels = {
        "cosines": (evidence.cosines, rng.uniform(-1, 1, 50), "title"),
        "climbing": (evidence.climbing, {("net", "random"): (x, x / 9, x / 8, x / 7)}),
        "map": (evidence.code_map, Z, rng.integers(0, 10, 100), "title"),
    }
    function, *arguments = panels[name]
    function(ax, *arguments)
    figure.canvas.draw()
    assert ax.get_title() and ax.get_xlabel() + ax.get_ylabel()


def test_levels_are_crossed_on_a_line_between_two_moments():
    falling = run([20.0, 18.0, 17.0])
    assert [evidence.first_below(falling, level) for level in (21, 19.5, 18, 17.25)] == [1, 1.25, 2, 2.75]
    assert evidence.first_below(falling, 10) == 3  # one that never is counts with its length


def test_rises_begin_after_the_third_epoch():
    assert evidence.rise(run([9.0, 20.0, 5.0, 4.0, 4.5, 3.0])) == 0.5


def test_the_judge_of_the_authors_test_errs_by_its_truncation():
    """The error of the complex step is eps^2 / 6 times the third derivative at 1e-8, and round-off at 1e-20."""
    coarse, _, fine = (own for _, own in evidence.authors_tests(seeds=5).groupby("eps", sort=False))
    np.testing.assert_allclose(coarse["difference"], coarse["predicted"], rtol=0.02, atol=2e-15)
    assert coarse["Hp"].min() > 1e-13 and max(fine["gradient"].max(), fine["Hp"].max(), fine["Gp"].max()) < 1e-14


def test_a_bend_keeps_angles_and_order_about_the_median(rng):
    codes = rng.standard_normal((50, 2)) * [1, 20] + [5, -3]
    bent, centre = evidence.redrawn(codes), np.median(codes, axis=0)
    before, after = (np.linalg.norm(z, axis=1) for z in (codes - centre, bent))
    np.testing.assert_allclose(after, np.log1p(before))
    np.testing.assert_allclose(bent / after[:, None], (codes - centre) / before[:, None])
    np.testing.assert_allclose(evidence.redrawn(codes + 100), bent)


def test_clusters_that_are_digits_are_found_again(rng):
    labels = np.concatenate([load_mnist().train_labels, load_mnist().test_labels])
    apart = np.stack([np.cos(0.63 * labels), np.sin(0.63 * labels)], axis=1) * 30 + rng.standard_normal((70_000, 2))
    found, lost = (
        evidence.map_scores([run([1.0], codes=codes)]).iloc[0] for codes in (apart, rng.standard_normal((70_000, 2)))
    )
    assert found.accuracy > 0.95 and min(found[name] for name in evidence.CLUSTERERS) > 0.9
    assert lost.accuracy < 0.2 and max(lost[name] for name in evidence.CLUSTERERS) < 0.05
