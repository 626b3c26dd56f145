"""The dependencies between modules are those of ARCHITECTURE.md, and the packaging knows them all."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "compiler" / "bpc"
LAYERS = {
    "record": 0,
    "version": 1, "source": 1, "sizes": 1,
    "diagnostics": 2, "types": 2, "syntax": 2, "lib": 2,
    "ir": 3,
    "ops": 4, "plan": 4,
    "printer": 5, "verify": 6,
    "fragments": 5, "lalr": 6, "larktable": 6, "syntaxerrors": 6, "treebuilder": 6,
    "parser": 7, "lower": 7, "calculus": 7, "passes": 7, "schedule": 7, "codegen": 7,
    "cost": 8, "emit": 8, "compiler": 9,
    "output": 10, "derivation": 10, "reports": 10,
    "training": 11,
    "cli": 12, "__main__": 13, "__init__": 10,
}  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))


def group(module):
    """The part of the package that a module belongs to: bpc.ops.base is of `ops`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(["bpc", *path.relative_to(PACKAGE).parts[:-1], base]).rstrip(".")
            if base == "bpc":
                yield from (f"bpc.{alias.name}" for alias in node.names)
            else:
                yield base


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_dependencies_point_one_way(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imports(path):
        if not name.startswith("bpc"):
            continue
        other = group(name)
        if other in ("__init__", "__version__", own):
            continue
        assert LAYERS[other] < LAYERS[own], f"{own} imports {other}"


def test_one_module_imports_lark():
    users = {p.name for p in MODULES if any(n.split(".")[0] == "lark" for n in imports(p))}
    assert users == {"larktable.py"}


def test_the_package_list_is_the_tree():
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    found = {
        ".".join(["bpc", *p.parent.relative_to(PACKAGE).parts])
        for p in PACKAGE.rglob("__init__.py")
    }
    assert listed == found | {"bpc.grammar"}


def test_core_dependencies_are_few():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {d.split(">")[0] for d in project["dependencies"]}
    assert names == {"lark", "sympy", "black", "numpy", "click", "rich"}


def test_architecture_names_what_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for name in LAYERS.keys() - {"__main__", "__init__", "version"}:
        assert name in text, name
