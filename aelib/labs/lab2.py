"""Lab 2, checks of derivatives: the step's V curves, kinks, and seven bugs planted while the checks run."""

from unittest import mock

import numpy as np
import pandas as pd
from ipywidgets import Dropdown, SelectionSlider

from aelib import checks, load_mnist, passes
from aelib.checks import compare, directional_derivative
from aelib.common import plots, settings
from aelib.common.tables import table
from aelib.linearization import Linearization
from aelib.study.results import load
from aelib.trial import evidence
from aelib.widgets import Explorer, picture, start_lab

METHODS = ("forward", "central", "complex")
STEPS = 10.0 ** np.r_[-1:-20:-0.5, -20:-201:-20]  # of the V curves


def start():
    """Make the kernel ready; return 20 digits (20, 784), and a smooth network: 784-30-2-30-784 with tanh."""
    start_lab()
    X = load_mnist().train_images[:20].astype(np.float64)
    return X, trained((784, 30, 2, 30, 784), hidden="tanh", output_bias="zero")


def trained(sizes, **changes):
    """Return a network in float64 after 20 updates of Adam, step 0.001, on batches of 100 of 2,000 digits."""
    run = settings.Settings(sizes, step=0.001, images=2000, epochs=1, **changes)
    model = run.trace(load_mnist().train_images, at=[20]).model
    return model.with_theta(model.theta.astype(np.float64))


def direction(theta, seed=0):
    """Return a random direction like theta, and as long as theta."""
    p = np.random.default_rng(seed).standard_normal(theta.size)
    return (p * np.linalg.norm(theta) / np.linalg.norm(p)).astype(theta.dtype)


# -- the step --------------------------------------------------------------------------------------------------------


class Steps:
    """The derivative of a network's gradient along one direction, by all methods, in two precisions, at all steps.

    Args:
        model: an ``Autoencoder`` in float64.
        X: images, (n, D).

    Attributes:
        exact: Hp by the package's passes, (n_params,).
        cases: dict, precision -> (gradient as a function of theta, theta, p).
        errors: dict, (precision, method) -> relative error at each of ``STEPS``; nan where nothing came out.
    """

    def __init__(self, model, X):
        self.exact, self.cases, self.errors = model.hvp(X, direction(model.theta)), {}, {}
        for precision in ("float64", "float32"):
            theta = model.theta.astype(precision)
            self.cases[precision] = lambda t: model.with_theta(t).loss_and_grad(X)[1], theta, direction(theta)
            for method in METHODS:
                self.errors[precision, method] = np.array([self.error(precision, method, eps) for eps in STEPS])

    def estimate(self, precision, method, eps):
        """Return the derivative by one method with one step, (n_params,)."""
        with np.errstate(all="ignore"):  # float32 has no 1e-50: there the quotient is 0 / 0
            return directional_derivative(*self.cases[precision], method, float(eps))

    def error(self, precision, method, eps):
        """Return the relative error of one estimate."""
        return compare(self.estimate(precision, method, eps), self.exact).relative_error

    def arithmetic(self, precision, method, eps):
        """Return, by name, what one quotient is made of, for the entry of the gradient where |Hp| is largest."""
        ends = {"forward": {"θ+εp": 1, "θ": 0}, "central": {"θ+εp": 1, "θ-εp": -1}, "complex": {"θ+iεp": 1j}}
        (f, theta, p), k = self.cases[precision], np.argmax(np.abs(self.exact))
        with np.errstate(all="ignore"):
            found = {f"∇F at {name}": f(theta + e * eps * p)[k] for name, e in ends[method].items()}
        return found | {"quotient": self.estimate(precision, method, eps)[k], "exact": self.exact[k]}

    def explore(self):
        """Return an ``Explorer``: the V curves, a ring at the step chosen, and the arithmetic of one entry below."""

        def compute(eps, method, precision):
            error = self.error(precision, method, eps)
            return dict(eps=eps, error=error, precision=precision, entries=self.arithmetic(precision, method, eps))

        def draw(figure, found):
            ax, below = figure.subplots(2, 1, height_ratios=[4, 1])
            lines = {method: (STEPS, self.errors[found["precision"], method]) for method in METHODS}
            plots.curves(ax, lines, f"step ε ({found['precision']})", "relative error of the derivative", log=True)
            ax.plot(found["eps"], found["error"], "o", ms=11, mfc="none", mec="k", mew=2)
            left = 1e-20 if found["eps"] >= 1e-20 else 1e-200
            ax.set(xscale="log", xlim=(left, 1), ylim=(1e-17, 1e3))
            text = "\n".join(f"{name:<11} {value:+.15e}" for name, value in found["entries"].items())
            below.text(0, 1, text, family="monospace", va="top")
            below.set_axis_off()

        options = [(f"{eps:.0e}", eps) for eps in STEPS[::-1].tolist()]
        slider = SelectionSlider(options=options, value=1e-12, description="step ε", layout={"width": "54em"})
        menus = dict(method=Dropdown(options=METHODS), precision=Dropdown(options=list(self.cases)))
        return Explorer(compute, draw, size=(9, 4.6), eps=slider, **menus)

    def best(self):
        """Return a table: least error of each method, its step, and the error at the step that theory expects."""
        rows = []
        for (precision, method), error in self.errors.items():
            below = STEPS < 1e-8 if precision == "float64" else (STEPS < 1e-4) & (STEPS > 1e-33)
            k = int(np.nanargmin(error))
            row = {"precision": precision, "method": method}
            if method == "complex":
                row |= {
                    "least error": None,
                    "at ε": None,
                    "largest error of all small steps": float(error[below].max()),
                }
            else:
                row |= {
                    "least error": float(error[k]),
                    "at ε": float(STEPS[k]),
                    "largest error of all small steps": None,
                }
            rows.append(row)
        caption = "Relative error of the derivative; small: from 1e-8 to 1e-200 (float64), 1e-4 to 1e-33 (float32)"
        return table(rows, caption, digits=dict.fromkeys(list(rows[0])[2:], ".0e"))


def authors_judge(tests):
    """Return a table of ``evidence.authors_tests``: the errors of p . grad F and of Hp by the judge's step."""
    rows = []
    for eps, own in tests.groupby("eps", sort=False):
        row = {
            "judge's step ε": f"{eps:.0e}",
            "∇F·p, median": own["gradient"].median(),
            "largest": own["gradient"].max(),
        }
        rows.append(row | {"Hp, median": own["Hp"].median(), "largest ": own["Hp"].max()})
    forms = dict.fromkeys(list(rows[0])[1:], ".1e")
    return table(rows, f"The author's test on {tests['seed'].nunique()} seeds: relative errors", digits=forms)


def authors_truncation(tests, seeds=5):
    """Return a table: the difference between p . grad F and the judge of step 1e-8, and what truncation explains."""
    own = tests[(tests["eps"] == 1e-8) & (tests["seed"] < seeds)]
    frame = pd.DataFrame({"seed": own["seed"], "∇F·p less the judge": own["difference"], "ε²F‴/6": own["predicted"]})
    forms = dict.fromkeys(frame.columns[1:], "+.2e")
    return table(frame.reset_index(drop=True), "The judge's step is 1e-8: measured, and predicted", digits=forms)


# -- three networks, three methods -----------------------------------------------------------------------------------


def errors_by_method(models, X):
    """Return a table of the errors of gradient and Hp against each method, a row a network and method."""
    rows = []
    for name, model in models.items():
        at = model.linearize(X)

        def loss(theta, model=model):
            return model.with_theta(theta).loss(X)

        def gradient(theta, model=model):
            return model.with_theta(theta).loss_and_grad(X)[1]

        for method in METHODS:
            same = dict(theta=model.theta, blocks=model.blocks, method=method, tolerance=1e9)
            of_gradient = checks.check_gradient(loss, lambda theta, at=at: at.grad, directions=2, **same)
            of_Hp = checks.check_product(at.hvp, gradient, **same)
            errors = {"∇F": of_gradient.relative_error, "Hp": of_Hp.relative_error}
            rows.append({"network": name, "method": method} | errors)
    return table(rows, "Relative error of ∇F and Hp against each method", digits=dict.fromkeys(("∇F", "Hp"), ".0e"))


# -- kinks -----------------------------------------------------------------------------------------------------------


def kinks(model, X, layers=(1, 3)):
    """Return a ``DataFrame``: error of the central difference of the gradient, and sign changes of u, by step."""
    p, rows = direction(model.theta), []
    exact = model.hvp(X, p)
    for eps in 10.0 ** np.arange(0, -8.5, -0.5):
        plus, minus = (model.with_theta(model.theta + e * p).linearize(X) for e in (eps, -eps))
        a, b = plus.primal.u, minus.primal.u
        changes = sum(int(np.sum((a[l] > 0) != (b[l] > 0))) for l in layers)
        error = compare((plus.grad - minus.grad) / (2 * eps), exact).relative_error
        rows.append(dict(eps=eps, error=error, changes=changes))
    return pd.DataFrame(rows)


def kinks_picture(relu, softplus):
    """Return a picture of two ``kinks``: error over step, and the ReLU network's sign changes as numbers."""

    def draw(figure, found):
        title = "central difference; the numbers count pre-activations that changed sign"
        ax = figure.subplots(subplot_kw=dict(xscale="log", ylim=(1e-11, 20), title=title))
        lines = {name: (rows["eps"], rows["error"]) for name, rows in found.items()}
        plots.curves(ax, lines, "step ε", "relative error of Hp", log=True, markers=True)
        for row in found["ReLU"].itertuples():
            ax.annotate(f"{row.changes}", (row.eps, 2 * row.error), ha="center", fontsize="small")

    return picture(draw, {"ReLU": relu, "softplus": softplus}, size=(9, 3.8))


def kinks_table(relu, softplus):
    """Return the steps around the last sign change as a table."""
    last = int(np.flatnonzero(relu["changes"])[-1])
    rows = slice(last - 2, last + 3)
    frame = pd.DataFrame({"step ε": [f"{eps:.0e}" for eps in relu["eps"][rows]]})
    frame["signs changed"] = relu["changes"][rows].to_numpy()
    frame["error, ReLU"], frame["error, softplus"] = relu["error"][rows].to_numpy(), softplus["error"][rows].to_numpy()
    forms = {"error, ReLU": ".0e", "error, softplus": ".0e"}
    return table(frame, "Around the last sign change: relative error of the central difference", digits=forms)


def on_its_kink(model, X, distance=1e-9):
    """Return a copy of a ReLU network in which one unit of layer 1 stands a little above its kink, for one image.

    The unit is the one on which the loss depends most.
    """
    moved, at = model.with_theta(model.theta.copy()), model.linearize(X)
    adjoint = np.abs(at.adjoint.grad_z[1])  # (n, n_1)
    image, unit = np.unravel_index(adjoint.argmax(), adjoint.shape)
    moved.layers[0].b[unit] -= at.primal.u[1][image, unit] - distance
    return moved


# -- G against H on the way --------------------------------------------------------------------------------------------


def climbs():
    """Return the stored cosines of Hp and Gp on the way: see ``evidence.climbs``."""
    return evidence.climbs(load("curvature"))


def climbs_picture(found):
    """Return a picture of ``climbs``: along the gradient (left), along random directions (right)."""

    def draw(figure, lines):
        for ax, name in zip(figure.subplots(1, 2, sharey=True), ("gradient", "random"), strict=True):
            evidence.climbing(ax, {key: line for key, line in lines.items() if key[1] == name})

    return picture(draw, found, size=(10, 3.6))


def climbs_table(found, updates=(1, 2, 5, 10, 100)):
    """Return a table: the least cosine over the seeds, by net and update; along the gradient, and last at random."""
    rows = []
    for (net, kind), (at, least, *_) in found.items():
        if kind == "gradient":
            row = {"network": net} | {f"update {k}": float(least[at == k][0]) for k in updates if k in at}
            at_random, least_at_random, *_ = found[net, "random"]
            row["lowest from 100 on"] = float(least[at >= 100].min())
            rows.append(row | {"the same, random p": float(least_at_random[at_random >= 100].min())})
    return table(rows, "Cosine of Hp and Gp along the gradient (last column: along random p), least of three seeds")


# -- planted bugs ------------------------------------------------------------------------------------------------------

_rp_forward, _rp_backward = passes.rp_forward, passes.rp_backward
_hvp, _gnvp = Linearization.hvp, Linearization.gnvp


def _rp_backward_without_d2g(layers, p, primal, adjoint, tangent, R_V, out=None):
    still = passes.Tangent([0.0] * len(tangent.R_u), tangent.R_z)
    return _rp_backward(layers, p, primal, adjoint, still, R_V)


def _rp_forward_with_a_moving_constant(layers, p, primal, out=None):
    p = p.copy()
    for layer in layers:
        p[layer.b_slice] += layer.b
    return _rp_forward(layers, p, primal)


def _gnvp_that_spoils_the_cache(self, p):
    Gp = _gnvp(self, p)
    self.adjoint.grad_u[-1][:] *= 2
    return Gp


def _without_1_over_n(f):
    return lambda *a, out=None, **options: f(*a[:-1], len(a[-1]) * a[-1], **options)


_N_IN_HP = dict(rp_backward=_without_1_over_n(_rp_backward))
_N_IN_BOTH = _N_IN_HP | dict(backward=_without_1_over_n(passes.backward))
BUGS = {  # name -> (what is changed, its wrong functions by name)
    "g'' dropped": (passes, dict(rp_backward=_rp_backward_without_d2g)),
    "1/n forgotten in Hp": (passes, _N_IN_HP),
    "1/n forgotten in ∇F and in Hp": (passes, _N_IN_BOTH),
    "1/n forgotten in Gp": (Linearization, dict(gnvp=lambda self, p: len(self.output) * _gnvp(self, p))),
    "sign of Hp": (Linearization, dict(hvp=lambda self, p: -_hvp(self, p))),
    "R_p{1} = 1 for the bias": (passes, dict(rp_forward=_rp_forward_with_a_moving_constant)),
    "Gp spoils what Hp keeps": (Linearization, dict(gnvp=_gnvp_that_spoils_the_cache)),
}
COSINE = "|cos| alone"


def checks_that_fail(bug, model, X):
    """Return the names of the checks of ``check_model`` that fail with a bug planted, and of the report's own check.

    That one is ``COSINE``: it fails where the absolute cosine of Hp and its reference differs from 1 by 1e-14 or more.

    Args:
        bug: a key of ``BUGS``, or None.
        model: an ``Autoencoder``.
        X: images, (n, D).
    """
    target, wrong = BUGS[bug] if bug else (passes, dict(forward=passes.forward))
    collect = mock.patch.object(checks.Outcome, "verify", lambda self: self)  # raises nothing
    with mock.patch.multiple(target, **wrong), collect:
        outcomes = checks.check_model(model, X)
    failing = [name for name, outcome in outcomes.items() if not outcome.passed]
    return failing + [COSINE] * (abs(abs(outcomes["Hp"].rows["all"].cosine) - 1) >= 1e-14)


def who_sees_what(model, X):
    """Return a table: a row a bug, a column a check, marked where the check fails."""
    names = [*checks.check_model(model, X), COSINE]
    rows = []
    for bug in (None, *BUGS):
        failing = checks_that_fail(bug, model, X)
        seen = {name.replace("JTv", "J^T V"): "✗" if name in failing else "" for name in names}
        rows.append({"bug": bug or "none"} | seen)
    return table(rows, "✗: this check fails, that is, sees the bug")
