"""The dependencies between modules are those of ARCHITECTURE.md, and the packaging knows them all."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "compiler" / "bpc"
LAYERS = {
    "version": 0, "source": 0, "sizes": 0,
    "diagnostics": 1, "types": 1, "syntax": 1, "lib": 1,
    "ir": 2,
    "ops": 3, "plan": 3,
    "printer": 4, "verify": 5,
    "fragments": 4, "lalr": 5, "larktable": 5, "syntaxerrors": 5, "treebuilder": 5,
    "parser": 6, "lower": 6, "calculus": 6, "passes": 6, "schedule": 6, "codegen": 6,
    "cost": 7, "compiler": 8,
    "output": 9, "derivation": 9,
    "training": 10,
    "cli": 11, "__main__": 12, "__init__": 9,
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
