"""The reference ladder against its definitions; what it refuses."""

import numpy as np
import pytest

from aelib.common.baselines import half_sse, ladder, pca


@pytest.fixture
def sets(rng):
    return rng.random((40, 6)), rng.random((15, 6))


def test_the_ladder_is_what_its_names_say(sets):
    X, Y = sets
    mean = X.mean(axis=0)
    _, _, V = np.linalg.svd(X - mean)
    expected = {"grey": 0.5, "black": 0 * mean, "mean image": mean}
    expected |= {f"PCA-{k}": mean + (Y - mean) @ V[:k].T @ V[:k] for k in (1, 2, 3)}
    levels = ladder(X, Y)
    assert list(levels) == list(expected)
    for name, Z in expected.items():
        assert levels[name] == pytest.approx(0.5 * np.mean(np.sum((Y - Z) ** 2, axis=1)), rel=1e-10), name
    assert pca(X, Y)[1] == pytest.approx(levels["PCA-2"], rel=1e-10)


def test_small_sets_and_single_precision(sets):
    X, Y = (part.astype("float32") for part in sets)
    one = ladder(X, Y[:1], components=[6])
    assert one["PCA-6"] == pytest.approx(0, abs=1e-10)
    assert one["grey"] == pytest.approx(0.5 * np.sum((Y[0].astype(float) - 0.5) ** 2), rel=1e-6)
    assert ladder(X[:2], Y, components=[1])["black"] == pytest.approx(ladder(*sets)["black"], rel=1e-6)


def test_equal_images_and_one_number_of_components(sets):
    same = np.full((9, 6), 0.25)
    assert ladder(same, same, 2) == {"grey": 0.1875, "black": 0.1875, "mean image": 0.0, "PCA-2": 0.0}


@pytest.mark.parametrize("components", [0, -1, 7, 1.5, "2", None])
def test_components_that_cannot_be_are_named(sets, components):
    for call in (lambda: pca(*sets, components), lambda: ladder(*sets, (2, components))):
        with pytest.raises(ValueError, match=r"components is .* and whole numbers from 1 to 6"):
            call()


def test_axes_are_kept_for_images_that_nobody_can_change(sets, monkeypatch):
    (X, Y), calls, eigh = sets, [], np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda C: calls.append(C) or eigh(C))
    before = ladder(X, Y)["PCA-2"]
    X *= 2
    assert ladder(X, 2 * Y)["PCA-2"] == pytest.approx(4 * before) and len(calls) == 2
    for sought, locked in ((3, X.copy()), (5, X.copy())):
        locked.setflags(write=False)
        assert ladder(locked, Y) == ladder(locked, Y) and len(calls) == sought
        assert ladder(locked, Y, 1)["PCA-1"] == pytest.approx(ladder(locked, Y)["PCA-1"]) and len(calls) == sought + 1
    seen = X.view()
    seen.setflags(write=False)  # but X can be written to
    assert ladder(seen, Y) == ladder(seen, Y) and len(calls) == 8


def test_images_that_cannot_be_are_named(sets):
    X, Y = sets
    bad = X.copy()
    bad[3, 2] = np.nan
    for function in (pca, ladder):
        for pair, sentence in [
            ((X[:1], Y), "expected two images or more"),
            ((bad, Y), "image 3 of X_train holds nan"),
            ((X, bad), "image 3 of X_test holds nan"),
            ((X, Y[:, :5]), r"X_test has shape \(15, 5\): expected one image per row, \(n, 6\)"),
            ((X[0], Y), r"X_train has shape \(6,\)"),
            ((3.0, Y), r"X_train has shape \(\)"),
            ((np.uint8(255 * X), Y), "X_train has dtype uint8"),
            ((X[:0], Y), r"X_train has shape \(0, 6\)"),
        ]:
            with pytest.raises(ValueError, match=sentence):
                function(*pair)
    with pytest.raises(ValueError, match="expected two images"):
        ladder(X, Y, components=())


@pytest.mark.parametrize("other", [np.zeros(6), np.zeros((40, 1)), np.zeros((1, 6)), 0.5, np.zeros((40, 6, 1))])
def test_half_sse_compares_like_with_like(sets, other):
    with pytest.raises(ValueError, match=r"expected images in rows, twice the same \(n, D\)"):
        half_sse(sets[0], other)


def test_half_sse_of_other_numbers():
    X, Z = np.array([[0, 255], [3, 4]], "uint8"), np.array([[255, 0], [0, 0]], "uint8")
    assert half_sse(X, Z) == (255**2 + 12.5) / 2  # nothing wraps round
    assert half_sse(X.tolist(), Z.tolist()) == half_sse(X, Z)
    assert np.isnan(half_sse(np.full((1, 2), np.nan), np.zeros((1, 2))))
    for pair in ((X + 1j, Z), (X.astype(str), Z), (X[:0], Z[:0])):
        with pytest.raises(ValueError, match="expected"):
            half_sse(*pair)
