"""Damage files at random and read them: python tests/benchmarks/fuzz.py [FILES [SEED]], 10,000 of each kind by default.

Kinds: the IDX files of a data folder, model files, the JSON and .npz of stored results. Half are
damaged as they are, half inside (unpacked, damaged, packed again), so that damage gets past checksums. A file may be
read, or refused by an exception that is promised, in one sentence with its path; a warning counts as a fault. Printed
are how many were read and refused, the faults, the most memory above the base (as tracemalloc counts, and of the
process), and the longest time for one file. Exits with 1 where there was a fault or more than 100 MB were taken.
"""

import gzip
import io
import shutil
import sys
import tempfile
import time
import tracemalloc
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from aelib import Autoencoder, load_mnist
from aelib.datasets import DATA
from aelib.files import load_json, load_npz
from aelib.study.results import stored

PROMISED = (ValueError, FileNotFoundError, PermissionError)
MOST = 100 * 2**20
TELLING = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"PK\1\2", b"PK\5\6", b"\x1f\x8b\x08"]
WORDS = [
    b"NaN",
    b"Infinity",
    b"-1",
    b"1e999",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"[[[[",
    b"9" * 25,
    b"\\ud800",
    b"0.5",
]


def damaged(data, rng):
    """Return bytes with one, two or four faults: other bytes, others put in, some lost, some twice, the end cut off."""
    data = bytearray(data)
    for _ in range((1, 1, 2, 4)[rng.integers(4)]):
        at = (
            int(rng.integers(0, len(data) + 1)) if rng.random() < 0.7 else int(rng.integers(0, min(200, len(data)) + 1))
        )
        end = at + int(rng.integers(1, 2 ** rng.integers(1, 8)))
        match rng.integers(8):
            case 0:
                data[at : at + 1] = bytes([rng.integers(256)])
            case 1:
                data[at : at + 1] = bytes(255 - byte for byte in data[at : at + 1])
            case 2:
                telling = TELLING[rng.integers(len(TELLING))]
                data[at : at + len(telling)] = telling
            case 3:
                data[at:end] = WORDS[rng.integers(len(WORDS))]
            case 4:
                data[at:at] = rng.bytes(end - at)
            case 5:
                del data[at:end]
            case 6:
                data[at:at] = data[at:end]
            case 7:
                del data[max(at, len(data) // 2) :]
    return bytes(data)


def damaged_npz(data, rng):
    """Return a .npz file of which one member is damaged, header or entries, and whose checksums are right."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = names[rng.integers(len(names))]
        for name in names:
            new.writestr(name, damaged(old.read(name), rng) if name == chosen else old.read(name))
    return file.getvalue()


def damaged_gzip(data, rng):
    """Return a gzip file whose content is damaged, or that content alone."""
    inside = damaged(gzip.decompress(data), rng)
    return gzip.compress(inside, 1) if rng.random() < 0.7 else inside


def idx(folder):
    """Write a small data set; return what reads it, and its files with what damages them inside."""
    for part, n in (("train", 30), ("t10k", 20)):
        for name, shape in ((f"{part}-images-idx3-ubyte.gz", (n, 8, 8)), (f"{part}-labels-idx1-ubyte.gz", (n,))):
            data = np.random.default_rng(n).integers(0, 256, shape, np.uint8)
            header = bytes([0, 0, 8, len(shape)]) + b"".join(k.to_bytes(4, "big") for k in shape)
            (folder / name).write_bytes(gzip.compress(header + data.tobytes()))
    return lambda path: load_mnist(path.parent), dict.fromkeys(folder.iterdir(), damaged_gzip)


def model(folder):
    """Write a model."""
    Autoencoder([12, 5, 2, 5, 12], hidden=["tanh", "relu"], weight_decay=0.1).save(folder / "net.npz")
    return Autoencoder.load, {folder / "net.npz": damaged_npz}


def results(folder):
    """Copy the smallest of the stored results."""
    for name in ("curvature.json", "curvature.npz"):
        shutil.copy(DATA / "results" / name, folder)
    both = {folder / "curvature.json": damaged, folder / "curvature.npz": damaged_npz}
    return lambda path: stored("curvature", path.parent), both


def arrays(folder):
    """Write arrays of all types that may be stored."""
    kinds = {kind: np.arange(6).reshape(2, 3).astype(kind) for kind in ("?", "i2", ">u4", "f4", ">f8", "c8", "U2")}
    np.savez(folder / "arrays.npz", **kinds)
    return lambda path: load_npz(path, []), {folder / "arrays.npz": damaged_npz}


def json(folder):
    """Copy stored results' JSON."""
    shutil.copy(DATA / "results" / "curvature.json", folder)
    return load_json, {folder / "curvature.json": damaged}


def resident():
    """Return the most memory this process has had, in bytes; nan where the system does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def campaign(kind, n, rng):
    """Damage n files of a kind and read them; print what happened; return whether all was as promised."""
    with tempfile.TemporaryDirectory() as folder:
        read, files = kind(Path(folder).resolve())
        whole = {path: path.read_bytes() for path in files}
        for path in files:
            read(path)
        outcomes, faults, longest, base = Counter(), Counter(), 0.0, resident()
        tracemalloc.start()
        start, most = tracemalloc.get_traced_memory()[0], 0
        for i in range(n):
            path = list(files)[rng.integers(len(files))]
            path.write_bytes((damaged if i % 2 else files[path])(whole[path], rng))
            tracemalloc.reset_peak()
            clock = time.perf_counter()
            try:
                read(path)
                outcomes["read"] += 1
            except PROMISED as error:
                outcomes[type(error).__name__] += 1
                if folder not in str(error) or "\n" in str(error) or len(str(error)) > 600:
                    faults[f"no sentence with the path: {str(error)[:200]}"] += 1
            except Exception as error:
                faults[f"{type(error).__name__}: {str(error)[:200]}"] += 1
            longest = max(longest, time.perf_counter() - clock)
            most = max(most, tracemalloc.get_traced_memory()[1] - start)
            path.write_bytes(whole[path])
        tracemalloc.stop()
    counts = ", ".join(f"{name} {count}" for name, count in outcomes.most_common())
    grown = resident() - base
    print(
        f"{kind.__name__:<8} {n} files: {counts}; {sum(faults.values())} faults; memory {most / 2**20:.1f} MB above the"
    )
    print(f"         base, process {grown / 2**20:.0f} MB; longest {longest:.2f} s", flush=True)
    for fault, count in faults.most_common(10):
        print(f"         {count} times {fault}")
    return not faults and most < MOST and not grown > MOST


if __name__ == "__main__":
    n, seed = ([int(given) for given in sys.argv[1:]] + [10_000, 0][len(sys.argv) - 1 :])[:2]
    warnings.simplefilter("error")
    kinds = (idx, model, arrays, json, results)
    fine = [campaign(kind, n, np.random.default_rng([seed, i])) for i, kind in enumerate(kinds)]
    sys.exit(0 if all(fine) else 1)
