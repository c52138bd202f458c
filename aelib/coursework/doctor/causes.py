"""The search for a cause: a wrong line, two changes of one line, or other coefficients, that give the numbers seen."""

from dataclasses import dataclass

import numpy as np

from aelib.coursework.doctor import wrong_lines as bank
from aelib.coursework.doctor.observation import close
from aelib.coursework.doctor.pass_algebra import steps, terms_of


@dataclass
class Cause:
    """Where a line is wrong, which term, the likely cause in words, and its wrong array if that is not returned."""

    quantity: str
    layer: int
    term: str = ""
    words: str = ""
    hidden: np.ndarray | None = None


def search(observations):
    """Return the ``Cause`` of the first wrong quantity of all these observations; without words where none is found."""
    main = observations[0]
    quantity, layer = main.wrong[0]
    found = known(observations) or two_changes(observations) or coefficients(observations)
    if found:
        return found
    hidden = [q for q, _, l in suspects(main) if l == layer and (q, l) not in main.seen and "grad" in q]
    if hidden and {q for q, l in main.wrong if l == layer} == {q for q, l in main.order if l == layer}:
        # all that comes from this layer's adjoint is wrong, and nothing above it
        above = any(l > layer for _, l in main.order)
        quantity = next(q for q in hidden if q.endswith("z" if above else "u"))
    return Cause(quantity, layer)


def suspects(main):
    """Yield (quantity, start of a pass or None, layer) of the lines that the first wrong one may come from."""
    observed = {q for q, _ in main.seen}
    for q, l, first in steps(main.probe.name, len(main.probe.layers)):
        if (q, l) == main.wrong[0] or q not in observed:
            yield q, first, l
        if (q, l) == main.wrong[0]:
            return


def known(observations):
    """Return the ``Cause`` if one known wrong line gives what was seen: in every layer, or else in this one alone."""
    main, (quantity, layer) = observations[0], observations[0].wrong[0]
    lines = list(suspects(main))
    everywhere = dict.fromkeys((q, first, None) for q, first, _ in lines)
    for tried in (everywhere, [line for line in lines if line[2] == layer]):
        hits = []
        for q, first, where in tried:
            for variant in bank.variants(q, first):
                wrong = (q, first, where, variant.terms)
                if all(o.explained([k for k in o.wrong if k[0] == o.wrong[0][0]], wrong) for o in observations):
                    whole = all(o.explained(o.order, wrong) for o in observations)
                    if whole or q == quantity:
                        hits.append((not whole, variant.rank, len(hits), variant, wrong))
        if hits:
            hits.sort(key=lambda hit: hit[:3])
            best = [hit for hit in hits if hit[:2] == hits[0][:2]]
            words = " or ".join(list(dict.fromkeys(hit[3].cause for hit in best))[:2])
            key = _acting(main, best[0][4])
            hidden = None if key in main.seen else main.simulate(best[0][4])[key]
            return Cause(*key, f"there: {best[0][3].change}", words, hidden)
    return None


def _acting(main, wrong):
    """Return (quantity, layer) where a wrong line first makes a difference."""
    if wrong[0] == main.wrong[0][0]:
        return main.wrong[0]
    computed = main.simulate(wrong)
    return next(key for key, a in computed.items() if key[0] == wrong[0] and not close(a, main.expected[key], 1e-9))


def two_changes(observations):
    """Return the ``Cause`` if known changes of two terms of the line, together, give what was seen."""
    main = observations[0]
    *_, (q, first, layer) = suspects(main)
    starts = {(q, l) for q, l, start in steps(main.probe.name, len(main.probe.layers)) if start}
    keys = [
        (o, key)
        for o in observations
        for key in o.wrong
        if key == o.wrong[0] or (first is None and key[0] == q and key not in starts)
    ]
    variants, changes = [], []
    for variant in bank.variants(q, first):
        made = [o.simulate((q, first, key[1], variant.terms))[key] for o, key in keys]
        if variant.index is not None and all(a is not None for a in made):
            variants.append(variant)
            changes.append(
                np.concatenate([np.ravel(a - o.expected[key]) for a, (o, key) in zip(made, keys, strict=True)])
            )
    rest = np.concatenate([np.ravel(o.seen[key] - o.expected[key]) for o, key in keys])
    best = None
    for i, (one, change) in enumerate(zip(variants, changes, strict=True)):
        others = [j for j in range(i) if variants[j].index != one.index]
        for j in others:
            rank = one.rank + variants[j].rank
            if (best is None or rank < best[0]) and close(change + changes[j], rest, 1e-9):
                best = rank, variants[j], one
    if best is None:
        return None
    _, a, b = best
    return Cause(q, layer, f"there: {a.change}, and {b.change}", f"{a.cause}, and {b.cause}")


def coefficients(observations):
    """Return the ``Cause`` if the right terms of a line, with other coefficients, give what was seen everywhere.

    The coefficients must be the same for all observations: one number is always a multiple of another.
    """
    main = observations[0]
    for q, first, l in suspects(main):
        found = [_fitted(o, q, first, l - len(main.probe.layers)) for o in observations]
        if len(found) < 2 or any(c is None for c in found) or not np.allclose(found, found[0], rtol=1e-6, atol=1e-8):
            continue
        terms = zip(found[0], terms_of(q, first), strict=True)
        text = " + ".join(f"{round(1 + x, 8) + 0.0:.4g} {bank.write(term)}" for x, (_, term) in terms)
        return Cause(q, l, f"there: {text}, each to be 1", "a wrong coefficient")
    return None


def _fitted(observation, q, first, from_last):
    """Return by how much the coefficients of a line differ from 1 in one observation, or None if no others fit.

    A line that is seen must fit in all layers in which it is wrong, with the same coefficients.
    """
    l, terms = len(observation.probe.layers) + from_last, terms_of(q, first)
    starts = {(q, l) for q, l, start in steps(observation.probe.name, len(observation.probe.layers)) if start}
    if (q, l) not in observation.seen:
        rows = [(l, key) for key in observation.order if key[1] == l]
    elif first:
        rows = [(l, key) for key in observation.wrong if key == (q, l)]
    else:
        rows = [(key[1], key) for key in observation.wrong if key[0] == q and key not in starts]
    columns = []
    for i in range(len(terms)):
        parts = []
        for where, key in rows:
            without = observation.simulate((q, first, where, (*terms[:i], *terms[i + 1 :])))[key]
            if without is None:
                return None
            parts.append(np.ravel(observation.expected[key] - without))
        columns.append(np.concatenate(parts) if parts else np.zeros(0))
    if not columns or not rows:
        return None
    rest = np.concatenate([np.ravel(observation.seen[key] - observation.expected[key]) for _, key in rows])
    c = np.linalg.lstsq(np.transpose(columns), rest, rcond=None)[0]
    return c if close(np.transpose(columns) @ c, rest, 1e-7) else None
