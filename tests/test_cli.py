"""The command line, as its user has it: what goes where, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import bpc
import bpc.cli.compile as compile_module
from bpc.cli.app import app
from bpc.cli.ops import call, public
from bpc.cli.show import paint
from bpc.lower.calls import signature
from bpc.output import is_sealed

BPC = [sys.executable, "-m", "bpc"]
MODEL = "dim N\ndim H[1] = 4\ninput x: [N, 3]\nparam w: [3, H[1]] ~ he\ncost J = mean((x @ w)^2)\n"
WRONG = "param w = 2\na = v * 2\nb = (w\ncost J = w^2\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A directory with models, where commands run."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "BPC_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    Path("model.bp").write_text(MODEL)
    Path("wrong.bp").write_text(WRONG)
    return tmp_path


def run(*args, text=None):
    return CliRunner().invoke(app, [str(a) for a in args], input=text)


def process(*args, **options):
    return subprocess.run([*BPC, *args], capture_output=True, text=True, check=False, **options)


# compile


def test_compile_to_a_file(home):
    done = run("compile", "model.bp", "-o", "grad.py")
    assert (done.exit_code, done.output) == (0, "")
    assert Path("grad.py").read_text() == bpc.compile_source(MODEL, "model.bp")
    assert run("compile", "model.bp", "-o", "grad.py").exit_code == 0


def test_compile_to_stdout(home):
    for args in (["model.bp"], ["model.bp", "-o", "-"]):
        done = run("compile", *args)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == bpc.compile_source(MODEL, "model.bp")


def test_compile_from_stdin(home):
    done = run("compile", "-", text="\ufeff" + MODEL)
    assert done.stdout == bpc.compile_source(MODEL, "<stdin>")


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        (["-O0"], {"level": 0}),
        (["-O", "2"], {"level": 2}),
        (["--set", "H[1]=5", "--set", "N = 2"], {"settings": {"H[1]": 5, "N": 2}}),
        (["--wrt", "x,w"], {"wrt": ("x", "w")}),
        (["--wrt", "x", "--wrt", "w"], {"wrt": ("x", "w")}),
        (["--wrt", "x,w,x", "--wrt", "w"], {"wrt": ("x", "w")}),
        (["--verify-ir"], {}),
        (["--limit", "100"], {}),
    ],
)
def test_options_reach_the_compiler(home, options, keywords):
    done = run("compile", "model.bp", *options)
    assert done.stdout == bpc.compile_source(MODEL, "model.bp", **keywords), done.stderr


def test_a_superscript_may_be_written_as_in_the_model(home):
    text = "param w[1] = 2, w[2] = 3\ncost J = w[1] * w[2]"
    done = run("compile", "-", "--wrt", "w[2]", text=text)
    assert done.stdout == bpc.compile_source(text, "<stdin>", wrt=("w2",))


def test_a_report_says_which_level_it_is_of(home):
    said = run("compile", "model.bp", "-o", "m.py", "--report", "-O0").stderr.splitlines()
    assert said[0] == "bpc: at -O0 all functions run whole; at -O2:"
    again = run("compile", "model.bp", "-o", "m.py", "--report", "-O2", "--force").stderr
    assert said[1:] == again.splitlines()


def test_an_input_without_gradient_says_why(home):
    text = "dim N\ninput user: int[N], x: [N]\nparam users: [9]\ncost J = sum(users[user] * x)"
    done = run("compile", "-", "--wrt", "user", text=text)
    assert done.stderr == "bpc: --wrt user: the input is int, not real; did you mean `users`?\n"
    done = run("compile", "-", "--wrt", "y", text=text)
    assert done.stderr == (
        "bpc: --wrt y: no real param or input of this name; there are users, x\n"
    )


def test_the_output_names_the_model_without_its_directory(home):
    Path("sub").mkdir()
    Path("sub/model.bp").write_text(MODEL)
    assert run("compile", "sub/model.bp").stdout == bpc.compile_source(MODEL, "model.bp")
    Path("sub/wrong.bp").write_text(WRONG)
    assert "sub/wrong.bp:2:5: error[BP101]" in run("compile", "sub/wrong.bp").stderr


def test_a_program_with_errors(home):
    done = run("compile", "wrong.bp", "-o", "grad.py")
    assert (done.exit_code, done.stdout) == (1, "")
    with pytest.raises(bpc.BpcError) as error:
        bpc.compile_source(WRONG, "wrong.bp")
    assert done.stderr == f"{error.value}\n"
    assert not Path("grad.py").exists()


def test_other_peoples_files_are_kept(home):
    Path("mine.py").write_text("print(1)\n")
    done = run("compile", "model.bp", "-o", "mine.py")
    assert done.exit_code == 2
    assert done.stderr == (
        "bpc: cannot write mine.py: it was not written by bpc; --force overwrites it\n"
    )
    assert Path("mine.py").read_text() == "print(1)\n"
    assert run("compile", "model.bp", "-o", "mine.py", "--force").exit_code == 0
    assert is_sealed(Path("mine.py").read_bytes())
    with open("mine.py", "a") as file:
        file.write("print(1)\n")
    assert "was edited after bpc wrote it" in run("compile", "model.bp", "-o", "mine.py").stderr


@pytest.mark.parametrize("output", ["model.bp", "./model.bp", "link.bp"])
def test_the_model_itself_is_no_output(home, output):
    os.link("model.bp", "link.bp")
    done = run("compile", "model.bp", "-o", output, "--force")
    assert (done.exit_code, done.stderr) == (
        2,
        f"bpc: cannot write {output}: it is the model itself\n",
    )
    assert Path("model.bp").read_text() == MODEL


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ('X = 1\nY = "a"\n', None),
        ("X = 1\nY = 'a'\n", """line 2 is "Y = 'a'", Black writes 'Y = "a"'"""),
        ("X = 1\n\n\n\n", "Black writes more or fewer lines"),
    ],
)
def test_check_format(home, monkeypatch, written, why):
    monkeypatch.setattr(compile_module, "compile_source", lambda *a, **k: written)
    done = run("compile", "model.bp", "--check-format")
    assert done.exit_code == (70 if why else 0)
    assert done.stdout == ("" if why else written)
    assert f"bug in bpc: OutputError: {why}\n" in done.stderr or not why


def test_an_output_that_bpc_does_not_write_is_a_bug(home, monkeypatch):
    monkeypatch.setattr(compile_module, "compile_source", lambda *a, **k: "import os\n")
    done = run("compile", "model.bp", "-o", "grad.py")
    assert done.exit_code == 70
    assert "this is a bug in bpc: OutputError: line 1: import os" in done.stderr
    assert not Path("grad.py").exists()


# Files


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        ("none.bp", None, "no such file or directory"),
        (".", None, "is a directory"),
        ("no/where.bp", None, "no such file or directory"),
        ("l1.bp", b"param w\n# \xe9\n", "byte 0xe9 at offset 10 is not UTF-8"),
        ("u16.bp", b"\xff\xfep\0", "it seems to be UTF-16 (byte 0xff at offset 0 is not UTF-8)"),
        ("cut.bp", b"# \xe2\x82", "byte 0xe2 at offset 2 is not UTF-8"),
        ("/dev/zero", None, "it is larger than 64 MiB"),
    ],
)
@pytest.mark.parametrize("command", ["compile", "check", "dump --stage ir"])
def test_a_file_that_cannot_be_read(home, command, path, content, why):
    if content is not None:
        Path(path).write_bytes(content)
    done = run(*command.split(), path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"bpc: cannot read {path}: {why}\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(home):
    Path("model.bp").chmod(0)
    assert run("check", "model.bp").stderr == "bpc: cannot read model.bp: permission denied\n"


@pytest.mark.parametrize(
    ("output", "why"), [("no/grad.py", "no such file or directory"), (".", "is a directory")]
)
def test_an_output_that_cannot_be_written(home, output, why):
    done = run("compile", "model.bp", "-o", output)
    assert (done.exit_code, done.stderr) == (2, f"bpc: cannot write {output}: {why}\n")


def test_a_file_name_cannot_speak_to_the_terminal(home):
    Path("\x1b[31m\n.bp").write_text("cost J = q")
    done = run("check", "\x1b[31m\n.bp")
    assert done.exit_code == 1
    assert done.stderr.startswith("\ufffd[31m\ufffd.bp:1:10: error[BP101]")


def test_a_file_name_is_no_code(home):
    name = 'm"""\nimport os\n"""\\.bp'
    Path(name).write_text(MODEL)
    done = run("compile", name)
    assert done.exit_code == 0, done.stderr
    assert not re.search(r"^import os", done.stdout, re.MULTILINE)


# check


def test_check_is_silent_when_all_is_well(home):
    done = run("check", "model.bp", "model.bp")
    assert (done.exit_code, done.output) == (0, "")


def test_check_reports_all_errors_of_all_files(home):
    Path("also.bp").write_text("cost J = q\n")
    done = run("check", "wrong.bp", "model.bp", "also.bp")
    assert (done.exit_code, done.stdout) == (1, "")
    assert re.findall(r"^(\S+:\d+:\d+): error\[(\w+)\]", done.stderr, re.MULTILINE) == [
        ("wrong.bp:2:5", "BP101"),
        ("wrong.bp:3:5", "BP004"),
        ("also.bp:1:10", "BP101"),
    ]
    assert done.stderr.endswith("bpc: 3 errors in 2 of 3 files\n")


def test_check_goes_on_after_an_unreadable_file(home):
    done = run("check", "none.bp", "wrong.bp")
    assert done.exit_code == 2
    assert "bpc: cannot read none.bp" in done.stderr
    assert "wrong.bp:2:5: error[BP101]" in done.stderr
    assert run("check", "wrong.bp", "none.bp").exit_code == 2


def test_check_json(home):
    done = run("check", "--format", "json", "wrong.bp", "model.bp", "none.bp")
    assert done.exit_code == 2
    first, second = json.loads(done.stdout)
    assert first == {
        "code": "BP101", "message": "unknown name `v`", "file": "wrong.bp", "line": 2,
        "column": 5, "end_line": 2, "end_column": 6, "help": first["help"],
    }  # fmt: skip
    assert second["code"] == "BP004"
    fine = run("check", "--format", "json", "model.bp")
    assert (fine.exit_code, fine.stdout, fine.stderr) == (0, "[]\n", "")


def test_check_reads_stdin(home):
    assert "<stdin>:1:10: error[BP101]" in run("check", "-", text="cost J = q").stderr


# dump


def test_dump_ast(home):
    done = run(
        "dump", "--stage", "ast", "-", text="a, b = f(-x[1:], k=true)\ncost J = a + b - 2 * a^2\n"
    )
    assert (
        done.stdout
        == """\
Model <stdin>
  Assign 1:1
    targets: Target a 1:1
    targets: Target b 1:4
    value: Call 1:8
      function: Name f 1:8
      arguments: Argument 1:10
        value: Unary - 1:10
          operand: Index 1:11
            base: Name x 1:11
            items: Slice 1:13
              start: Number 1 1:13
      arguments: Argument k 1:18
        value: Truth value=true 1:20
  Cost 2:1
    target: Target J 2:6
    value: Chain 2:10
      Name a 2:10
      + Name b 2:14
      - Binary * 2:18
        left: Number 2 2:18
        right: Binary ^ 2:22
          left: Name a 2:22
          right: Number 2 2:24
"""
    )


def test_dump_ast_of_a_program_with_syntax_errors(home):
    done = run("dump", "--stage", "ast", "wrong.bp")
    assert done.exit_code == 1
    assert "error[BP004]" in done.stderr
    assert "Target a 2:1" in done.stdout
    assert "Target b" not in done.stdout


@pytest.mark.parametrize("link", [" + a", ".T", "[0]"])
def test_dump_ast_of_a_long_chain(home, link):
    done = run("dump", "--stage", "ast", "-", text=f"cost J = a{link * 50_000}\n")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("\n") > 50_000
    assert len(done.stdout) < 2e7


@pytest.mark.parametrize(
    ("stage", "shown"),
    [
        ("ir", "function cost(w: real [3, H1]"),
        ("grad", "function value_and_grad(w: real [3, H1]"),
        ("opt", "function value_and_grad(w: real [3, H1]"),
    ],
)
def test_dump_of_the_ir(home, stage, shown):
    done = run("dump", "--stage", stage, "-O0", "model.bp", "--set", "H[1]=7")
    assert done.exit_code == 0, done.stderr
    assert "matmul" in done.stdout
    assert ("value_and_grad" in done.stdout) == (stage != "ir")
    assert ("-- backward" in done.stdout) == (stage != "ir")


def test_dump_needs_a_stage(home):
    done = run("dump", "model.bp")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--stage" in done.stderr


# ops


def test_ops_lists_every_function(home):
    done = run("ops")
    assert done.exit_code == 0
    for group, ops in public().items():
        assert f"\n{group}\n" in "\n" + done.stdout
        for op in ops:
            assert re.search(
                rf"^  {re.escape(call(op))} .*{re.escape(op.doc)}$", done.stdout, re.MULTILINE
            )


def test_ops_of_one_function(home):
    lines = run("ops", "tanh").stdout.splitlines()
    assert lines[:2] == ["tanh(x)", "Hyperbolic tangent."]
    facts = dict(line.split(None, 1) for line in lines[3:])
    assert facts == {
        "group": "elementwise", "NumPy": "np.tanh", "SymPy": "tanh(x)", "d/dx": "1 - tanh(x)^2",
    }  # fmt: skip
    assert run("ops", "sum").stdout.startswith("sum(x, axis=none, keep=false)\n")
    assert "d/dy   -x/y^2" in run("ops", "/").stdout


def test_every_function_can_be_looked_up(home):
    for ops in public().values():
        for op in ops:
            done = run("ops", op.name)
            assert done.exit_code == 0, done.stderr
            assert done.stdout.startswith(call(op))
            assert len(re.findall(r"^d/d", done.stdout, re.MULTILINE)) == (
                len(signature(op.name)) if op.sympy else 0
            )


def test_ops_of_an_unknown_function(home):
    done = run("ops", "sofmax")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "bpc: no function of the language is called `sofmax`; did you mean `softmax`?\n"
    )
    assert run("ops", "select").exit_code == 2  # the IR's own


def test_ops_as_markdown(home):
    text = run("ops", "--format", "markdown").stdout
    assert "### activations\n\n| call | what it is |\n| --- | --- |\n" in text
    rows = re.findall(r"^\| `.*` \| .* \|$", text, re.MULTILINE)
    assert len(rows) == sum(map(len, public().values()))


# Usage, help, completion


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["compile", "model.bp", "--forse"], "--force"),
        (["compile", "model.bp", "-O3"], "'3' is not one of"),
        (["compile", "model.bp", "--set", "H"], "'H' is not NAME=VALUE"),
        (["compile", "model.bp", "--set", "H=1e999"], "'1e999' is no finite number"),
        (["compile", "model.bp", "--set", "H=" + "9" * 5000], "is no finite number"),
        (["compile", "model.bp", "--set", "HH[1]=2"], "--set HH[1]: "),
        (["compile", "model.bp", "--wrt", "ww"], "--wrt ww: "),
        (["compile", "model.bp", "--wrt", ","], "a name is missing"),
        (["compile", "model.bp", "--tile", "5"], "a tile of 5 rows at level 1: only -O2 works in"),
        (["compile", "model.bp", "--limit", "0"], "--limit"),
        (["compile"], "MODEL"),
        (["check"], "FILES"),
        (["compil"], "No such command 'compil'"),
    ],
)
def test_usage_errors(home, args, said):
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_version_and_help(home):
    assert run("--version").stdout == f"bpc {bpc.__version__}\n"
    for command in ("", "compile", "check", "info", "dump", "ops", "derive", "completion"):
        done = run(*command.split(), "--help")
        assert done.exit_code == 0
        assert f"Usage: bpc {command}".strip() in done.stdout
    assert "bpc compile model.bp -o model_grad.py" in run("--help").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(home, shell):
    script = run("completion", shell).stdout
    assert f"_BPC_COMPLETE={shell}_complete" in script


def test_completion_completes(home):
    environment = {
        **os.environ,
        "_BPC_COMPLETE": "bash_complete",
        "COMP_WORDS": "bpc de",
        "COMP_CWORD": "1",
    }
    assert process(env=environment).stdout == "plain,derive\n"


# How it ends


def test_exit_codes_of_the_process(home):
    assert process("check", "model.bp").returncode == 0
    assert process("check", "wrong.bp").returncode == 1
    assert process("check", "none.bp").returncode == 2


def test_a_bug_is_called_one(home, monkeypatch):
    def broken(*args, **options):
        return {}["seven"]

    monkeypatch.setattr(compile_module, "compile_source", broken)
    done = run("compile", "model.bp")
    assert (done.exit_code, done.stdout) == (70, "")
    assert "this is a bug in bpc: KeyError: 'seven'" in done.stderr
    assert "BPC_TRACEBACK=1" in done.stderr
    assert "Traceback" not in done.stderr
    monkeypatch.setenv("BPC_TRACEBACK", "1")
    assert "Traceback" in run("compile", "model.bp").stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(home, number, code):
    running = subprocess.Popen(
        [*BPC, "compile", "-", "-o", "grad.py"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    stack = Path(f"/proc/{running.pid}/wchan")
    deadline = time.monotonic() + 20
    waiting = 0  # how often in a row it was seen to wait for its input
    while time.monotonic() < deadline and waiting < 10:
        waiting = waiting + 1 if "pipe" in stack.read_text() else 0
        time.sleep(0.05)
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=20)
    assert (running.returncode, stdout) == (code, ""), stderr
    assert "Traceback" not in stderr
    assert sorted(os.listdir()) == ["model.bp", "wrong.bp"]


def test_an_interrupt_while_writing_leaves_nothing(home, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    done = run("compile", "model.bp", "-o", "grad.py")
    assert (done.exit_code, done.stdout) == (130, "")
    assert sorted(os.listdir()) == ["model.bp", "wrong.bp"]


def test_a_reader_that_goes_away(home):
    text = "param w = 2\n" + "".join(f"a{i} = w * {i}\n" for i in range(3000)) + "cost J = a2999\n"
    Path("long.bp").write_text(text)
    running = subprocess.Popen(
        [*BPC, "dump", "--stage", "ast", "long.bp"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout.read(5) == b"Model"
    running.stdout.close()
    assert running.stderr.read() == b""
    assert running.wait(20) == -signal.SIGPIPE
    running.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("args", [["compile", "model.bp"], ["ops"]])
def test_a_full_disk(home, args):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*BPC, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "bpc: cannot write the output: No space left on device\n"


# Colour


def on_a_terminal(*args, **environment):
    """All that a command writes to its terminal, and how it ends."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", **environment}
    with subprocess.Popen([*BPC, *args], stdout=slave, stderr=slave, env=env) as running:
        os.close(slave)
        data = b""
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:
                break
            if not more:
                break
            data += more
    os.close(master)
    return data.decode().replace("\r\n", "\n"), running.returncode


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_colour_on_a_terminal_alone(home):
    piped = process("check", "wrong.bp")
    assert "\x1b" not in piped.stderr
    shown, code = on_a_terminal("check", "wrong.bp")
    assert code == 1
    assert plain(shown) == piped.stderr
    assert "\x1b[1;31merror[BP101]:\x1b[0m" in shown
    assert "\x1b[1;31m^\x1b[0m" in shown


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize(
    "args", [["check", "wrong.bp"], ["ops", "exp"], ["derive", "w^2", "--at", "w=1"]]
)
def test_no_colour_where_it_is_not_wanted(home, args, environment):
    shown, _ = on_a_terminal(*args, **environment)
    assert "\x1b" not in shown
    assert shown


def test_help_is_green():
    with pytest.raises(bpc.BpcError) as error:
        bpc.compile_source("param weight = 2\n\ta = wieght + 1\ncost J = a\n", "m.bp")
    (diagnostic,) = error.value.diagnostics
    text = paint(diagnostic)
    assert plain(text) == diagnostic.render()
    assert "\x1b[32mhelp:\x1b[0m did you mean `weight`?" in text
