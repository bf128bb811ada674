"""Words found by EasyOCR's CRAFT network; slow on a CPU, good on photographs and odd layouts.

Baek et al., "Character Region Awareness for Text Detection", CVPR 2019.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ocrkit.detect.order import reading_order
from ocrkit.errors import CheckpointError, MissingPartError


@dataclass(frozen=True)
class CraftDetector:
    """Finds words: upright boxes, and tilted ones where the writing is.

    network: CRAFT, as a torch module. canvas: longer pages are shrunk to this many pixels on their
    longer side. The thresholds are EasyOCR's defaults.
    """

    network: Any
    canvas: int = 2560
    text_threshold: float = 0.7
    link_threshold: float = 0.4
    low_text: float = 0.4

    @classmethod
    def load(
        cls, folder: str | Path | None = None, verify: bool = True, **settings: Any
    ) -> CraftDetector:
        """CRAFT with the weights in `folder`, by default the folder that EasyOCR downloads to.

        The latter is ~/.EasyOCR/model, or "model" in the folder that the environment variable
        EASYOCR_MODULE_PATH names. verify=False takes a file whose MD5 is not the published one.
        Raises MissingPartError if EasyOCR or the file is not there or has another MD5, and
        CheckpointError if it does not hold CRAFT's weights.
        """
        try:
            import torch
            from easyocr import config
            from easyocr.craft import CRAFT
            from easyocr.detection import copyStateDict
        except ImportError as error:
            raise MissingPartError(
                "the craft detector needs EasyOCR: pip install easyocr (or use 'lines')"
            ) from error
        facts = config.detection_models["craft"]
        folder = Path(folder) if folder else Path(config.MODULE_PATH, "model")
        path = folder / facts["filename"]
        wanted = f"MD5 {facts['md5sum']}; unzip it from {facts['url']} into {folder}"
        if not path.is_file():
            raise MissingPartError(f"CRAFT's weights are not at {path} ({wanted})")
        if verify and (md5 := _md5(path)) != facts["md5sum"]:
            raise MissingPartError(
                f"{path} is not CRAFT's weights: its MD5 is {md5} (not {wanted})"
            )
        network = CRAFT(pretrained=False)
        try:
            # EasyOCR's own loader would unpickle, and so run, whatever the file holds.
            state = torch.load(path, map_location="cpu", weights_only=True)
            network.load_state_dict(copyStateDict(state))
        except Exception as error:  # torch meets a wrong file with many kinds of error
            reason = str(error).strip().splitlines()[0]
            raise CheckpointError(f"{path} does not hold CRAFT's weights: {reason}") from error
        return cls(network.eval(), **settings)

    def __call__(self, page: np.ndarray) -> list[np.ndarray]:
        """Word polygons of a grey page (H, W) uint8, (4, 2) float32 each, in reading order."""
        from easyocr.detection import get_textbox
        from easyocr.utils import group_text_box

        if min(page.shape) < 8:
            return []
        found = get_textbox(
            self.network,
            cv2.cvtColor(page, cv2.COLOR_GRAY2RGB),
            canvas_size=self.canvas,
            mag_ratio=1.0,
            text_threshold=self.text_threshold,
            link_threshold=self.link_threshold,
            low_text=self.low_text,
            poly=False,
            device="cpu",
        )[0]
        if not found:
            return []
        upright, tilted = group_text_box(found, width_ths=0.0, add_margin=0.1)
        polygons = [
            np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
            for x0, x1, y0, y1 in upright
        ]
        polygons += [np.array(corners, np.float32) for corners in tilted]
        limit = np.array(page.shape[::-1], np.float32)
        polygons = [np.clip(polygon, 0, limit).astype(np.float32) for polygon in polygons]
        polygons = [p for p in polygons if np.ptp(p, axis=0).min() >= 2]
        return [polygons[i] for i in reading_order(polygons)]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
