"""Writing the output: whole or not at all, never over other people's work, never anything but bpc's."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import bpc
from bpc.codegen.check import ATTRIBUTES, OutputError, check_output
from bpc.output import Refused, is_sealed, write

ROOT = Path(__file__).parents[1]
NEW = bpc.compile_source("param w = 3\ncost J = w^2", "new.bp")
OLD = bpc.compile_source("param w = 3\ncost J = w^3", "old.bp")


def test_what_bpc_writes_is_sealed():
    data = NEW.encode()
    assert is_sealed(data)
    assert is_sealed(data.replace(b"\n", b"\r\n"))
    assert not is_sealed(data + b"\n")
    assert not is_sealed(data.replace(b"params", b"Params", 1))
    assert not is_sealed(b"print(1)\n")
    assert not is_sealed(b"")


def test_a_new_file_obeys_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "m.py", NEW)
    finally:
        os.umask(before)
    assert (tmp_path / "m.py").read_text() == NEW
    assert stat.S_IMODE((tmp_path / "m.py").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["m.py"]


def test_an_own_file_is_replaced_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "m.py"
    path.write_text(OLD)
    path.chmod(0o604)
    write(path, NEW)
    assert path.read_text() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("print(1)\n", "was not written by bpc"),
        (OLD.replace("w", "v", 1), "was edited after bpc wrote it"),
        (OLD + "print(1)\n", "was edited after bpc wrote it"),
    ],
)
def test_other_files_are_refused(tmp_path, content, why):
    path = tmp_path / "m.py"
    path.write_text(content)
    with pytest.raises(Refused, match=f"{why}; --force overwrites it"):
        write(path, NEW)
    assert path.read_text() == content
    write(path, NEW, force=True)
    assert path.read_text() == NEW
    assert os.listdir(tmp_path) == ["m.py"]


def test_an_empty_file_is_nobodys_work(tmp_path):
    (tmp_path / "m.py").touch()
    write(tmp_path / "m.py", NEW)
    assert (tmp_path / "m.py").read_text() == NEW


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "m.py", tmp_path / "m.py"
    target.write_text(OLD)
    link.symlink_to(target)
    write(link, NEW)
    assert link.is_symlink()
    assert target.read_text() == NEW


def test_a_device_is_written_to_as_it_is():
    write(Path("/dev/null"), NEW)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_directory_is_none(tmp_path):
    with pytest.raises(IsADirectoryError):
        write(tmp_path, NEW, force=True)


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch, function):
    def fail(*args):
        raise OSError(28, "No space left on device")

    path = tmp_path / "m.py"
    path.write_text(OLD)
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="No space"):
        write(path, NEW)
    assert os.listdir(tmp_path) == ["m.py"]
    assert path.read_text() == OLD


@pytest.mark.parametrize(
    ("function", "when", "left"),
    [("fsync", "before", OLD), ("replace", "before", OLD), ("replace", "after", NEW)],
)
def test_a_kill_leaves_the_old_or_the_new_file(tmp_path, function, when, left):
    path = tmp_path / "m.py"
    path.write_text(OLD)
    (tmp_path / "new").write_text(NEW)
    code = f"""
import os, signal
from pathlib import Path
from bpc.output import write
original = os.{function}
def die(*args):
    if {when!r} == "after":
        original(*args)
    os.kill(os.getpid(), signal.SIGKILL)
os.{function} = die
write(Path({str(path)!r}), Path({str(tmp_path / "new")!r}).read_text())
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == left


# What may be written


@pytest.mark.parametrize("path", sorted((ROOT / "generated").rglob("*.py")), ids=lambda p: p.stem)
def test_goldens_pass(path):
    check_output(path.read_text())


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.bp")), ids=lambda p: p.stem)
def test_examples_pass_at_every_level(path, level):
    check_output(bpc.compile_source(path.read_text(), path.name, level=level))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("import os", "import os"),
        ("import numpy", "import numpy"),
        ("from os import system", "from os import system"),
        ("eval(J)", "the name eval is not defined"),
        ("open(J)", "the name open is not defined"),
        ("__import__(J)", "the name __import__ is not defined"),
        ("J = __builtins__", "the name __builtins__ is not defined"),
        ("J.__class__", "J.__class__"),
        ("np.load(J)", "np.load"),
        ("J.tofile(J)", "J.tofile"),
        ("getattr(J, w)", "the name getattr is not defined"),
        ("getattr(J, '__class__')", "the name getattr is not defined"),
        ("J = getattr", "the name getattr is not defined"),
        ("global J", "global J"),
        ("del J", "del J"),
        ("yield J", "yield J"),
        ("class J: pass", "class J"),
        ("J = undefined", "the name undefined is not defined"),
        ("J = J = ", "invalid syntax"),
        ("w(J)", "the function w is called where a value hides it"),
        ("J = lambda: exec(J)", "the name exec is not defined"),
        ("J = [q for w in J]", "the name q is not defined"),
        ("J = f'{eval(J)}'", "the name eval is not defined"),
        ("def f(x=eval): pass", "the name eval is not defined"),
    ],
)
def test_anything_else_is_refused(line, why):
    kernel = "    dJ_dJ = 1.0"
    assert NEW.count(kernel) == 1
    check_output(NEW.replace(kernel, f"    J = -J\n{kernel}"))
    with pytest.raises(OutputError, match=re.escape(why)):
        check_output(NEW.replace(kernel, f"    {line}\n{kernel}"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("import os", "import os"),
        ("import numpy as math", "import numpy as math"),
        ("X = exit()", "the name exit is not defined"),
        ("@print\ndef f(): pass", "@print"),
        ("\n\n@print\ndef f(): pass\n\n", "@print"),
        ("class X: pass", "class X"),
    ],
)
def test_the_module_itself_is_checked_too(line, why):
    with pytest.raises(OutputError, match=re.escape(why)):
        check_output(NEW.replace("PARAMS =", f"{line}\nPARAMS =", 1))


def test_an_edited_helper_is_no_helper():
    helper = 'raise ValueError(f"params {'
    assert NEW.count(helper) == 1
    with pytest.raises(OutputError, match="the name breakpoint is not defined"):
        check_output(NEW.replace(helper, f"breakpoint(); {helper}"))


def test_code_after_a_helper_is_checked():
    seal = "# sha256 of the text above:"
    check_output(NEW.replace(seal, f"PARAMS = 1\n{seal}"))
    with pytest.raises(OutputError, match="Import|import os"):
        check_output(NEW.replace(seal, f"import os\n{seal}"))


@pytest.mark.parametrize("where", [3, 600, 2999])
def test_a_large_kernel_is_checked_to_its_end(where):
    lines = ["def f(x):", *(f"    v{i} = (\n        x + {i}\n    )" for i in range(3000)), ""]
    check_output("\n".join(lines))
    lines[where] = "    v = os.system"
    with pytest.raises(OutputError, match=f"line {3 * where - 1}: os.system"):
        check_output("\n".join(lines))
    lines[where] = "    v = '''"
    with pytest.raises(OutputError, match="unterminated"):
        check_output("\n".join(lines))


def test_no_listed_attribute_leads_out():
    assert not {a for a in ATTRIBUTES if a.startswith("_")}
    assert not ATTRIBUTES & {"format", "load", "save", "tofile", "fromfile", "ctypes", "system"}
