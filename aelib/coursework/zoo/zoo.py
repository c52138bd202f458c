"""The bug zoo: checks are scored by the wrong implementations that they reject, and must accept all right ones.

An implementation offers ``theta``, ``X``, ``n`` and the functions ``loss(theta)``, ``output(theta)``, ``grad(theta)``,
``jvp(theta, p)``, ``vjp(theta, V)``, ``hvp(theta, p)``, ``gnvp(theta, p)``, which take complex theta too; nothing else.
A check is a function of an implementation. It returns None or True where it finds nothing wrong; it returns False or a
sentence, or raises an AssertionError, where it does. Checks come alone or as a dict by name.

Twelve wrong implementations are public (``DISEASES``). Twice as many are hidden: drawn, by the seed, from several
hundred wrong lines of the bank. The bank is open, as all of this package; hidden is which ones are drawn, and on which
networks. In a notebook, a check that asks an implementation for anything else scores 0; in grading, checks run in
another process than the implementations, which cannot be read there at all.
"""

import hashlib
import types
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from aelib.coursework.exercises import Wrong
from aelib.coursework.grading.wire import Handle
from aelib.coursework.judge import crash
from aelib.coursework.zoo.specimens import FUNCTIONS, PLAIN, RIGHT, functions, print_of, wrong_species

HIDDEN = 24
DISEASES = {  # the public bugs, of which patients have one: (quantity, how the name of its species ends)
    "1/n is missing in the gradient": ("V", "V in grad: 1/n is missing"),
    "the residual of the gradient has the wrong sign": ("V", "V in grad: residual of the wrong sign"),
    "g' is missing in backward": ("grad_u", ": g' is missing"),
    "grad_b is a mean": ("grad_b", "(V has its 1/n already)"),
    "1 for 0 in R_p of the bias input": ("R_u", "1 for 0 in R_p of the bias input"),
    "q is missing in rp_forward": ("R_u", "[q[l]] is missing"),
    "the g'' term is missing": ("R_grad_u", "the g'' term is missing"),
    "the second term of R_grad_W is missing": ("R_grad_W", "[grad_u[l] R_z[l-1]] is missing"),
    "the second term of R_grad_z is missing": ("R_grad_z", "[grad_u[l+1] P[l+1]] is missing"),
    "1/n is missing in Gp": ("JpV", "V in gnvp: 1/n is missing"),
    "Jp of the first direction, kept for ever": ("quirks", "kept for ever"),
    "Hp spoilt by what the last Gp left behind": ("quirks", "left behind"),
}
WHEATS = {  # right implementations: why a check may reject them all the same
    "like the wrong ones": {},
    "another like the wrong ones": dict(hidden="softplus"),
    "ReLU": dict(hidden="relu"),
    "one image": dict(n=1),
    "fresh: all biases 0": dict(fresh=True),
    "float32": dict(dtype="float32"),
    "sums in another order": dict(order=-1),
    "wide": dict(sizes=(30, 40, 5, 40, 30), n=8),
}


class Unfair(Exception):
    """A check did what a check may not do."""


def offer(theta, X, made, remote=False, calls=None):
    """Return an implementation as a check sees it.

    Args:
        theta: where.
        X: images.
        made: dict of functions.
        remote: whether the check runs in another process.
        calls: a list to which the name of each function is added when it is called.
    """
    calls = [] if calls is None else calls
    theta, X = theta.copy(), X.copy()

    def counted(name):
        def function(*arguments):
            calls.append(name)
            with np.errstate(all="ignore"):
                return made[name](*arguments)

        return function

    called = {name: counted(name) for name in FUNCTIONS}
    if remote:
        return types.SimpleNamespace(theta=theta, X=X, n=len(X), **called)

    def read(name):
        if name == "__class__":
            return object
        raise Unfair(f"an implementation offers theta, X, n, {', '.join(FUNCTIONS)}: {name!r} is not to be read")

    def door(name):
        class Function:
            __slots__ = ()
            __getattribute__ = lambda self, attribute: read(attribute)  # noqa: E731
            __call__ = lambda self, *arguments: called[name](*arguments)  # noqa: E731

        return Function()

    offers = {"theta": theta, "X": X, "n": len(X)} | {name: door(name) for name in FUNCTIONS}

    class Implementation:
        __slots__ = ()
        __getattribute__ = lambda self, name: offers[name] if name in offers else read(name)  # noqa: E731
        __repr__ = lambda self: "an implementation"  # noqa: E731

    return Implementation()


def species_of(disease):
    """Return the wrong species that has a disease."""
    quantity, ending = DISEASES[disease]
    return next(species for species in wrong_species()[quantity] if species.name.endswith(ending))


@cache
def _prints():
    return [print_of(species) for species in (RIGHT, *map(species_of, DISEASES))]


def hidden(rng):
    """Return wrong species of all quantities in turn, no two of which, and no public one, compute the same numbers."""
    groups = {name: rng.permutation(np.array(group, object)).tolist() for name, group in wrong_species().items()}
    found, prints = [], list(_prints())
    while len(found) < HIDDEN:
        for name in rng.permutation(list(groups)).tolist():
            while groups[name] and len(found) < HIDDEN:
                species = groups[name].pop()
                mark = print_of(species)
                if mark is not None and all(np.linalg.norm(mark - a) > 1e-7 * np.linalg.norm(mark) for a in prints):
                    found.append(species)
                    prints.append(mark)
                    break
    return found


def implementation(disease="", seed=0, **network):
    """Return one implementation to try checks on: a right one, or one that has one of ``DISEASES``.

    Args:
        disease: its name, or "" for a right one.
        seed: of the network and the images.
        network: as in ``WHEATS``.
    """
    species = species_of(disease) if disease else RIGHT
    return offer(*functions(species, np.random.default_rng(seed), **network))


def rejects(check, specimen):
    """Return whether a check rejects an implementation; raise ``Unfair`` where it does what it may not."""
    try:
        said = check(specimen)
    except (Unfair, NotImplementedError):
        raise
    except AssertionError:
        return True
    except Exception as error:  # whatever a student's code may raise
        if str(error).startswith("CheckFailed"):
            return True  # in another process
        raise Unfair(f"it does not end: {crash(error)}") from None
    if said is None or isinstance(said, str):
        return bool(said)
    if isinstance(said, bool | np.bool_):
        return not said
    raise Unfair(f"it returns {type(said).__name__}: expected True, False, None or a sentence")


@dataclass
class Score:
    """What checks are worth.

    Attributes:
        share: of the wrong implementations rejected; 0 where a right one was, or where a check is none.
        reason: why nothing counts, or "".
        table: check by public bug, and the counts of the hidden ones.
        caught: the names of the checks that reject each public bug.
        rejected: (how many wrong ones, of how many).
    """

    share: float
    reason: str = ""
    table: str = ""
    caught: dict = field(default_factory=dict)
    rejected: tuple = (0, 0)

    @property
    def missed(self):
        """Names of the public bugs that no check rejects."""
        return [disease for disease, names in self.caught.items() if not names]

    def __str__(self):
        return self.reason or self.table

    __repr__ = __str__


def judge(checks, seed=0):
    """Return the ``Score`` of checks.

    Args:
        checks: a function of an implementation, or a dict of such functions by name.
        seed: a number or a Generator: draws the hidden bugs, the networks and the order.
    """
    checks = {"check": checks} if not isinstance(checks, dict) else checks
    rng = np.random.default_rng(seed)
    bugs = [*map(species_of, DISEASES), *hidden(rng)]
    visits = [(wheat, RIGHT, network) for wheat, network in WHEATS.items()]
    visits += [(number, species, {}) for number, species in enumerate(bugs)]
    visits += [visits[i] for i in rng.choice(len(visits), len(visits) // 4, replace=False)]
    seeds = {key: int(rng.integers(2**31)) for key, *_ in visits}
    verdicts = {}
    for visit in rng.permutation(len(visits)).tolist():
        key, species, network = visits[visit]
        for name, check in checks.items():
            made = functions(species, np.random.default_rng(seeds[key]), **network)
            where = f"right implementation ({key})" if species is RIGHT else "wrong implementation"
            try:
                rejected = rejects(check, offer(*made, remote=isinstance(check, Handle)))
            except Unfair as unfair:
                return Score(0.0, f"{name}, on a {where}: {unfair}")
            if species is RIGHT and rejected:
                return Score(0.0, f"{name} rejects a {where}: nothing counts until all right ones are accepted")
            if verdicts.setdefault((key, name), rejected) != rejected:
                return Score(
                    0.0, f"{name} gives two verdicts on one {where}: a check keeps nothing, and draws with a seed"
                )
    caught = {number: [name for name in checks if verdicts[number, name]] for number in range(len(bugs))}
    rejected = sum(map(bool, caught.values())), len(bugs)
    known = {disease: caught[number] for number, disease in enumerate(DISEASES)}
    return Score(rejected[0] / rejected[1], "", _table(list(checks), caught, rejected), known, rejected)


def _table(checks, caught, rejected):
    rows = {name: ["x" if c in caught[number] else "." for c in checks] for number, name in enumerate(DISEASES)}
    others = [[c in caught[number] for c in checks] for number in range(len(DISEASES), len(caught))]
    rows[f"of {len(others)} hidden ones"] = [str(sum(column)) for column in zip(*others, strict=True)]
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"  {name}" for name in checks)]
    for head, cells in rows.items():
        lines.append(f"{head:<{width}}" + "".join(f"  {c:^{len(n)}}" for n, c in zip(checks, cells, strict=True)))
    return "\n".join([*lines, f"rejected: {rejected[0]} of {rejected[1]} wrong ones; all right ones are accepted"])


CALLS = 4


def _illness(student):
    """Return the disease of a student's patient, and the seed of its network."""
    digest = hashlib.sha256(" ".join(student.lower().split()).encode("utf-8")).digest()
    return list(DISEASES)[digest[0] % len(DISEASES)], list(digest[1:])


def patient(student):
    """Return the wrong implementation of a student, drawn by the name: one of ``DISEASES``."""
    return implementation(*_illness(student))


def judge_patient(student, disease, experiment, seed=0):
    """Check a diagnosis: the disease, and an experiment of at most four calls that shows it; raise ``Wrong`` if not.

    Args:
        student: the name.
        disease: one of ``DISEASES``.
        experiment: a check that rejects the patient, and one more of its kind, and accepts right implementations.
        seed: of the other networks.
    """
    truth, own = _illness(student)
    species = species_of(truth)
    if disease not in DISEASES:
        raise Wrong(f"{disease!r} is no disease: expected one of zoo.DISEASES")
    rng = np.random.default_rng(seed)
    for kind, network in ((RIGHT, PLAIN), (species, own), (RIGHT, PLAIN | {"hidden": "softplus"}), (species, PLAIN)):
        calls = []
        draws = np.random.default_rng(network) if network is own else rng
        made = functions(kind, draws, **({} if network is own else network))
        try:
            rejected = rejects(experiment, offer(*made, remote=isinstance(experiment, Handle), calls=calls))
        except Unfair as unfair:
            raise Wrong(f"the experiment: {unfair}") from None
        if rejected == (kind is RIGHT):
            which = (
                "a right implementation" if kind is RIGHT else "the patient" if network is own else "a patient alike"
            )
            raise Wrong(f"the experiment {'rejects' if rejected else 'accepts'} {which}")
        if len(calls) > CALLS:
            raise Wrong(f"the experiment makes {len(calls)} calls: {CALLS} are enough")
    if disease != truth:
        raise Wrong("the experiment shows that the patient is ill; the disease is another one")
