"""Files of a study: whole or not there, and the same bytes for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from irl_ident.sweeps import plain
from irl_ident.writing import write_whole


def write_json(target: Path, content: Mapping[str, Any]) -> None:
    """Write plain values as JSON."""
    text = json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_whole(target, lambda file: file.write_text(text, encoding="utf-8", newline="\n"))
