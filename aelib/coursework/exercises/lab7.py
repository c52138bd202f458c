"""Exercises of lab 7, curvature at work."""

import numpy as np

from aelib import Autoencoder
from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import array, ask, ask_unchanged, close, number, several
from aelib.coursework.findings import Wrong

LAB = "07_curvature_at_work"


@exercise(
    "largest_step",
    lab=LAB,
    points=1,
    hints=(
        "put r = -1, where the first root reaches absolute value 1, into r^2 = (1 + mu - alpha lambda) r - mu, and "
        "solve for the step alpha.",
        "section 3 has the stability condition as a bound on the curvature for a given step; here the step is asked "
        "for.",
        "a smaller case: without momentum x becomes (1 - alpha lambda) x. With curvature 4 and step 0.5 the factor is "
        "-1, the limit; with step 0.6 it is -1.4. Momentum moves the limit up, not down.",
    ),
)
def largest_step(answer, rng):
    """Below it the eigenvalues of one update lie inside the unit circle, above it one lies outside."""
    for case in range(8):
        curvature, momentum = 10 ** rng.uniform(-2, 3), (0.0, *rng.uniform(0.1, 0.99, 7))[case]
        step = number(answer(curvature, momentum), "the step")
        at = f"curvature {curvature:.3g}, momentum {momentum:.3g}"
        sizes = []
        for nearly in (0.999, 1.001):
            s = step * nearly
            update = np.array([[momentum, curvature], [-s * momentum, 1 - s * curvature]])  # (v, theta)
            sizes.append(float(np.abs(np.linalg.eigvals(update)).max()))
        if step <= 0 or sizes[0] > 1 + 1e-9:
            raise Wrong(f"{at}: a step 0.1 % below {step:.4g} grows by a factor of {sizes[0]:.4f} an update")
        if sizes[1] <= 1:
            raise Wrong(f"{at}: a step 0.1 % above {step:.4g} is stable too")


@exercise(
    "lanczos_step",
    lab=LAB,
    points=2,
    hints=(
        "one product A v_j is needed. What it has along v_j is a_j; take away what it has along *all* rows of V; "
        "what is left has length b_j and the direction of the new vector.",
        "a_j = v_j . A v_j is the last diagonal entry of T. Of a vector w, V.T @ (V @ w) is the part in the rows of V.",
        "a smaller case: A = [[2, 1], [1, 3]], V = [[1, 0]]: A v_1 = (2, 1), a_1 = 2, what is left is (0, 1), b_1 = "
        "1, the new vector (0, 1).",
    ),
)
def lanczos_step(answer, rng):
    """The next entries of T are a Rayleigh quotient and a length; the vector is what A v_j has outside the rows."""
    for j in rng.permutation([1, 2, 3, 4, 5]).tolist():
        n = int(rng.integers(7, 20))
        A = rng.standard_normal((n, n))
        A = A + A.T
        V = np.linalg.qr(rng.standard_normal((n, j)))[0].T
        found = ask_unchanged(answer, "A V", A, V)
        alpha, beta, v = several(found, 3, f"lanczos_step, n = {n}, {j} rows")
        w = A @ V[-1]
        slips = (("the norm of A v_j", np.linalg.norm(w)), ("it is of the first row, not of the last", V[0] @ A @ V[0]))
        close(alpha, V[-1] @ w, "a_j, the last diagonal entry of T", 1e-10, slips)
        v, beta = array(v, (n,), "the new vector"), number(beta, "b_j")
        close(np.linalg.norm(v), np.array(1.0), "the norm of the new vector")
        if np.abs(V @ v).max() > 1e-10:
            last = abs(V[-1] @ v) <= 1e-10
            more = "; to the last row it is: the others count too" if last and j > 1 else ""
            raise Wrong(f"the new vector is not orthogonal to all {j} rows of V: {np.abs(V @ v).max():.1e}{more}")
        outside = w - V.T @ (V @ w)
        length = np.linalg.norm(outside)
        if beta < 0:
            raise Wrong(f"b_j is {beta:.3g}: a length is not negative")
        slips = (("b_j is the square of the length", length**2 * v), ("b_j is 1", v))
        close(beta * v, outside, "b_j times the new vector, what A v_j has outside the rows", 1e-9, slips)


@exercise(
    "kfac_block",
    lab=LAB,
    points=2,
    hints=(
        "two small matrices are needed: A, of the inputs with a 1 appended, (p + 1, p + 1), and S, of the adjoints, "
        "(q, q). Both are means over the n rows; each gets the root of the damping on its diagonal.",
        "D stands in the task. np.linalg.solve(S, B) is S^-1 B; B A^-1 is the transpose of A^-1 B^T, as A is "
        "symmetric.",
        "a smaller case: p = q = 1, z = (1, 3), grad_u = (1, 1), grad = (2, 4), damping 1: rows (1, 1), (3, 1) give A "
        "= [[5, 2], [2, 1]], plus I: [[6, 2], [2, 2]], S + 1 = 2, and D = -1/2 (2, 4) [[6, 2], [2, 2]]^-1 = (0.25, "
        "-1.25).",
    ),
)
def kfac_block(answer, rng):
    """What it returns solves the damped system with the Kronecker product, written out."""
    for _ in range(4):
        n, p, q = (int(k) for k in rng.permutation([2, 3, 4, 5, 6])[:3])
        z, grad_u, grad = rng.standard_normal((n, p)), rng.standard_normal((n, q)), rng.standard_normal((q, p + 1))
        damping = 10 ** rng.uniform(-2, -0.3)
        found = ask_unchanged(answer, "z grad_u grad damping", z, grad_u, grad, damping)
        D = array(found, (q, p + 1), f"kfac_block, n = {n}, p = {p}, q = {q}")

        def factors(ones=1.0, over=n, root=0.5, z=z, grad_u=grad_u, n=n, p=p, q=q, damping=damping):
            rows = np.column_stack([z, np.full(n, ones)])
            A = sum(np.outer(row, row) for row in rows) / over + damping**root * np.eye(p + 1)
            return A, sum(np.outer(row, row) for row in grad_u) / over + damping**root * np.eye(q)

        def solved(A, S, grad=grad):
            return -np.linalg.inv(S) @ grad @ np.linalg.inv(A)

        slips = (
            ("the sign is wrong: a step downhill is asked for", -solved(*factors())),
            ("sums over the images where their means are meant", solved(*factors(over=1))),
            ("the damping itself is added, not its root", solved(*factors(root=1))),
            ("the input of the bias is 1, not 0", solved(*factors(ones=0.0))),
            ("this is minus the gradient", -grad),
        )
        close(D, solved(*factors()), f"D, n = {n}, p = {p}, q = {q}", 1e-7, slips)
        A, S = factors()
        close(np.kron(S, A) @ D.ravel(), -grad.ravel(), f"(S (x) A) times the answer, n = {n}, p = {p}, q = {q}", 1e-7)


@exercise(
    "bends",
    lab=LAB,
    points=2,
    hints=(
        "three models, at theta, theta + d/2 and theta + d, and the same d, P and bound at each. Of each one number: "
        "how much the loss bends along d, measured with P.",
        "the quotient stands in the task; model.hvp(X, d) is H d at the theta of that model; d^T P d with a diagonal "
        "P is a sum of P_i d_i^2.",
        "a smaller case: H = [[4, 0], [0, 1]] everywhere, d = (1, 1), P = (2, 3), bound 10: d.Hd = 5, d.Pd = 5, so "
        "0.1 three times.",
    ),
)
def bends(answer, rng):
    """At start, middle and end: the second difference of the loss along d, over d^T P d and the bound."""
    for _ in range(3):
        seed = int(rng.integers(100))
        model, given = (Autoencoder([6, 4, 2, 4, 6], hidden="tanh", seed=seed) for _ in range(2))
        X, d = rng.random((8, 6)), rng.standard_normal(model.theta.size)
        P, bound = rng.random(d.size) + 0.1, 10 ** rng.uniform(-1, 2)
        found = array(ask(lambda *a, given=given: answer(given, *a), X, d, P, bound), (3,), "bends")
        if not np.array_equal(given.theta, model.theta):
            raise Wrong("model.theta was changed: an argument stays as it is, copy what you change")
        at = [model.with_theta(model.theta + t * d) for t in (0, 0.5, 1)]
        slope = lambda t, model=model, X=X, d=d: model.with_theta(model.theta + t * d).loss_and_grad(X)[1] @ d  # noqa: E731
        bend = np.array([(slope(t + 1e-5) - slope(t - 1e-5)) / 2e-5 for t in (0, 0.5, 1)])
        expected, length = bend / (d @ (P * d)) / bound, d @ (P * d)
        slips = (
            ("the metric is not used: d^T d stands below", bend / (d @ d) / bound),
            ("the metric is inverted: d^T P^-1 d stands below", bend / (d @ (d / P)) / bound),
            ("not divided by the bound", bend / length),
            ("not divided by d^T P d", bend / bound),
            (
                "Gauss-Newton's product where that of the Hessian is meant",
                [d @ m.gnvp(X, d) / length / bound for m in at],
            ),
            ("start and end are exchanged", expected[::-1]),
            ("all three are taken at the start", np.repeat(expected[:1], 3)),
            ("all three are taken at the end", np.repeat(expected[2:], 3)),
        )
        close(found, expected, "curvature / bound at start, middle and end", 1e-5, slips)


question(
    "7.5",
    (
        "write A_1 in its eigenvectors: what does the inverse do with the part of the gradient along each of them?",
        "section 6 has the gradient between two inverses, S^-1 grad A^-1, and says what A_l and S_l are means of; lab "
        "5 has the principal components.",
        "a smaller case: images (3, 0), (-3, 0), (0, 1), (0, -1): A_1 is diagonal with 4.5 and 0.5. The gradient (9, "
        "1) over it is (2, 2): both directions move alike. Which of the numbers here change when theta does?",
    ),
)
