"""The manifest: what made a study's files, without the name of a machine or a path on it."""

from __future__ import annotations

import ast
import inspect
import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import irl_ident
from irl_ident.sweeps import digest, file_digest
from studies.study import Outcome, Settings, Study, Task, question

PACKAGES = (
    "numpy",
    "scipy",
    "highspy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "joblib",
    "gymnasium",
    "torch",
    "stable-baselines3",
)

DRAWING = ("draw", "findings", "summarise")
"""Functions whose names begin so have no say in the rows of a task."""

LISTED = 40
"""A parameter that takes more values than this over the tasks is counted, not listed."""


@cache
def code_digest(study: Study) -> str:
    """SHA-256 of all that a task's rows hang on.

    That is library, worlds, released learners, study, and the versions of what does the arithmetic.

    Of the study (and of ``studies/_*.py``, where studies keep what they share) functions named ``draw...``,
    ``summarise...`` and ``findings...`` don't count, so a figure can be worked on without running the tasks again.
    Source is read once in a process, since a process goes on with what it has loaded when files change.
    """
    here = Path(__file__).resolve().parent
    library = Path(irl_ident.__file__).resolve().parent
    sources = [file for file in sorted(library.rglob("*.py")) if not file.is_relative_to(library / "figures")]
    sources += sorted((here.parent / "environments").rglob("*.py"))
    sources += [file for file in sorted((here / "checkpoints").iterdir()) if file.suffix in (".py", ".npz")]
    measuring = [_without_drawing(file) for file in (Path(inspect.getfile(cast(ModuleType, study))), *_shared(here))]
    versions = [platform.python_version(), metadata.version("numpy"), metadata.version("scipy")]
    return digest([sources, measuring, versions])


def _shared(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.glob("_*.py")) if not file.name.startswith("__")]


def _without_drawing(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kept = [node for node in tree.body if not getattr(node, "name", "").lstrip("_").startswith(DRAWING)]
    return ast.dump(ast.Module(kept, []))


def manifest(
    study: Study,
    settings: Settings,
    tasks: Sequence[Task],
    code: str,
    outcome: Outcome,
    task_seconds: float,
) -> dict[str, Any]:
    """What ``manifest.json`` holds."""
    return {
        "study": outcome.folder.name,
        "question": question(study.__doc__),
        "quick": settings.quick,
        "seed": settings.seed,
        "parameters": parameters(tasks),
        "counts": {"tasks": outcome.tasks, "rows": outcome.rows},
        "files": {file.name: file_digest(file) for file in sorted(outcome.folder.glob("*.*")) if file.is_file()},
        "code": {"sha256": code, **_commit()},
        "versions": {"python": platform.python_version(), "irl-ident": irl_ident.__version__, **_versions()},
        "platform": f"{platform.system()} {platform.machine()}",
        "time": {
            "seconds": round(outcome.seconds, 3),
            "task_seconds": round(task_seconds, 3),
            "tasks_from_earlier_runs": outcome.resumed,
        },
    }


def parameters(tasks: Sequence[Task]) -> dict[str, Any]:
    """The values that each key takes over the tasks, in order of appearance; how many, where they are too many."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for task in tasks for key in task):
        values = {digest(task[key]): task[key] for task in tasks if key in task}
        listed = [{"sha256": file_digest(v)} if isinstance(v, Path) else v for v in values.values()]
        found[key] = listed if len(listed) <= LISTED else {"distinct": len(listed)}
    return found


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> dict[str, Any]:
    """The commit of the checkout and whether files differ from it; nothing outside a repository."""
    try:
        head = _git("rev-parse", "HEAD")
        return {"commit": head, "modified": bool(_git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}


def _git(*arguments: str) -> str:
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()
