"""The functions of a module that do the mathematics, on explicit arrays, and what makes their memory.

def _cost(w, x, N, work):
(N_by_3,) = work
...
return J
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bpc.codegen import layout, workspaces
from bpc.codegen.context import Writer
from bpc.codegen.kernel import Kernel
from bpc.codegen.names import Names
from bpc.codegen.workspaces import Call
from bpc.codegen.wrappers import named, takes_rng
from bpc.ir import Atom, Function, Var
from bpc.plan import Buffer, Given, Plan, home
from bpc.record import record


class Part:
    """A plan printed among the names of a function."""

    def __init__(
        self, w: Writer, plan: Plan, free: Names, known: Mapping[Var, str], called: dict[Var, str]
    ) -> None:
        self.plan = plan
        buffers: dict[Buffer, str] = {}
        self.kernel = Kernel(plan, plan.function, w.speller, free, known, buffers, called=called)
        buffers |= workspaces.names(w, plan.buffers, free)
        constants = [self.kernel.claim(e.out) for e in plan.constants]
        w.printed[plan] = self.kernel
        #: the names of the memory that it computes in
        self.memory = [*buffers.values(), *constants]

    def body(self, w: Writer) -> list[str]:
        """The lines."""
        return self.kernel.body(w.comment)

    def given(self, results: Iterable[Atom]) -> list[tuple[int, Var]]:
        """Those of some results that are written into memory of the caller's, and their places."""
        places = self.plan.places
        found = [(i, r) for i, r in enumerate(results) if isinstance(r, Var)]
        return [(i, r) for i, r in found if home(places, r) == Given()]


@record(frozen=True)
class Text:
    """What stands in a function, and what it takes."""

    name: str
    #: the parameters that hold arrays
    names: Sequence[str]
    body: Sequence[str]
    results: Sequence[str]
    #: memory for results, by their names
    targets: Sequence[str] = ()
    seed: bool = False
    #: what its workspace is called, if it has one
    work: str = ""
    #: dims that it may take besides those of the program
    dims: Sequence[str] = ()
    #: the names of the results but the first, where they are returned as a dict
    keys: Sequence[str] = ()


def rest(function: Function) -> tuple[Atom, ...]:
    """The results but the cost."""
    return function.results[1 if function.name == "value_and_grad" else 0 :]


def start(w: Writer, function: Function) -> tuple[Names, dict[Var, str], list[str]]:
    """The names of a function: those that are left, those of its parameters, and these in order."""
    w.speller.needs_dtype = False
    w.speller.used.clear()
    free, known = w.locals(), dict(w.arguments)
    known |= {p: free.claim(p.name) for p in function.params if p not in known}
    varied = [name for p, name in known.items() if p not in w.arguments]
    taken = [*w.program.params, *w.needed(function)]
    return free, known, [*(w.name(a) for a in taken), *varied]


def whole(w: Writer, plan: Plan) -> tuple[list[str], Call]:
    """The lines of a function that computes all at once, and how it is called."""
    function = plan.function
    free, known, names = start(w, function)
    part = Part(w, plan, free, known, {})
    found = part.given(rest(function))
    work = free.claim("work") if part.memory or found else ""
    body = layout.unpacked(4, part.memory, work) if part.memory else []
    body += part.body(w)
    given = [i for i, _ in found]
    targets = [part.kernel.known[r] for _, r in found]
    if function.name != "value_and_grad":
        for (_, r), target in zip(found, targets):
            body = [*layout.statement(4, target, w.speller.empty(r.type)), *body]
        given, targets = [], []
    text = Text(
        function.name, names, body, part.kernel.results(), targets,
        takes_rng(w, function), work, keys=named(w, function),
    )  # fmt: skip
    lines, dims = written(w, text)
    if not work:
        return lines, Call(dims)
    loose = len(found) < len(rest(function))
    every = (*w.program.dims, *w.program.columns)
    maker, sizes = workspaces.function(w, function.name, [plan], every)
    return [*lines, *maker], Call(dims, sizes, given, loose)


def written(w: Writer, text: Text) -> tuple[list[str], list[str]]:
    """The lines of a function, and the dims that it takes, by their Python names."""
    body = list(text.body)
    if w.speller.needs_dtype:
        arguments = [*w.program.params, *w.program.inputs]
        reals = [w.name(a) for a in arguments if a.var.type.kind == "real"]
        real = next((n for n in reals if n in text.names), None)
        body.insert(0, f"    dtype = {real}.dtype" if real else "    dtype = np.dtype(float)")
    every = (*w.program.dims, *w.program.columns, *text.dims)
    dims = [w.speller.names[d] for d in every if d in w.speller.used]
    taken = [*text.names, *dims, *([text.work] if text.work else [])]
    taken += [*(["seed"] if text.seed else []), *text.targets]
    head = layout.signature(0, f"_{text.name}", taken, modern=True)
    if text.keys:
        value, *grads = text.results
        entries = [(f'"{k}"', g) for k, g in zip(text.keys, grads)]
        return ["", "", *head, *body, *layout.dictionary(4, f"return {value},", entries)], dims
    return ["", "", *head, *body, *layout.returned(4, text.results)], dims
