"""The study's experiments, declared: each is a named list of runs. Nothing is computed here.

``aelib.study.kinds`` says what a ``Run``, a ``Map`` and a ``Race`` are. ``EXPERIMENTS`` holds the lists by name;
``aelib.study`` runs, stores and loads them.

What is called the report's settings comes from its author's public code (GitHub, ospanoff/MMP_magistracy, folder
DL/task1, state of 12 October 2017): initialiser, biases in every layer but the last, activations, step, batch, weight
decay, the optimizers' coefficients, 33 epochs. The data differ: he split all 70,000 images 75 to 25 without a seed; the
study takes MNIST's own 60,000 and 10,000.
"""

import itertools
from dataclasses import replace

from aelib.common.settings import NETS, Settings
from aelib.study.kinds import Map, Race, Run

AUTHOR = {  # the nets of the report -> the activations of their hidden layers
    "784-2": "relu",  # has none but the code
    "784-200-2": "leaky_relu",
    "784-400-200-2": ("relu", "leaky_relu", "leaky_relu", "relu"),
}
DECAYS = {"SGD": 0.999, "RMSprop": 0.9, "Adam": 0.99}  # SGD uses none
STEPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6)
BATCHES = (20, 50, 100, 500, 1000, 10_000, 60_000)
CANDIDATES = {  # (net, method) -> the steps tried; where the best stood at an end, the list grew until it did not
    ("784-2", "SGD"): (0.02, 0.05, 0.1, 0.2, 0.3),
    ("784-2", "RMSprop"): (3e-4, 5e-4, 0.001, 0.002, 0.005, 0.01, 0.02),
    ("784-2", "Adam"): (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05),
    ("784-200-2", "SGD"): (0.01, 0.02, 0.03, 0.05, 0.1),
    ("784-200-2", "RMSprop"): (3e-4, 5e-4, 0.001, 0.002, 0.005),
    ("784-200-2", "Adam"): (0.001, 0.002, 0.005, 0.01, 0.02),
    ("784-400-200-2", "SGD"): (0.01, 0.02, 0.03, 0.05, 0.1),
    ("784-400-200-2", "RMSprop"): (3e-4, 5e-4, 0.001, 0.002, 0.005),
    ("784-400-200-2", "Adam"): (0.001, 0.002, 0.003, 0.005, 0.01),
    ("784-1000-500-250-2", "Adam"): (5e-4, 0.001, 0.002),  # not the report's: the largest net of lab 5
}
METHODS = ("SGD", "RMSprop", "Adam")  # those of the report
_SEEDS = dict(report=10, repaired=10, grid=10, embedding=5, narrowing=10, convergence=10)  # of what verdicts rest on
CASES = tuple(itertools.product(AUTHOR, METHODS))  # the report's nets and methods
TUNED = {  # (net, method) -> where ``tuning`` found the least held-out loss
    ("784-2", "SGD"): 0.1,
    ("784-2", "RMSprop"): 0.001,
    ("784-2", "Adam"): 0.005,
    ("784-200-2", "SGD"): 0.03,
    ("784-200-2", "RMSprop"): 0.002,
    ("784-200-2", "Adam"): 0.005,
    ("784-400-200-2", "SGD"): 0.02,
    ("784-400-200-2", "RMSprop"): 0.001,
    ("784-400-200-2", "Adam"): 0.003,
    ("784-1000-500-250-2", "Adam"): 0.001,
}
_REPORT = dict(init="report", output_bias="none", weight_decay=1e-5, step=0.01, epochs=33, images=60_000)


def reported(net, method, **changes):
    """Return the ``Settings`` of the report's author for one of his nets and methods, with these changes."""
    own = dict(hidden=AUTHOR[net], decay=DECAYS[method], epsilon_inside=method == "Adam")
    return Settings(NETS[net], method=method, **_REPORT | own | changes)


def repaired(net, method, step, **changes):
    """Return the ``Settings`` of a repaired run: glorot, output bias logit(mean pixel), cosine schedule, no decay."""
    own = dict(step=step, schedule="cosine", epochs=33, images=60_000)
    return Settings(NETS[net], method=method, **own | changes)


def tuning():
    """Three to seven steps for each net and method, 33 epochs of 50,000 images, judged on 10,000 held out; seed 0."""
    cases = [(*case, step) for case, steps in CANDIDATES.items() for step in steps]
    return [Run(repaired(*case, images=50_000), held_out=True) for case in cases]


def architectures_report():
    """The report's three nets and methods with its author's settings, with seed 0 what table 1 shows."""
    cases = itertools.product(range(_SEEDS["report"]), CASES)
    return [Run(reported(*case, seed=seed), keep=() if seed else ("pictures",)) for seed, case in cases]


def grid_report():
    """The author's two grids at their size, and steps and batches beside his best: 784-200-2, Adam.

    15 epochs on 29,531 images. Steps 0.02, 0.005 and 0.003 and batches 50 and 200 are not his.
    """
    changes = [dict(step=step) for step in (1e-2, 1e-3, 1e-4, 1e-5)]
    changes += [dict(batch=batch) for batch in (500, 1000, 5000, 10_000)]
    changes += [dict(step=step) for step in (2e-2, 5e-3, 3e-3)] + [dict(batch=batch) for batch in (50, 200)]
    own = [dict(seed=seed) | change for seed in range(_SEEDS["grid"]) for change in changes]
    return [Run(reported("784-200-2", "Adam", images=29_531, epochs=15, **change)) for change in own]


def jumps():
    """The author's five batches, the loss after each of the first 45 updates: 784-200-2, Adam, ten seeds."""
    enough = {100: 1, 500: 1, 1000: 2, 5000: 8, 10_000: 15}  # batch -> epochs that hold 45 updates
    cases = itertools.product(range(_SEEDS["grid"]), enough.items())
    own = [dict(seed=seed, batch=batch, epochs=epochs) for seed, (batch, epochs) in cases]
    return [Run(reported("784-200-2", "Adam", images=29_531, **one), keep=("early",)) for one in own]


def likeness():
    """The nets of ``embedding_report`` on images in which every 5 is turned by a quarter; five seeds."""
    return [Run(reported("784-200-2", "Adam", seed=seed), keep=("codes",), turned=5) for seed in range(5)]


def embedding_report():
    """The author's 784-200-2 net with his settings, Adam, 33 epochs: the 2-D codes of all images."""
    return [Run(reported("784-200-2", "Adam", seed=seed), keep=("codes",)) for seed in range(_SEEDS["embedding"])]


def convergence():
    """784-2 without output bias, the author's settings but the schedule: a cosine over 33 and over 200 epochs."""
    own = [dict(seed=seed, schedule="cosine") for seed in range(_SEEDS["convergence"])]
    long = [Run(reported("784-2", "Adam", epochs=200, **one)) for one in own]
    return [Run(reported("784-2", method, **one)) for one in own for method in METHODS] + long


def narrowing():
    """Five layers that narrow at once, 784-2-2-2-784, with the author's settings: against his 784-200-2."""
    sharp = dict(sizes=(784, 2, 2, 2, 784))
    cases = itertools.product(range(_SEEDS["narrowing"]), METHODS)
    return [Run(replace(reported("784-200-2", method, seed=seed), **sharp)) for seed, method in cases]


def architectures_repaired():
    """The same, repaired: glorot, output bias from the mean pixel, cosine schedule from the tuned step."""
    return [Run(repaired(*case, TUNED[case], seed=seed)) for seed in range(_SEEDS["repaired"]) for case in CASES]


def grid():
    """A wide grid of the lab's own: steps crossed with batches, past both edges; 33 epochs.

    The author's settings, his beta2 of 0.99 too, but for ReLU and Adam's epsilon, outside the root as published.
    """
    plain = dict(hidden="relu", epsilon_inside=False)
    own = [dict(seed=s, batch=b, step=step) for s, b, step in itertools.product(range(3), BATCHES, STEPS)]
    return [Run(reported("784-200-2", "Adam", **plain | change)) for change in own]


def grid_small():
    """Lab 4's small grid: 784-200-2 as lab 3 repaired it, Adam, 5 epochs on 5,000 images; three seeds."""
    cells = itertools.product(range(3), (20, 50, 100, 500), (0.1, 0.03, 0.01, 0.003, 0.001, 0.0001))
    return [Run(Settings(decay=0.99, epochs=5, step=step, batch=batch, seed=seed)) for seed, batch, step in cells]


def grid_small_held_out():
    """The same runs, judged on 10,000 training images held out, where a cell is chosen; it is reported on the test."""
    return [replace(run, held_out=True) for run in grid_small()]


EMBEDDED = {net: TUNED[net, "Adam"] for net in ("784-200-2", "784-400-200-2", "784-1000-500-250-2")}  # first step
CONSTANT = {  # net -> the constant steps tried for theta averaged, in whole runs
    "784-400-200-2": (0.001, 0.002, 0.003, 0.005),
    "784-1000-500-250-2": (5e-4, 0.001, 0.002),
}
AVERAGED = {  # net -> step, and horizon (both at an edge), with the least average in ``averaging-tuning``
    "784-400-200-2": (0.002, 0.02),
    "784-1000-500-250-2": (0.001, 0.08),
}


def averaging_tuning():
    """Adam with a constant step, theta averaged, two nets; 33 epochs of 50,000 images, held out: as in ``tuning``."""
    cases = [(net, "Adam", step) for net, steps in CONSTANT.items() for step in steps]
    trials = [repaired(*case, schedule="constant", images=50_000) for case in cases]
    return [Run(settings, held_out=True, keep=("averages",)) for settings in trials]


def averaging():
    """A constant step and theta averaged, at the tuned steps, 33 epochs; ten seeds of 784-400-200-2, else three.

    The same seeds with a cosine are in ``architectures_repaired`` and ``embedding``.
    """
    seeds = {net: _SEEDS["repaired"] if net in AUTHOR else 3 for net in AVERAGED}
    cases = [(seed, net) for seed in range(max(seeds.values())) for net in AVERAGED if seed < seeds[net]]
    own = [repaired(net, "Adam", AVERAGED[net][0], schedule="constant", seed=seed) for seed, net in cases]
    return [Run(settings, keep=("averages",)) for settings in own]


def causes():
    """Short runs in which one thing is changed at a time: start, output bias, schedule, bends; three seeds.

    Plateau: SGD at 0.01 on the three nets, 5,000 images, 200 updates. Loss of 784-2: Adam at 0.01, 1,800 updates.
    Compression: Adam from 0.002 on a cosine, 20,000 images, 600 updates.
    """
    few, own = dict(images=5000, epochs=4), []
    for net, init, bias in itertools.product(AUTHOR, ("report", "glorot"), ("none", "logit")):
        own.append(reported(net, "SGD", init=init, output_bias=bias, weight_decay=0.0, hidden="relu", **few))
    for bias, schedule in itertools.product(("none", "logit"), ("constant", "cosine")):
        own.append(repaired("784-2", "Adam", 0.01, output_bias=bias, schedule=schedule, epochs=3))
    for net, hidden in (("784-2", "relu"), ("784-200-2", "identity"), ("784-200-2", "relu")):
        own.append(repaired(net, "Adam", 2e-3, hidden=hidden, images=20_000, epochs=3))
    return [Run(replace(settings, seed=seed)) for seed in range(3) for settings in own]


def embedding():
    """Three nets, Adam at the step of ``tuning``, a cosine: their 2-D codes of all 70,000 images; three seeds."""
    cases = itertools.product(range(3), EMBEDDED.items())
    return [Run(repaired(net, "Adam", step, seed=seed), keep=("codes",)) for seed, (net, step) in cases]


def embedding_net():
    """The weights of one 784-400-200-2 net, that of ``embedding`` with seed 0; ``Autoencoder.load`` reads the file."""
    return [Run(repaired("784-400-200-2", "Adam", EMBEDDED["784-400-200-2"]), keep=("weights",))]


def curvature():
    """The cosine of Hp and Gp while the report's three nets learn with Adam; 5 epochs, three seeds."""
    cases = itertools.product(range(3), AUTHOR)
    return [Run(reported(net, "Adam", epochs=5, seed=seed), keep=("cosines",)) for seed, net in cases]


def leap():
    """Loss and curvature along each update at batch 10,000, the author's settings and a smaller step; three seeds."""
    author = dict(images=29_531, epochs=15, batch=10_000)
    own = [author | dict(seed=seed, step=step) for seed, step in itertools.product(range(3), (0.01, 0.003))]
    return [Run(reported("784-200-2", "Adam", **one), keep=("segments",)) for one in own]


def edge():
    """Both ends of H's spectrum while gradient descent on all of 300 digits makes 3,000 updates; three seeds."""
    own = dict(sizes=(784, 30, 2, 30, 784), hidden="tanh", method="SGD", images=300, batch=300, epochs=3000)
    places = [(0.05, 0.0), (0.1, 0.0), (0.2, 0.0), (0.02, 0.9), (0.05, 0.9)]  # step, momentum
    cases = itertools.product(range(3), places)
    runs = [Settings(**own, step=step, momentum=momentum, seed=seed) for seed, (step, momentum) in cases]
    return [Run(settings, keep=("sharpness",)) for settings in runs]


def saddle():
    """The plateau of the report's initialiser: what the Hessian sees of it, and ways on from there; five seeds.

    SGD with the author's settings on 5,000 images: 50 updates of 784-2, its output bias started at the mean image, 100
    of 784-200-2, 200 of 784-400-200-2.
    """
    nets = {"784-2": dict(epochs=1, output_bias="logit"), "784-200-2": dict(epochs=2), "784-400-200-2": dict(epochs=4)}
    cases = [reported(net, "SGD", images=5000, seed=s, **own) for s in range(5) for net, own in nets.items()]
    return [Run(settings, keep=("saddle",)) for settings in cases]


def arena_tuning():
    """Four and more trials for each method that minimises the loss on 500 digits, 300 gradients each; seed 0."""
    return [Race(method, options, 0, 300) for method, trials in TRIALS.items() for options in trials]


def arena():
    """The same methods, each at the best of its trials, 600 gradients; seeds 1 to 3."""
    return [Race(method, options, seed, 600) for seed in (1, 2, 3) for method, options in CHOSEN.items()]


def arena_full_tuning():
    """The arena's winner on batches of 784-400-200-2, held out; 12 gradients of 50,000 images, as many as 12 epochs."""
    trials = [(0.01, 20, 250), (0.01, 20, 1000), (0.1, 20, 250), (0.1, 20, 1000), (0.001, 20, 1000), (0.01, 20, 4000)]
    trials += [(0.3, 20, 1000), (1.0, 20, 1000), (0.3, 20, 4000)]
    return [Race("K-FAC, batches", one, 0, 12, 50_000, "784-400-200-2", held_out=True) for one in trials]


def arena_full():
    """The same at the best of its trials: 33 gradients of 60,000 images, as many as 33 epochs; three seeds."""
    own = dict(options=(0.1, 20, 1000), budget=33, images=60_000, net="784-400-200-2")
    return [Race("K-FAC, batches", seed=seed, **own) for seed in range(3)]


def maps():
    """The maps of ``embedding`` beside PCA, t-SNE and UMAP, two settings each: kNN accuracy and trustworthiness."""
    nets = [Map("autoencoder", net, seed) for net in EMBEDDED for seed in range(3)]
    others = [Map("t-SNE"), *(Map("UMAP", seed=seed) for seed in range(3))]
    return [Map("PCA"), *nets, *others, Map("t-SNE", reach=5), Map("UMAP", reach=100)]


TRIALS = {  # options of the methods of the arena: four each, more where the best of them stood at an edge
    "Adam": [(0.003,), (0.005,), (0.01,), (0.03,), (0.06,), (0.1,)],
    "Adam, batches": [
        *((0.002, 50), (0.005, 50), (0.01, 50), (0.02, 50), (0.02, 100)),
        *((0.002, 25), (0.005, 25), (0.01, 25), (0.002, 10), (0.005, 10), (0.001, 5), (0.002, 5), (0.005, 5)),
    ],
    "Adam, batches, cosine": [
        *((0.003, 50), (0.005, 50), (0.01, 50), (0.02, 50), (0.03, 50), (0.03, 100)),
        *((0.003, 25), (0.005, 25), (0.01, 25), (0.005, 10), (0.01, 10)),
    ],
    "L-BFGS": [(5,), (10,), (20,), (50,), (100,), (200,), (400,)],
    "nonlinear CG": [(0.1,), (0.2,), (0.4,), (0.7,)],
    "Newton-CG, H": [(0.3,), (0.5,), (0.7,), (0.9,), (0.99,)],
    "Newton-CG, G": [(0.3,), (0.5,), (0.7,), (0.9,)],
    "trust region, H": [(0.1,), (1.0,), (3.0,), (10.0,)],
    "trust region, G": [(0.1,), (1.0,), (3.0,), (10.0,)],
    "damped Gauss-Newton": [
        *((10.0, 30), (1.0, 30), (0.1, 30), (0.01, 30), (0.001, 30), (0.01, 100)),
        *((10.0, 15), (1.0, 15), (0.1, 15), (10.0, 10), (1.0, 10), (0.1, 10), (1.0, 5)),
    ],
    "K-FAC": [(0.1, 10), (0.01, 10), (0.001, 10), (0.01, 5), (0.01, 20)],
}
CHOSEN = {  # those with the least loss in ``arena-tuning``
    "Adam": (0.01,),
    "Adam, batches": (0.002, 5),
    "Adam, batches, cosine": (0.005, 25),
    "L-BFGS": (400,),
    "nonlinear CG": (0.2,),
    "Newton-CG, H": (0.9,),
    "Newton-CG, G": (0.5,),
    "trust region, H": (1.0,),
    "trust region, G": (1.0,),
    "damped Gauss-Newton": (1.0, 10),
    "K-FAC": (0.01, 10),
}


def edges(method):
    """Return which of a method's chosen options stand at an end of the values tried beside it: their places, from 0.

    Of an option those values count that were tried with the other options as they are chosen. A best value at an edge
    is not known to be the best: where one is told, its edge is told too.

    >>> edges("L-BFGS"), edges("nonlinear CG")
    ([0], [])
    """
    found, chosen = [], CHOSEN[method]
    for k, own in enumerate(chosen):
        beside = [one[k] for one in TRIALS[method] if one[:k] + one[k + 1 :] == chosen[:k] + chosen[k + 1 :]]
        if own in (min(beside), max(beside)):
            found.append(k)
    return found


EXPERIMENTS = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(
            tuning,
            architectures_report,
            architectures_repaired,
            grid_report,
            jumps,
            grid,
            grid_small,
            grid_small_held_out,
            causes,
        ),
        *(embedding_report, likeness, convergence, narrowing),
        *(embedding, embedding_net, curvature, leap, edge, saddle, arena_tuning, arena, arena_full_tuning),
        *(arena_full, averaging_tuning, averaging, maps),
    )
}


def plan(name, quick=False):
    """Return the runs of an experiment, in order; quick: at most four small ones, to see that it works.

    Raises:
        ValueError: there is no experiment of this name.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {name!r}: expected one of {', '.join(EXPERIMENTS)}")
    runs = EXPERIMENTS[name]()
    if not quick:
        return runs
    small = [few for few in (run.small() for run in runs) if few]
    return small[:: max(1, len(small) // 4)][:4]
