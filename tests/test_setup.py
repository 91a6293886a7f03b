"""The set-up: lock, conda environment, Makefile, what is packaged and tracked."""

import importlib.resources
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lock_lines() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def lock() -> dict[str, str]:
    """Version by name."""
    pins = {}
    for requirement in map(Requirement, lock_lines()):
        (pin,) = requirement.specifier
        assert pin.operator == "==", requirement
        pins[canonicalize_name(requirement.name)] = pin.version
    return pins


def direct() -> list[Requirement]:
    extras = [text for group in PROJECT["optional-dependencies"].values() for text in group]
    return [Requirement(text) for text in PROJECT["dependencies"] + extras]


class TestLock:
    def test_no_package_twice(self, lock: dict[str, str]) -> None:
        assert len(lock) == len(lock_lines())

    @pytest.mark.parametrize("requirement", direct(), ids=lambda r: r.name)
    def test_holds_what_the_project_asks_for(
        self, requirement: Requirement, lock: dict[str, str]
    ) -> None:
        assert requirement.specifier.contains(lock[canonicalize_name(requirement.name)])

    def test_torch_is_the_public_version_and_brings_no_cuda(self, lock: dict[str, str]) -> None:
        assert re.fullmatch(r"\d+\.\d+\.\d+", lock["torch"])
        assert not [line for line in lock_lines() if "+" in line]
        assert not [name for name in lock if re.match(r"nvidia|cuda|triton", name)]


class TestCondaEnvironment:
    def test_pins_are_those_of_the_lock(self, lock: dict[str, str]) -> None:
        environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
        (listed,) = (d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
        pins = [line for line in listed if not line.startswith("--")]
        wanted = [canonicalize_name(requirement.name) for requirement in direct()]
        assert pins == [f"{name}=={lock[name]}" for name in wanted]
        assert {"--constraint requirements.lock", "--editable ."} == set(listed) - set(pins)

    def test_python_is_the_projects(self) -> None:
        environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
        assert f"python{PROJECT['requires-python']}" in environment["dependencies"]


class TestRepository:
    def test_tracked_files_name_no_place_on_a_machine(self) -> None:
        if not (ROOT / ".git").exists():
            pytest.skip("not a git checkout")
        places = "|".join(("home", "root", "Users", "work", "tmp", "mnt", "scratch"))
        pattern = rf"(^|[[:space:]\"'=(`:,])/({places})/[[:alnum:]_]"
        command = ["git", "grep", "-nIE", pattern, "--", ":!tests/test_setup.py"]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert found.returncode == 1, found.stdout + found.stderr

    def test_types_are_shipped(self) -> None:
        assert (importlib.resources.files("mrs") / "py.typed").is_file()
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        assert "py.typed" in settings["tool"]["setuptools"]["package-data"]["mrs"]


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder as in a fresh clone, without an environment."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "requirements-assets.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # Without the variables by which a make that runs these tests would speak to this one.
    inherited = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if name not in inherited}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=environment | {"LC_ALL": "C"} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def fake_python(folder: Path, script: str) -> str:
    path = folder / "fakepython"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return f"PYTHON={path}"


def small_wheel(folder: Path) -> None:
    """Write a package of one module that pip can install without an index."""
    name, about = "tiny_thing-1.0", "tiny_thing-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_thing.py", "")
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n"
        )
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
class TestMakefile:
    def test_help_is_the_default_and_lists_every_target(self, fresh: Path) -> None:
        text = (ROOT / "Makefile").read_text(encoding="utf-8")
        phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
        assert phony
        shown = make(fresh)
        assert shown.returncode == 0
        listed = re.findall(r"^  ([a-z-]+) ", shown.stdout, re.MULTILINE)
        assert sorted(listed) == sorted(set(phony[1].split()) - {"FORCE"})

    @pytest.mark.parametrize("version", ["2.7", "3.10", "3.14"])
    def test_another_python_gives_one_line(self, fresh: Path, version: str) -> None:
        ended = make(fresh, "test", fake_python(fresh, f"echo {version}"))
        assert ended.returncode != 0
        (line,) = ended.stderr.splitlines()
        assert "3.11, 3.12 or 3.13" in line
        assert f"fakepython is {version}" in line
        assert not (fresh / ".venv").exists()

    def test_a_python_without_venv_gives_one_line(self, fresh: Path) -> None:
        script = 'case "$2" in *version_info*) echo 3.12;; *) exit 1;; esac'
        ended = make(fresh, "book", fake_python(fresh, script))
        assert ended.returncode != 0
        (line,) = ended.stderr.splitlines()
        assert "has no venv module" in line
        assert "python3.12-venv" in line

    def test_no_python_gives_one_line(self, fresh: Path) -> None:
        ended = make(fresh, "test", "PYTHON=no-such-python")
        assert ended.returncode != 0
        (line,) = ended.stderr.splitlines()
        assert "found none" in line

    def test_a_half_made_environment_is_made_anew(self, fresh: Path) -> None:
        leftover = fresh / ".venv/bin/python"
        leftover.parent.mkdir(parents=True)
        leftover.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        leftover.chmod(0o755)
        # A Python that passes the check and then fails to make an environment.
        script = 'case "$2" in *version_info*) echo 3.12;; venv) exit 7;; esac'
        ended = make(fresh, "setup", fake_python(fresh, script))
        assert ended.returncode != 0
        assert "Removing an unfinished .venv" in ended.stdout
        assert not leftover.exists()

    def test_a_failing_pip_fails_the_set_up(self, fresh: Path) -> None:
        # The environment's own python speaks as pip does and fails.
        noise = "x is ignored: it is neither a file nor a directory"
        (fresh / "inner").write_text(f"echo '{noise}' >&2; echo 'ERROR: no network' >&2; exit 3")
        making = "mkdir -p .venv/bin; { echo '#!/bin/sh'; cat inner; } > .venv/bin/python"
        script = f'case "$2" in *version_info*) echo 3.12;; venv) {making}; '
        script += "chmod +x .venv/bin/python;; esac"
        ended = make(fresh, "setup", fake_python(fresh, script))
        assert ended.returncode != 0
        assert "ERROR: no network" in ended.stderr
        assert "Error 3" in ended.stderr
        assert "is ignored" not in ended.stderr
        assert not (fresh / ".venv/.installed").exists()

    @pytest.mark.parametrize("setting", ["user = true", "target = T", "prefix = P", "root = R"])
    @pytest.mark.parametrize("by", ["configuration", "variable"])
    def test_packages_go_into_the_environment(self, fresh: Path, setting: str, by: str) -> None:
        """Whatever the user's pip is told, and from nowhere but the environment is read.

        The environment's python notes what it is asked for; pip then does that for a small wheel.
        """
        name, _, value = setting.partition(" = ")
        value = value if value == "true" else str(fresh / value)
        hostile = {"PYTHONPATH": str(fresh), "PYTHONHOME": str(fresh), "PIP_PYTHON": "none"}
        configuration = fresh / "pip.conf"
        configuration.write_text(f"[global]\nfind-links = {fresh}\n")
        hostile["PIP_CONFIG_FILE"] = str(configuration)
        if by == "variable":
            hostile[f"PIP_{name.upper()}"] = value
        else:
            configuration.write_text(f"[global]\nfind-links = {fresh}\n{name} = {value}\n")
        noted = 'echo "$PYTHONPATH|$PYTHONHOME|$PIP_PYTHON" > seen; printf "%s\\n" "$@" > asked'
        (fresh / "inner").write_text(f"{noted}; exit 1\n")
        making = "mkdir -p .venv/bin; { echo '#!/bin/sh'; cat inner; } > .venv/bin/python"
        script = 'test -z "$PYTHONPATH$PYTHONHOME" || exit 9; case "$2" in *version_info*) '
        script += f"echo 3.12;; venv) {making}; chmod +x .venv/bin/python;; esac"
        assert make(fresh, "setup", fake_python(fresh, script), **hostile).returncode != 0
        assert (fresh / "seen").read_text() == "||\n"
        asked = (fresh / "asked").read_text().splitlines()
        assert (asked[:2], asked[-1]) == (["-m", "pip"], "pip==26.3")

        shutil.rmtree(fresh / ".venv")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh / ".venv"], check=True)
        small_wheel(fresh)
        python = ["--python", str(fresh / ".venv/bin/python"), "--no-cache-dir"]
        command = [sys.executable, *asked[:2], *python, *asked[2:-1], "--no-index", "tiny-thing"]
        clean = {n: v for n, v in os.environ.items() if not n.startswith(("PIP_", "PYTHON"))}
        left = {n: v for n, v in hostile.items() if n not in ("PYTHONPATH", "PYTHONHOME")}
        left.pop("PIP_PYTHON")
        subprocess.run(command, env=clean | left, cwd=fresh, check=True, capture_output=True)
        (installed,) = fresh.rglob("tiny_thing.py")
        assert installed.parent.name == "site-packages"
        assert fresh / ".venv/lib" in installed.parents

    def test_clean_keeps_data_and_results(self, fresh: Path) -> None:
        made = ["book/_build/html/index.html", "book/_toc.yml", "book/runs/knn.ipynb"]
        kept = ["book/reading.md", "results/a/run.json", "data/mine/tracks.parquet", ".venv/x"]
        for name in made + kept:
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).touch()
        assert make(fresh, "clean").returncode == 0
        assert [name for name in made + kept if (fresh / name).exists()] == kept
        assert not (fresh / "book/runs").exists()

    def test_clean_all_asks(self, fresh: Path) -> None:
        (fresh / "results").mkdir()
        (fresh / "book").mkdir()
        assert make(fresh, "clean-all").returncode != 0  # nobody answers
        assert (fresh / "results").exists()
        assert make(fresh, "clean-all", "YES=1").returncode == 0
        assert not (fresh / "results").exists()
