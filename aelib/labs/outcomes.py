"""What a check found, as a table that a lab shows."""

from aelib.common.tables import table

_FORMS = {"relative error": ".0e", "cosine": "+.6f", "norm ratio": ".6f"}


def shown(*outcomes, caption=None):
    """Return the rows of one or more outcomes of ``aelib.checks`` as one table.

    Args:
        outcomes: each with ``title``, ``rows`` and ``tolerance``; several are told apart by their titles.
        caption: by default the title and the tolerance of a single outcome.
    """
    rows = []
    for outcome in outcomes:
        for block, row in outcome.rows.items():
            first = {"checked": outcome.title} if len(outcomes) > 1 else {}
            numbers = (row.relative_error, row.cosine, row.norm_ratio)
            rows.append(first | {"block": block} | dict(zip(_FORMS, map(float, numbers), strict=True)))
    if caption is None:
        verdict = "passed" if outcomes[0].passed else "FAILED"
        caption = f"{outcomes[0].title}: {verdict} at tolerance {outcomes[0].tolerance:.0e}"
    return table(rows, caption, digits=_FORMS)
