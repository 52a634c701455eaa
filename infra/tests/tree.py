"""Copies of infra/ to work on: nothing is made beside the sources."""

import os
import shutil
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

INFRA = Path(__file__).resolve().parents[1]
ROOT = INFRA.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "infra"

MODULES = sorted(path.name for path in (INFRA / "modules").iterdir())
EXAMPLE = "examples/complete"

# The example's, which mostly waits, and two that compute.
POOL = ThreadPoolExecutor(max_workers=3)


@dataclass
class Ran:
    """How a command ended, and all that it said."""

    code: int
    text: str

    def ok(self) -> "Ran":
        assert self.code == 0, self.text
        return self


def run(command: list, where: Path, timeout: float = 300, **environment: str) -> Ran:
    ran = subprocess.run(
        [str(part) for part in command], cwd=where, env=os.environ | environment, timeout=timeout,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    return Ran(ran.returncode, ran.stdout)


@dataclass
class Tree:
    """A copy of infra/ under target/."""

    path: Path

    @classmethod
    def copied(cls, name: str) -> "Tree":
        path = TARGET / name
        shutil.rmtree(path, ignore_errors=True)
        leave = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__", ".pytest_cache")
        shutil.copytree(INFRA, path, ignore=leave)
        return cls(path)

    def plant(self, file: str, old: str, new: str) -> "Tree":
        """Replaces a text that stands there once."""
        text = (self.path / file).read_text()
        assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}: the fault is planted nowhere"
        (self.path / file).write_text(text.replace(old, new))
        return self

    def terraform(self, folder: str, *arguments: str, timeout: float = 300, **environment: str) -> Ran:
        command, *rest = arguments
        return run([os.environ["TERRAFORM"], command, "-no-color", *rest], self.path / folder, timeout, **environment)

    def init(self, folder: str) -> "Tree":
        """Once: it takes a second or two."""
        if (self.path / folder / ".terraform").exists():
            return self
        self.terraform(folder, "init", "-backend=false", f"-plugin-dir={os.environ['TF_PLUGIN_DIR']}").ok()
        return self

    def test(self, module: str, *arguments: str) -> Ran:
        folder = f"modules/{module}"
        return self.init(folder).terraform(folder, "test", *arguments)


def in_background(work, *arguments) -> Future:
    return POOL.submit(work, *arguments)
