"""What lab 7 shows of stored plateaus."""

from types import SimpleNamespace

import numpy as np

from aelib.common.settings import Settings
from aelib.labs import lab7


def test_tables_of_the_plateaus_say_what_was_measured():
    """Of a net whose second layer alone is small: medians, means and ranges; what each move itself does to the loss."""
    own, runs = Settings((8, 2, 8), method="SGD"), []
    for seed, (norm, share, after) in enumerate([(0.2, 0.3, 23.0), (0.4, 0.5, 30.0), (0.3, 0.4, 23.0)]):
        layers = np.array([[5, norm], [0.9 - share, share], [0, 0.1]])
        ways = np.array([[0.01, -1, 2, 0.5], [-1.5 - seed, 5, 0.2, 0.1], [0, 0, 1, 0.1]])
        escapes = np.full((8, 3), 26.0)
        escapes[0], escapes[2], escapes[7] = [0, 10, 20], [25.5, 24.9, 24], [40 + seed, 26, after]
        one = dict(settings=own, ends=np.array([26, -1.0, 7, 0.1 * (seed + 1)]), layers=layers, ways=ways)
        runs.append(SimpleNamespace(escapes=escapes, **one))
    (column,) = lab7.plateau_table(runs).frame.to_dict().values()
    assert (column["sizes of W_1, W_2, ..."], column["small layers"]) == ("5, 0.3", "1")
    assert (column["% of v in the small layers"], column["lowest eigenvalue of H"]) == ("40.0 to 60.0", "-1.00")
    assert column["norm of the gradient"] == "1.50 to 3.50"
    assert [column[name] for name in column if "spread" in name or "after" in name] == ["0.2", "0.5", "0.1"]
    here, v, *_, most = lab7.escapes_table(runs).frame.iloc[:, 1:].to_numpy().tolist()
    assert here == ["more than 20", "0.000"] and v == ["10", "-0.500"]
    assert most == ["20; more than 20 in 1 seed", "14.000 to 16.000"]
