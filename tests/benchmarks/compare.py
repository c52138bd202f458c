"""aelib beside PyTorch, torch.compile, JAX, curvlinops and scikit-learn: python tests/benchmarks/compare.py [--quick].

All peers run in one process, in turn, block by block, from the same weights, on the same batches, in float32, with the
same number of threads and processors. Every figure is the median over blocks; every ratio is peer / aelib, block by
block, so that a drift of the machine's speed falls out: above 1, aelib is faster. Peers: pip install -e .[benchmark].
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ["training", "curvature", "limits", "drift", "rest"]
NETS = {
    "784-2": [784, 2, 784],
    "784-200-2": [784, 200, 2, 200, 784],
    "784-400-200-2": [784, 400, 200, 2, 200, 400, 784],
    "784-1000-500-250-2": [784, 1000, 500, 250, 2, 250, 500, 1000, 784],
}
PAUSE = 0.05  # seconds before a peer's turn: threads of the one before may wait for work in a loop, on its processor


def interleave(calls, blocks, repeat=1):
    """Run each call ``repeat`` times in turn, ``blocks`` rounds after one to warm up; return seconds by name."""
    seconds = {name: [] for name in calls}
    for block in range(-1, blocks):
        for name, call in calls.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            for _ in range(repeat):
                call()
            if block >= 0:
                seconds[name].append((time.perf_counter() - start) / repeat)
    return seconds


def summary(seconds, base="aelib"):
    """Return by name: median milliseconds, and the ratio to ``base`` block by block: median and quartiles."""
    import numpy as np

    rows = {}
    for name, values in seconds.items():
        ratio = np.array(values) / np.array(seconds[base])
        low, middle, high = np.percentile(ratio, [25, 50, 75])
        rows[name] = dict(ms=1e3 * float(np.median(values)), ratio=float(middle), low=float(low), high=float(high))
    return rows


def training(mnist, quick):
    """A training step: every net, optimizer and batch size, over two epochs (quick: 100 updates)."""
    import numpy as np
    import peers

    from aelib import Autoencoder

    found, missing = peers.trainers()
    results, X = {}, np.array(mnist.train_images)
    for net, sizes in NETS.items():
        model = Autoencoder(sizes, dtype="float32").start_output_bias(X)
        for optimizer in peers.OPTIMIZERS:
            for batch_size in (100, 1000):
                epochs = 1 if quick else 2
                updates = 5 * (1000 // batch_size) if quick else len(X) // batch_size
                per_block = max(1, 1000 // batch_size)
                rng = np.random.default_rng(0)
                order = np.concatenate([rng.permutation(len(X))[: updates * batch_size] for _ in range(epochs)])
                batches = order.reshape(-1, per_block, batch_size)
                calls = {}
                for name, maker in found.items():
                    try:
                        run = maker(model, X, optimizer)
                        run(batches[0][0])
                    except Exception as error:
                        line = f"{name}, {optimizer}: {str(error).splitlines()[0]}"
                        missing += [line] * (line not in missing)
                        continue
                    calls[name] = _walk(run, batches)
                seconds = interleave(calls, len(batches) - 1)
                rows = summary({name: [s / per_block for s in values] for name, values in seconds.items()})
                key = f"{net}, {optimizer}, batch {batch_size}"
                results[key] = rows
                show(key, rows)
    return results, missing


def _walk(run, batches):
    blocks = iter(batches)

    def call():
        for index in next(blocks):
            run(index)

    return call


def curvature(mnist, quick):
    """Gradient, Hp and Gp, primal included and cached, against the nearest thing each peer has."""
    import numpy as np
    import peers

    from aelib import Adam, Autoencoder, train

    results = {}
    for net, sizes in list(NETS.items())[1:3]:
        model = Autoencoder(sizes, dtype="float32").start_output_bias(mnist.train_images)
        for progress in train(model, mnist.train_images, Adam()):
            if progress.update == 50:
                break
        p = np.random.default_rng(0).standard_normal(model.theta.size, np.float32)
        for n in (100, 1000) if quick else (100, 1000, 10_000):
            X = np.array(mnist.train_images[:n])
            calls = {}
            for name, maker in peers.products().items():
                calls |= {f"{name}: {product}": call for product, call in maker(model, X, p).items()}
            seconds = interleave(calls, 3 if quick else {100: 40, 1000: 20, 10_000: 7}[n])
            for product in ("gradient", "Hp", "Gp", "Hp cached", "Gp cached"):
                names = [name for name in calls if name.split(": ")[1].startswith(product)]
                if product in ("Hp", "Gp"):
                    names = [name for name in names if "cached" not in name]
                rows = summary({name: seconds[name] for name in names}, f"aelib: {product}")
                cost = np.median(np.array(seconds[f"aelib: {product}"]) / np.array(seconds["aelib: gradient"]))
                key = f"{net}, {product}, batch {n}"
                results[key] = rows | {"gradients": float(cost)}
                show(f"{key} ({cost:.2f} gradients)", rows)
    return results


def limits(mnist, quick):
    """The share of the machine's own matrix-product rate that the gradient reaches, and how time grows."""
    import numpy as np

    from aelib import Autoencoder

    def gradient_and_products(sizes, n):
        model, X = Autoencoder(sizes, dtype="float32"), np.array(mnist.train_images[:n])
        out, rng = model.buffers(n), np.random.default_rng(0)
        calls = {"gradient": lambda: model.loss_and_grad(X, out=out)}
        for l, layer in enumerate(model.layers):
            z, u = (rng.random((n, k), np.float32) for k in (layer.n_in, layer.n_out))
            gW, gz = np.empty_like(layer.W), np.empty_like(z)
            y = np.empty_like(u)
            calls[f"{l} z W^T"] = lambda z=z, W=layer.W, y=y: np.matmul(z, W.T, out=y)
            calls[f"{l} u^T z"] = lambda u=u, z=z, gW=gW: np.matmul(u.T, z, out=gW)
            if l:
                calls[f"{l} u W"] = lambda u=u, W=layer.W, gz=gz: np.matmul(u, W, out=gz)
        seconds = interleave(calls, 5 if quick else 15)
        whole = np.array(seconds.pop("gradient"))
        share = np.sum(list(seconds.values()), axis=0) / whole
        return 1e3 * float(np.median(whole)), float(np.median(share))

    cases = {f"{name}, batch {n}": (sizes, n) for name, sizes in NETS.items() for n in (100, 1000)}
    cases |= {f"784-200-2, batch {n}": (NETS["784-200-2"], n) for n in (10, 100, 1000, 10_000)}
    cases |= {f"784-{w}-2, batch 1000": ([784, w, 2, w, 784], 1000) for w in (50, 100, 200, 400, 800)}
    cases |= {f"784-{'-'.join(['200'] * d)}-2, batch 1000": ([784] + [200] * d + [2] + [200] * d + [784], 1000)
              for d in (1, 2, 4)}  # fmt: skip
    results = {}
    for name, (sizes, n) in cases.items():
        ms, share = gradient_and_products(sizes, n)
        results[name] = dict(ms=ms, share=share)
        print(
            f"  {name:<32}{ms:10.2f} ms a gradient, {share:6.0%} of it in matrix products at their own rate", flush=True
        )
    return results


def drift(mnist, quick):
    """CPU time of a step, first against last epoch of 33 (quick: of 3), report's 5-layer net, Adam, batch 100."""
    from aelib import Adam, Autoencoder, train

    model, times = Autoencoder(NETS["784-200-2"], dtype="float32").start_output_bias(mnist.train_images), []
    start = time.process_time()
    for progress in train(model, mnist.train_images, Adam(), epochs=3 if quick else 33):
        if progress.epoch == int(progress.epoch):
            times.append(time.process_time() - start)
            start = time.process_time()
    print(f"  CPU time of the last epoch / the first: {times[-1] / times[0]:.3f}")
    return dict(epochs=times, ratio=times[-1] / times[0])


def rest(mnist):
    """Encoding and reconstructing 70,000 images, load_mnist, import time, peak memory."""
    import numpy as np

    from aelib import Autoencoder, load_mnist

    everything = np.concatenate([mnist.train_images, mnist.test_images])
    model = Autoencoder(NETS["784-400-200-2"], dtype="float32")
    calls = {
        "encode 70,000 images": lambda: model.encode(everything),
        "reconstruct 70,000 images": lambda: model.reconstruct(everything),
        "load_mnist": load_mnist,
    }
    try:
        import peers
        import torch

        net = peers._torch_net(model)
        images = torch.from_numpy(everything)

        def run(part):
            with torch.inference_mode():
                return part(images)

        calls["PyTorch: encode 70,000 images"] = lambda: run(net[: len(net) // 2])
        calls["PyTorch: reconstruct 70,000 images"] = lambda: run(net)
    except ImportError:
        pass
    results = {name: dict(ms=1e3 * float(np.median(s))) for name, s in interleave(calls, 5).items()}
    imports = {
        package: (lambda package=package: subprocess.run([sys.executable, "-c", f"import {package}"], check=True))
        for package in ("numpy", "aelib")
    }
    seconds = interleave(imports, 11)
    extra = np.median(np.array(seconds["aelib"]) - np.array(seconds["numpy"]))
    results["import aelib, beyond import numpy"] = dict(ms=1e3 * float(extra))
    code = (
        "import re, aelib; m = aelib.load_mnist();"
        f"model = aelib.Autoencoder({NETS['784-400-200-2']}, dtype='float32').start_output_bias(m.train_images);"
        "aelib.fit(model, m.train_images, aelib.Adam(2e-3), X_test=m.test_images, progress=False);"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    if Path("/proc/self/status").exists():  # elsewhere a child's peak would count this process's memory at the fork
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        results["peak memory of a training run, 784-400-200-2"] = dict(MB=int(done.stdout) / 1024)
    for name, row in results.items():
        print(f"  {name:<46}" + ", ".join(f"{value:.1f} {unit}" for unit, value in row.items()), flush=True)
    return results


def show(title, rows):
    """Print a row of ratios."""
    base = next(iter(rows.values()))
    cells = [f"{name.split(': ')[-1] if name.startswith('aelib') else name} {row['ratio']:.2f} "
             f"[{row['low']:.2f}, {row['high']:.2f}]" for name, row in list(rows.items())[1:]]  # fmt: skip
    print(f"  {title:<44} aelib {base['ms']:8.2f} ms | " + " | ".join(cells), flush=True)


def draw(results, path):
    """Draw the ratios of a training step with Adam, by net, batch size, peer and threads, as one figure."""
    from matplotlib.figure import Figure

    from aelib.common.plots import LINES

    panels = [(t, b) for t in results["threads"] for b in (100, 1000)]
    figure = Figure(figsize=(10, 3.2 * len(results["threads"])), dpi=100, layout="constrained")
    peers_drawn = {}
    for ax, (threads, batch) in zip(
        figure.subplots(len(results["threads"]), 2, squeeze=False).flat, panels, strict=True
    ):
        part = results["threads"][threads].get("training", {})
        rows = [part[f"{net}, adam, batch {batch}"] for net in NETS if f"{net}, adam, batch {batch}" in part]
        names = [name for name in rows[0] if name != "aelib"]
        for k, name in enumerate(names):
            height = 0.8 / len(names)
            y = [i + (k - len(names) / 2 + 0.5) * height for i in range(len(rows))]
            bars = ax.barh(y, [row[name]["ratio"] for row in rows], height, color=LINES[k], label=name)
            ax.bar_label(bars, fmt="%.2f", fontsize="x-small", padding=2)
            peers_drawn[name] = bars
        ax.set_yticks(range(len(rows)), list(NETS)[: len(rows)])
        ax.invert_yaxis()
        ax.axvline(1, color="black", linewidth=0.8)
        ax.set_xlim(0, 1.15 * max(row[name]["ratio"] for row in rows for name in names))
        ax.set_xlabel("time of a training step / aelib's")
        ax.set_title(f"batch {batch}, {threads} thread{'s' * (threads != '1')}", fontsize="medium")
    figure.legend(peers_drawn.values(), peers_drawn, loc="outside upper center", ncols=4, fontsize="small")
    figure.savefig(path)


def processor():
    """Return the processor's name, where the system tells it, and the number of processors used at most."""
    cpu = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", cpu.read_text()) if cpu.exists() else []
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} processors"


def tables(results):
    """Return the ratios as Markdown tables, for README.md in this folder."""
    lines = []
    for part, title in (("training", "A training step"), ("curvature", "Gradient, Hp, Gp")):
        for threads, found in results["threads"].items():
            rows = found.get(part, {})
            peers_found = list(dict.fromkeys(name for row in rows.values() for name in row if "aelib" not in name))
            peers_found = [name for name in peers_found if name != "gradients"]
            columns = list(dict.fromkeys(name.split(": ")[0] for name in peers_found))
            lines += ["", f"{title}, {threads} thread{'s' * (threads != '1')}:", ""]
            lines += ["| " + " | ".join(["case", "aelib, ms", *columns]) + " |", "|---|" + "---:|" * (len(columns) + 1)]
            for case, row in rows.items():
                own = next(value for name, value in row.items() if name.startswith("aelib"))
                cells = []
                for column in columns:
                    ratios = [v for name, v in row.items() if name.split(": ")[0] == column]
                    cells.append(
                        ", ".join(f"{v['ratio']:.2f} [{v['low']:.2f}, {v['high']:.2f}]" for v in ratios) or "-"
                    )
                cost = f" ({row['gradients']:.2f} gradients)" if "gradients" in row else ""
                lines.append("| " + " | ".join([case + cost, f"{own['ms']:.2f}", *cells]) + " |")
    return "\n".join(lines)


def measure(arguments):
    """Measure in this process, whose threads and processors were set by the one that started it."""
    sys.path.insert(0, str(HERE))
    import numpy as np
    import peers

    from aelib import load_mnist

    peers.set_threads(arguments.threads)
    mnist, quick, result = load_mnist(), arguments.quick, {}
    print(f"\n{arguments.threads} thread(s). Ratios are peer / aelib: median [quartiles].")
    if "training" in arguments.parts:
        result["training"], result["missing"] = training(mnist, quick)
    if "curvature" in arguments.parts:
        result["curvature"] = curvature(mnist, quick)
    if "limits" in arguments.parts:
        result["limits"] = limits(mnist, quick)
    if "drift" in arguments.parts:
        result["drift"] = drift(mnist, quick)
    if "rest" in arguments.parts:
        result["rest"] = rest(mnist)
    for line in result.get("missing", []):
        print(f"  missing: {line}")
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version(), "numpy": np.__version__}
    for package in ("torch", "jax", "scikit-learn", "curvlinops-for-pytorch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    result["versions"] = versions
    return result


def main():
    """Start one process for each number of threads, on as many processors, and write what they measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few blocks of each, to see that it works")
    parser.add_argument("--tables", action="store_true", help="measure nothing, print the file as Markdown tables")
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="measure these, keep the file's others"
    )
    parser.add_argument("--out", type=Path, default=HERE / "results.json", help="the JSON file to write")
    arguments = parser.parse_args()
    if arguments.tables:
        print(tables(json.loads(arguments.out.read_text())))
        return
    if arguments.threads:
        arguments.out.write_text(json.dumps(measure(arguments)))
        return
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))
    results = {"threads": {}}
    if arguments.out.exists() and arguments.parts != PARTS:
        results = json.loads(arguments.out.read_text())
    results |= {"date": date.today().isoformat(), "machine": processor()}
    for threads in sorted({1, len(cores)}):
        environment = os.environ | {
            name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        }
        part = arguments.out.with_suffix(f".{threads}.tmp")
        command = [sys.executable, __file__, *sys.argv[1:], "--threads", str(threads), "--out", str(part)]
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores[-threads:])  # inherited: what bounds JAX
        subprocess.run(command, env=environment, check=True)
        results["threads"].setdefault(str(threads), {}).update(json.loads(part.read_text()))
        part.unlink()
    arguments.out.write_text(json.dumps(results, indent=1))
    picture = arguments.out.with_suffix(".png")
    if all("training" in part for part in results["threads"].values()):
        draw(results, picture)
    print(f"\nwritten: {arguments.out}" + f" and {picture}" * picture.exists())


if __name__ == "__main__":
    main()
