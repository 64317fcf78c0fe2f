"""Build the verifier of `go/main.go`: `python tests/verifiers/build_go.py verify-log`.

It needs nothing but a Go distribution. The packages that it stands on, `sumdb/note` and
`sumdb/tlog` of golang.org/x/mod, lie vendored in every one, so that no network is asked.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent / "go" / "main.go"
VENDORED = Path("src", "cmd", "vendor", "golang.org", "x", "mod", "sumdb")
GO_MOD = """\
module aboveboard.example/verify

go 1.22

require golang.org/x/mod v0.0.0

replace golang.org/x/mod => ./mod
"""
OFFLINE = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=mod",
    "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}


def build(target: Path) -> None:
    """Build the command at *target*."""
    go = find_go()
    everything = os.environ.items()  # noqa: TID251 - what a child process is started with
    environment = {**dict(everything), **OFFLINE}
    root = subprocess.run(  # noqa: S603
        [go, "env", "GOROOT"], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as made:
        module = Path(made)
        shutil.copy(SOURCE, module)
        for name in ("note", "tlog"):
            shutil.copytree(root / VENDORED / name, module / "mod" / "sumdb" / name)
        (module / "mod" / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.22\n")
        (module / "go.mod").write_text(GO_MOD)
        for step in (["vet", "."], ["build", "-o", str(target.resolve()), "."]):
            subprocess.run([go, *step], cwd=module, env=environment, check=True)  # noqa: S603


def find_go() -> str:
    """Return the go command beside this Python, where `make test-verifiers` puts it, or another."""
    beside = Path(sys.executable).with_name("go")
    go = str(beside) if beside.exists() else shutil.which("go")
    if go is None:
        raise SystemExit("expected the go command, there is none: make test-verifiers installs it")
    return go


if __name__ == "__main__":
    build(Path(sys.argv[1]))
