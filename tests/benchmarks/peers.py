"""The same network, training step and products in PyTorch, JAX and scikit-learn, behind one small interface.

A trainer has ``run(index)``: one update on the images of this batch, finished when the call returns. A product is a
function of nothing, finished when it returns. Each starts from the given ``aelib`` model's weights, in float32.
"""

import contextlib
import importlib.util
import shutil

import numpy as np

import aelib

MOMENTUM, DECAY, RATE = 0.9, 0.99, 1e-3
OPTIMIZERS = ("adam", "sgd", "rmsprop")


def aelib_trainer(model, X, optimizer):
    """One update of aelib, as ``aelib.train`` makes it."""
    model = model.with_theta(model.theta.copy())
    steps = {
        "adam": aelib.Adam(RATE),
        "sgd": aelib.SGD(RATE, momentum=MOMENTUM),
        "rmsprop": aelib.RMSprop(RATE, decay=DECAY),
    }
    buffers, batches = {}, {}

    def run(index):
        n = index.size
        if n not in buffers:
            buffers[n], batches[n] = model.buffers(n), np.empty((n, X.shape[1]), X.dtype)
        batch = np.take(X, index, axis=0, out=batches[n], mode="clip")
        _, grad = model.loss_and_grad(batch, out=buffers[n])
        steps[optimizer].step(model.theta, grad)

    return run


def aelib_products(model, X, p):
    """Gradient, and products with the primal pass included and cached."""
    at, out = model.linearize(X), model.buffers(len(X))
    return {
        "gradient": lambda: model.loss_and_grad(X, out=out),
        "Hp": lambda: model.hvp(X, p),
        "Gp": lambda: model.gnvp(X, p),
        "Hp cached": lambda: at.hvp(p),
        "Gp cached": lambda: at.gnvp(p),
    }


# -- PyTorch -----------------------------------------------------------------------------------------------------------


def _torch_net(model):
    import torch

    modules = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid, "identity": torch.nn.Identity}
    parts = []
    for layer in model.layers:
        linear = torch.nn.Linear(layer.n_in, layer.n_out, bias=layer.bias)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(layer.W))
            if layer.bias:
                linear.bias.copy_(torch.from_numpy(layer.b))
        parts += [linear, modules[layer.activation.name]()]
    return torch.nn.Sequential(*parts)


def torch_trainer(model, X, optimizer, compiled=False):
    """Eager PyTorch with fused optimizers, or torch.compile of the loss."""
    import torch

    net, images = _torch_net(model), torch.from_numpy(X)
    steps = {
        "adam": lambda: torch.optim.Adam(net.parameters(), RATE, fused=True),
        "sgd": lambda: torch.optim.SGD(net.parameters(), RATE, momentum=MOMENTUM, fused=True),
        "rmsprop": lambda: torch.optim.RMSprop(net.parameters(), RATE, alpha=DECAY),
    }
    step = steps[optimizer]()

    def loss(batch):
        return 0.5 * (net(batch) - batch).square().sum() / len(batch)

    loss = torch.compile(loss) if compiled else loss

    def run(index):
        step.zero_grad(set_to_none=True)
        loss(images[torch.from_numpy(index)]).backward()
        step.step()

    return run


def torch_products(model, X, p):
    """torch.func in both orders, primal included."""
    import torch
    from torch.func import functional_call, grad, jvp, vjp

    net, images = _torch_net(model), torch.from_numpy(X)
    theta = {name: value.detach() for name, value in net.named_parameters()}
    direction, i = {}, 0
    for name, value in theta.items():
        direction[name] = torch.from_numpy(p[i : i + value.numel()].reshape(value.shape))
        i += value.numel()

    def output(theta):
        return functional_call(net, theta, (images,))

    def loss(theta):
        return 0.5 * (output(theta) - images).square().sum() / len(images)

    def gnvp():
        Jp = jvp(output, (theta,), (direction,))[1]
        return vjp(output, theta)[1](Jp / len(images))

    return {
        "gradient": lambda: grad(loss)(theta),
        "Hp forward over reverse": lambda: jvp(grad(loss), (theta,), (direction,)),
        "Hp reverse over forward": lambda: grad(lambda theta: jvp(loss, (theta,), (direction,))[1])(theta),
        "Gp": gnvp,
    }


def curvlinops_products(model, X, p):
    """The linear operators of curvlinops, primal included."""
    import curvlinops
    import torch

    net, images, v = _torch_net(model), torch.from_numpy(X), torch.from_numpy(p)
    parameters = [value for value in net.parameters() if value.requires_grad]
    arguments = net, torch.nn.MSELoss(), parameters, [(images, images)]  # half-SSE but for a constant factor
    H = curvlinops.HessianLinearOperator(*arguments, check_deterministic=False)
    G = curvlinops.GGNLinearOperator(*arguments, check_deterministic=False)
    return {"Hp": lambda: H @ v, "Gp": lambda: G @ v}


# -- JAX ---------------------------------------------------------------------------------------------------------------


def _jax_functions(model):
    import jax
    import jax.numpy as jnp

    g = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "identity": lambda u: u}
    names = [layer.activation.name for layer in model.layers]
    theta = [(jnp.asarray(layer.W), jnp.asarray(layer.b) if layer.bias else None) for layer in model.layers]

    def output(theta, X):
        for name, (W, b) in zip(names, theta, strict=True):
            X = X @ W.T if b is None else X @ W.T + b
            X = g[name](X)
        return X

    def loss(theta, X):
        return 0.5 * jnp.sum((output(theta, X) - X) ** 2) / len(X)

    return theta, output, loss


def jax_trainer(model, X, optimizer):
    """One jitted update, gathering included, with donated parameters and state."""
    import jax
    import jax.numpy as jnp

    theta, _, loss = _jax_functions(model)
    images, tree = jnp.asarray(X), jax.tree_util.tree_map
    zeros = tree(jnp.zeros_like, theta)

    def adam(theta, state, grads):
        t, m, v = state
        t = t + 1
        m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        a, b = 1 / (1 - 0.9**t), 1 / (1 - 0.999**t)
        return tree(lambda w, m, v: w - RATE * m * a / (jnp.sqrt(v * b) + 1e-8), theta, m, v), (t, m, v)

    def sgd(theta, v, grads):
        v = tree(lambda v, g: MOMENTUM * v + g, v, grads)
        return tree(lambda w, v: w - RATE * v, theta, v), v

    def rmsprop(theta, s, grads):
        s = tree(lambda s, g: DECAY * s + (1 - DECAY) * g * g, s, grads)
        return tree(lambda w, g, s: w - RATE * g / (jnp.sqrt(s) + 1e-8), theta, grads, s), s

    method = {"adam": adam, "sgd": sgd, "rmsprop": rmsprop}[optimizer]
    copy = tree(jnp.copy, zeros)
    state = (jnp.zeros(()), zeros, copy) if optimizer == "adam" else zeros

    def step(theta, state, images, index):
        return method(theta, state, jax.grad(loss)(theta, images[index]))

    step = jax.jit(step, donate_argnums=(0, 1))
    held = [tree(jnp.copy, theta), state]

    def run(index):
        held[:] = step(*held, images, index.astype(np.int32))
        jax.block_until_ready(held)

    return run


def jax_products(model, X, p):
    """jvp of grad and J^T J, jitted, primal included; and the linear map of jax.linearize, jitted, primal cached."""
    import jax
    import jax.numpy as jnp

    theta, output, loss = _jax_functions(model)
    images = jnp.asarray(X)
    direction = [
        (jnp.asarray(P), None if q is None else jnp.asarray(q)) for P, q in (layer.split(p) for layer in model.layers)
    ]

    def gnvp(theta, X, v):
        _, back = jax.vjp(lambda theta: output(theta, X), theta)
        Jp = jax.jvp(lambda theta: output(theta, X), (theta,), (v,))[1]
        return back(Jp / len(X))[0]

    gradient = jax.jit(jax.grad(loss))
    hvp = jax.jit(lambda theta, X, v: jax.jvp(lambda theta: jax.grad(loss)(theta, X), (theta,), (v,))[1])
    gnvp = jax.jit(gnvp)
    cached = jax.jit(jax.linearize(lambda theta: jax.grad(loss)(theta, images), theta)[1])
    wait = jax.block_until_ready
    return {
        "gradient": lambda: wait(gradient(theta, images)),
        "Hp": lambda: wait(hvp(theta, images, direction)),
        "Gp": lambda: wait(gnvp(theta, images, direction)),
        "Hp cached": lambda: wait(cached(direction)),
    }


# -- scikit-learn ------------------------------------------------------------------------------------------------------


def sklearn_trainer(model, X, optimizer):
    """MLPRegressor.partial_fit on one batch: the same widths, its own start, a linear output, one hidden activation."""
    from sklearn.neural_network import MLPRegressor

    if optimizer == "rmsprop":
        raise NotImplementedError("MLPRegressor has no RMSprop")
    widths = tuple(layer.n_out for layer in model.layers[:-1])
    regressors = {}

    def run(index):
        batch = X[index]
        if index.size not in regressors:
            regressors[index.size] = MLPRegressor(
                hidden_layer_sizes=widths, solver=optimizer, alpha=0.0, batch_size=index.size
            )
        regressors[index.size].partial_fit(batch, batch)

    return run


def trainers():
    """Return the trainers whose packages are here, by name, and the list of what is missing and why."""
    found, missing = {"aelib": aelib_trainer}, []
    if importlib.util.find_spec("torch"):
        found["PyTorch eager"] = torch_trainer
        if shutil.which("g++") or shutil.which("clang++"):
            found["torch.compile"] = lambda *args: torch_trainer(*args, compiled=True)
        else:
            missing.append("torch.compile (no C++ compiler)")
    else:
        missing.append("PyTorch (not installed)")
    for name, package, trainer in (("JAX jit", "jax", jax_trainer), ("scikit-learn", "sklearn", sklearn_trainer)):
        if importlib.util.find_spec(package):
            found[name] = trainer
        else:
            missing.append(f"{name} (not installed)")
    return found, missing


def products():
    """Return the makers of products whose packages are here, by name."""
    makers = {"aelib": aelib_products}
    for name, package, maker in (
        ("torch.func", "torch", torch_products),
        ("curvlinops", "curvlinops", curvlinops_products),
        ("JAX jit", "jax", jax_products),
    ):
        if importlib.util.find_spec(package):
            makers[name] = maker
    return makers


def set_threads(n):
    """Bound every package's threads in this process; JAX's come from the processors the process may use."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(n)
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(n)
