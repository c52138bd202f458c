import numpy as np
import pytest
from matplotlib.figure import Figure

from aelib.common.settings import Settings
from aelib.labs import live

SIZES = (784, 5, 2, 5, 784)


@pytest.mark.parametrize(("batch", "epochs"), [(50, 3), (20, 1), (1000, 2)])
def test_a_growing_run_is_the_run_itself(mnist, monkeypatch, batch, epochs):
    """What is measured on the way is what ``trace`` measures; between, and only there, None lets others in."""
    monkeypatch.setattr(live, "_TURN", 0)
    run = Settings(SIZES, images=1000, batch=batch, epochs=epochs)
    X, measure = mnist.train_images[:2000], dict(loss=lambda model: model.loss(mnist.test_images[:100]))
    yielded = list(live.grow(run, X, measure))
    found = [result for result in yielded if result is not None]
    end, trace = found[-1], run.trace(X, at=found[-1]["update"], measure=measure)
    assert end["update"][0] == 0 and end["update"][-1] == run.updates and len(yielded) == run.updates + 1
    np.testing.assert_array_equal(end["loss"], trace.loss)
    np.testing.assert_array_equal(end["epoch"], trace.epoch)
    assert [len(result["loss"]) for result in found] == list(range(1, len(found) + 1))  # each is a new one


def test_a_run_that_diverges_says_so_in_its_title(mnist):
    run = Settings(SIZES, images=1000, batch=50, method="SGD", step=1e30)
    *_, end = live.grow(run, mnist.train_images, dict(loss=lambda model: model.loss(mnist.test_images[:100])))
    ax = Figure().subplots()
    live.draw_growing(ax, "update", end, {"step 0.1": end | dict(loss=[20.0] * len(end["loss"]))}, {"PCA-2": 21.82})
    assert "training diverged" in end["note"] and ax.get_title().endswith(end["note"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["now", "step 0.1"]
    assert ax.texts[0].get_text() == "PCA-2 21.82"
