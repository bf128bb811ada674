"""What a model file says about itself: its format, settings and alphabet."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from safetensors import SafetensorError, safe_open

FORMAT = "ocrkit-checkpoint-1"
KINDS = {FORMAT: "a recogniser", "ocrkit-detector-1": "a detector"}  # by the "format" of a file
METADATA_KEY = (
    "ocrkit"  # where a model for OpenVINO or ONNX keeps what a checkpoint says beside weights
)


def stored_format(path: Path) -> str | None:
    """The "format" of a .safetensors or .xml file; None where it cannot be read or has none."""
    try:
        if path.suffix == ".xml":
            said = ElementTree.parse(path).find(f"rt_info/{METADATA_KEY}")
            return None if said is None else json.loads(said.get("value", "")).get("format")
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format")
    except (ElementTree.ParseError, SafetensorError, OSError, ValueError):
        return None
