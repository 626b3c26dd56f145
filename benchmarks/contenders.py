"""Who takes part: for each a function that makes a workload ready to be called.

`build(workload, params, inputs)` gives `(runs, read)`: a function of no arguments for each set of
params, and what turns its result into `(float, {param: array})`. Where a peer is missing or does
not apply it raises, and the tables say why.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial


class Unavailable(Exception):
    """Why a contender does not take part in a workload."""


@dataclass(frozen=True)
class Contender:
    name: str
    build: Callable
    imports: str  # the module whose import is timed
    packages: tuple[str, ...]  # whose installed size, with what they need, is counted
    peer: bool = False  # a framework that bpc is compared with; it may be missing


def as_is(result):
    return result


def imported(name):
    """A peer's module. ImportError says which one is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"not installed: {error.name or name}") from None


def bpc_at(level):
    def build(workload, params, inputs):
        import bpc

        emit = ("hessian",) if workload.newton else ()
        options = {"level": level, "settings": workload.settings, "emit": emit}
        return bound(bpc.load(workload.source, **options), workload, params, inputs)

    return build


def bound(module, workload, params, inputs):
    """A generated module as a contender."""
    if workload.newton:
        import numpy as np

        def step(p):
            J, grads = module.value_and_grad(p, **inputs)
            return J, {"w": np.linalg.solve(module.hessian(p, **inputs), grads["w"])}

        return [lambda p=p: step(p) for p in params], as_is
    f = module.value_and_grad
    given = tuple(inputs[k] for k in module.INPUTS)
    return [lambda p=p: f(p, *given) for p in params], as_is


def numpy_by_hand(workload, params, inputs):
    given = tuple(inputs.values())
    return [lambda p=p: workload.numpy(p, *given) for p in params], as_is


def numpy_tuned(workload, params, inputs):
    given = tuple(inputs.values())
    f = workload.tuned(params[0], *given)
    return [lambda p=p: f(p, *given) for p in params], as_is


def jax_jit(workload, params, inputs):
    jax = imported("jax")
    jax.config.update("jax_enable_x64", True)
    if workload.jax:
        cost = lambda p, *given: workload.jax(jax, p, *given)
    else:
        cost = lambda p, *given: workload.model(jax.numpy, p, *given)
    step = jax.value_and_grad(cost)
    if workload.newton:

        def step(p, *given):
            J, grads = jax.value_and_grad(cost)(p, *given)
            hessian = jax.hessian(cost)(p, *given)["w"]["w"]
            return J, {"w": jax.numpy.linalg.solve(hessian, grads["w"])}

    step = jax.jit(step)
    put = lambda arrays: {k: jax.device_put(jax.numpy.asarray(v)) for k, v in arrays.items()}
    given = tuple(put(inputs).values())
    sets = [put(p) for p in params]
    return [lambda p=p: jax.block_until_ready(step(p, *given)) for p in sets], as_is


def torch_eager(workload, params, inputs, compiled=False):
    torch = imported("torch")
    import numpy as np

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if compiled:
        no_compiler(workload)
    tensor = lambda v: torch.from_numpy(np.array(v))
    given = tuple(tensor(v) for v in inputs.values())
    sets, back = [{k: tensor(v) for k, v in p.items()} for p in params], None
    cost = lambda p, *given: workload.model(torch, p, *given)
    if workload.torch:
        made = [workload.torch(torch, p, *given) for p in sets]
        sets, given, cost, back = [m[0] for m in made], *made[0][1:]
    for p in sets:
        for leaf in p.values():
            leaf.requires_grad_()
    if workload.newton:
        return torch_newton(torch, cost, sets, given, compiled)
    if compiled:
        cost = torch.compile(cost, dynamic=False)

    def run(p, leaves):
        J = cost(p, *given)
        return J, torch.autograd.grad(J, leaves)

    names = list(params[0])

    def read(result):
        grads = {k: g.numpy() for k, g in zip(sets[0], result[1], strict=True)}
        grads = back(grads) if back else grads
        return float(result[0].detach()), {k: grads[k] for k in names}

    return [partial(run, p, tuple(p.values())) for p in sets], read


def torch_newton(torch, cost, sets, given, compiled):
    def value(w):
        return cost({"w": w}, *given)

    def step(w):
        grad, J = torch.func.grad_and_value(value)(w)
        return J, torch.linalg.solve(torch.func.hessian(value)(w), grad)

    f = torch.compile(step, dynamic=False) if compiled else step
    vectors = [p["w"].detach() for p in sets]
    return [lambda w=w: f(w) for w in vectors], lambda r: (float(r[0]), {"w": r[1].numpy()})


def no_compiler(workload):
    """Raise where torch.compile cannot work."""
    import shutil

    if not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++")):
        raise Unavailable("no C++ compiler, which torch.compile needs")


def torch_compiled(workload, params, inputs):
    return torch_eager(workload, params, inputs, compiled=True)


def autograd_numpy(workload, params, inputs):
    autograd, xp = imported("autograd"), imported("autograd.numpy")
    if isinstance(workload.autograd, str):
        raise Unavailable(workload.autograd)
    model = workload.autograd or workload.model
    given = tuple(inputs.values())
    if workload.newton:
        import numpy as np

        cost = lambda w: model(xp, {"w": w}, *given)
        both, second = autograd.value_and_grad(cost), autograd.hessian(cost)

        def step(p):
            J, grad = both(p["w"])
            return J, {"w": np.linalg.solve(second(p["w"]), grad)}
    else:
        step = autograd.value_and_grad(lambda p: model(xp, p, *given))
    return [lambda p=p: step(p) for p in params], as_is


def tangent_grad(workload, params, inputs):
    if isinstance(workload.tangent, str):
        raise Unavailable(workload.tangent)
    tangent = imported("tangent")
    names = list(params[0])
    f = tangent.grad(workload.tangent, wrt=tuple(range(len(names))), preserve_result=True)
    given = tuple(inputs.values())
    read = lambda r: (r[-1], dict(zip(names, r[:-1], strict=True)))
    return [partial(f, *p.values(), *given) for p in params], read


def casadi_function(workload, params, inputs):
    """A Function of symbols, called with matrices that exist already."""
    if isinstance(workload.casadi, str):
        raise Unavailable(workload.casadi)
    ca = imported("casadi")
    import numpy as np

    kind = ca.MX if workload.newton else ca.SX
    matrix = lambda v: ca.DM(np.asarray(v, dtype=float))
    symbols = {k: kind.sym(k, *matrix(v).shape) for k, v in (*params[0].items(), *inputs.items())}
    p = {k: symbols[k] for k in params[0]}
    J = workload.casadi(ca, p, *(symbols[k] for k in inputs))
    if workload.newton:
        hessian, grad = ca.hessian(J, p["w"])
        results = [J, ca.solve(hessian, grad)]
    else:
        flat = ca.vertcat(*(ca.vec(s) for s in p.values()))
        pieces = (
            ca.vertsplit(
                ca.gradient(J, flat), list(np.cumsum([0, *(s.numel() for s in p.values())]))
            )
            if kind is ca.MX
            else None
        )
        results = [J, *(pieces or (ca.gradient(J, s) for s in p.values()))]
    f = ca.Function("f", list(symbols.values()), results)
    given = tuple(matrix(v) for v in inputs.values())
    sets = [tuple(matrix(v) for v in q.values()) for q in params]

    def read(result):
        shapes = {k: np.shape(v) for k, v in params[0].items()}
        values = {
            k: np.array(g).reshape(shapes[k]) for k, g in zip(shapes, result[1:], strict=True)
        }
        return float(result[0]), values

    return [lambda v=v: f(*v, *given) for v in sets], read


CONTENDERS = {
    c.name: c
    for c in (
        Contender("bpc -O0", bpc_at(0), "bpc", ("bpc",)),
        Contender("bpc -O1", bpc_at(1), "bpc", ("bpc",)),
        Contender("bpc -O2", bpc_at(2), "bpc", ("bpc",)),
        Contender("NumPy", numpy_by_hand, "numpy", ("numpy",)),
        Contender("NumPy tuned", numpy_tuned, "numpy", ("numpy",)),
        Contender("JAX jit", jax_jit, "jax", ("jax", "jaxlib"), peer=True),
        Contender("PyTorch", torch_eager, "torch", ("torch",), peer=True),
        Contender("torch.compile", torch_compiled, "torch", ("torch",), peer=True),
        Contender("autograd", autograd_numpy, "autograd.numpy", ("autograd",), peer=True),
        Contender("Tangent", tangent_grad, "tangent", ("tangent-ad",), peer=True),
        Contender("CasADi", casadi_function, "casadi", ("casadi",), peer=True),
    )
}


def prepare(contender, workload, params, inputs):
    """What `build` gives; Unavailable with a reason where a peer fails."""
    try:
        runs, read = contender.build(workload, params, inputs)
        runs[0]()
    except Unavailable:
        raise
    except Exception as error:
        if not contender.peer:
            raise
        first = (str(error).strip() or "no message").splitlines()[0]
        raise Unavailable(f"{type(error).__name__}: {first[:120]}") from None
    return runs, read
