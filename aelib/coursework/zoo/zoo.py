"""The bug zoo: checks are scored by the wrong implementations that they reject, and must accept all right ones.

An implementation offers ``theta``, ``X``, ``n`` and the functions ``loss(theta)``, ``output(theta)``, ``grad(theta)``,
``jvp(theta, p)``, ``vjp(theta, V)``, ``hvp(theta, p)``, ``gnvp(theta, p)``, which take complex theta too; nothing else.
A check is a function of an implementation. It returns None or True where it finds nothing wrong; it returns False or a
sentence, or raises an AssertionError, where it does. Checks come alone or as a dict by name.

Twelve wrong implementations are public (``DISEASES``). Twice as many are hidden: drawn, by the seed, from several
hundred wrong lines of the bank. The bank is open, as all of this package; hidden is which ones are drawn, and on which
networks.
"""

import hashlib
import re
import types
import unicodedata
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from aelib.coursework.findings import Wrong, crash
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


def offer(theta, X, made, calls=None):
    """Return an implementation as a check sees it.

    Args:
        theta: where.
        X: images.
        made: dict of functions.
        calls: a list to which the name of each function is added when it is called.
    """
    calls = [] if calls is None else calls

    def counted(name):
        def function(*arguments):
            calls.append(name)
            with np.errstate(all="ignore"):
                return made[name](*arguments)

        return function

    called = {name: counted(name) for name in FUNCTIONS}
    return types.SimpleNamespace(theta=theta.copy(), X=X.copy(), n=len(X), **called)


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

    Raises:
        ValueError: there is no such disease.
    """
    if disease and disease not in DISEASES:
        raise ValueError(f"{disease!r} is no disease: expected one of {', '.join(DISEASES)}")
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
        raise Unfair(f"it ends with {crash(error)}") from None
    if said is None or isinstance(said, str):
        return bool(said)
    if isinstance(said, bool | np.bool_):
        return not said
    raise Unfair(f"it returns {type(said).__name__}: expected True, False, None or a sentence")


@dataclass
class Score:
    """What checks are worth.

    Attributes:
        reason: why nothing counts, or "".
        table: check by public bug, and the counts of the hidden ones.
        caught: the names of the checks that reject each public bug.
        public: (how many public bugs are rejected, of how many).
        hidden: the same of the hidden ones.
    """

    reason: str = ""
    table: str = ""
    caught: dict = field(default_factory=dict)
    public: tuple = (0, len(DISEASES))
    hidden: tuple = (0, HIDDEN)

    @property
    def share(self):
        """Of all wrong implementations, the share that is rejected; 0 where nothing counts."""
        return 0.0 if self.reason else (self.public[0] + self.hidden[0]) / (self.public[1] + self.hidden[1])

    @property
    def missed(self):
        """Names of the public bugs that no check rejects."""
        return [disease for disease, names in self.caught.items() if not names]

    def __str__(self):
        return self.reason or self.table

    __repr__ = __str__


def score(checks, seed=0):
    """Return the ``Score`` of checks.

    A check that draws at random and says now this, now that of one wrong implementation has not rejected it.

    Args:
        checks: a function of an implementation, or a dict of such functions by name.
        seed: a number or a Generator: draws the hidden bugs, the networks and the order.
    """
    if not callable(checks) and not isinstance(checks, dict):
        return Score(f"checks are a {type(checks).__name__}: a dict of functions by name is expected, or one function")
    checks = {"check": checks} if not isinstance(checks, dict) else dict(checks)
    for name, check in checks.items():
        if not callable(check):
            return Score(f"{name} is a {type(check).__name__}: a function of an implementation is expected")
    rng = np.random.default_rng(seed)
    bugs = [*map(species_of, DISEASES), *hidden(rng)]
    visits = [(wheat, RIGHT, network) for wheat, network in WHEATS.items()]
    visits += [(number, species, {}) for number, species in enumerate(bugs)]
    visits += [visits[i] for i in rng.choice(len(visits), len(visits) // 4, replace=False)]
    seeds = {key: int(rng.integers(2**31)) for key, *_ in visits}
    said = {}
    for visit in rng.permutation(len(visits)).tolist():
        key, species, network = visits[visit]
        for name, check in checks.items():
            made = functions(species, np.random.default_rng(seeds[key]), **network)
            where = f"right implementation ({key})" if species is RIGHT else "wrong implementation"
            try:
                rejected = rejects(check, offer(*made))
            except Unfair as unfair:
                return Score(f"{name}, on a {where}: {unfair}")
            if species is RIGHT and rejected:
                return Score(f"{name} rejects a {where}: nothing counts until all right ones are accepted")
            said[key, name] = said.get((key, name), True) and rejected
    caught = {number: [name for name in checks if said[number, name]] for number in range(len(bugs))}
    known = {disease: caught[number] for number, disease in enumerate(DISEASES)}
    counts = [sum(map(bool, names)) for names in (known.values(), list(caught.values())[len(DISEASES) :])]
    public, unknown = (counts[0], len(DISEASES)), (counts[1], len(bugs) - len(DISEASES))
    return Score("", _table(list(checks), caught, counts), known, public, unknown)


judge = score  # as lab B calls it


def _table(checks, caught, counts):
    rows = {name: ["x" if c in caught[number] else "." for c in checks] for number, name in enumerate(DISEASES)}
    others = [[c in caught[number] for c in checks] for number in range(len(DISEASES), len(caught))]
    rows[f"of {len(others)} hidden ones"] = [str(sum(column)) for column in zip(*others, strict=True)]
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"  {name}" for name in checks)]
    for head, cells in rows.items():
        lines.append(f"{head:<{width}}" + "".join(f"  {c:^{len(n)}}" for n, c in zip(checks, cells, strict=True)))
    return "\n".join([*lines, f"rejected: {sum(counts)} of {len(caught)} wrong ones; all right ones are accepted"])


CALLS = 4


def plain_name(name):
    """Return a name without accents, signs and digits, its words apart by single blanks."""
    text = name.casefold().replace("ß", "ss").replace("ø", "o").replace("ł", "l").replace("æ", "ae")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[\W\d_]+", " ", text).split())


def belongs(name, owner):
    """Return whether a name given in an answer may be that of its owner: a word of it stands in the owner's name.

    An owner without letters, such as a number of a student, says nothing, and all names are accepted.

    >>> belongs("Anna Müller", "Muller, Anna Maria"), belongs("Emmy Noether", "anna")
    (True, False)
    """
    whole = plain_name(owner).replace(" ", "")
    return not whole or any(len(word) > 1 and word in whole for word in plain_name(name).split())


def _illness(student):
    """Return the disease of a student's patient, and the seed of its network."""
    digest = hashlib.sha256(" ".join(student.lower().split()).encode("utf-8")).digest()
    return list(DISEASES)[digest[0] % len(DISEASES)], list(digest[1:])


def patient(student):
    """Return the wrong implementation of a student, drawn by the name: one of ``DISEASES``."""
    return implementation(*_illness(student))


def examine_patient(student, disease, experiment, seed=0):
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
            rejected = rejects(experiment, offer(*made, calls=calls))
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
