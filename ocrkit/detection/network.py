"""The detector's network: a page in, a map of its lines out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ocrkit.runtime.checkpoint import read_checkpoint, write_checkpoint
from ocrkit.runtime.metadata import DETECTOR_FORMAT
from ocrkit.runtime.weights import weights_path

MAX_CHANNELS = 4096


class _Block(nn.Module):
    """Two convolutions beside a shortcut (He et al., 2015)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.norm(self.conv(self.first(x))))


def _convolution(inputs: int, outputs: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class LineNet(nn.Module):
    """Finds lines: (N, 1, H, W) float, ink 1 and paper 0 -> (N, 3, H / 4, W / 4).

    H and W are multiples of 32. The three maps are those of `ocrkit.detect.maps`, the core as a
    logit. Residual blocks look at the page ever more coarsely, down to a cell for 32 x 32
    pixels; a feature pyramid (Lin et al., 2017) carries what they see back to the fine map.
    `channels` are those at strides 4, 8, 16 and 32; 1.3 M parameters as it stands.
    """

    def __init__(
        self,
        channels: tuple[int, int, int, int] = (32, 64, 96, 128),
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.channels, self.provenance = tuple(channels), dict(provenance or {})
        c4, c8, c16, c32 = channels
        self.stem = nn.Sequential(_convolution(1, c4 // 2, 2), _convolution(c4 // 2, c4, 2))
        self.stage4 = _Block(c4)
        self.stage8 = nn.Sequential(_convolution(c4, c8, 2), _Block(c8))
        self.stage16 = nn.Sequential(_convolution(c8, c16, 2), _Block(c16), _Block(c16))
        self.stage32 = nn.Sequential(_convolution(c16, c32, 2), _Block(c32), _Block(c32))
        self.from32 = _convolution(c32, c8, size=1)
        self.from16 = _convolution(c16, c8, size=1)
        self.from8 = _convolution(c8, c8, size=1)
        self.mix8 = _convolution(c8, c4)
        self.mix4 = _convolution(c4, c4)
        self.head = nn.Conv2d(c4, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        at4 = self.stage4(self.stem(x))
        at8 = self.stage8(at4)
        at16 = self.stage16(at8)
        up = self.from16(at16) + _doubled(self.from32(self.stage32(at16)))
        up = self.from8(at8) + _doubled(up)
        return self.head(self.mix4(at4 + _doubled(self.mix8(up))))

    def facts(self) -> dict[str, Any]:
        """What stands beside the weights in whatever file the model is written to."""
        channels = list(self.channels)
        return {"format": DETECTOR_FORMAT, "channels": channels, "provenance": self.provenance}

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file that holds everything, floats in 16 bits."""
        return write_checkpoint(path, self, self.facts())

    @classmethod
    def load(cls, name_or_path: str | Path = "ocrkit-detector") -> LineNet:
        """A network in eval mode, by the name of the kit's own weights or by a path.

        Raises CheckpointError when there is no such file or it is not a detector of this kit.
        """
        path = weights_path(name_or_path, DETECTOR_FORMAT)
        return read_checkpoint(path, DETECTOR_FORMAT, cls._from_metadata)

    @classmethod
    def _from_metadata(cls, stored: Mapping[str, Any]) -> LineNet:
        channels = stored.get("channels")
        if not (
            isinstance(channels, list)
            and len(channels) == 4
            and all(type(c) is int and 2 <= c <= MAX_CHANNELS for c in channels)
        ):
            raise ValueError(f"channels must be four numbers from 2 to {MAX_CHANNELS}")
        provenance = stored.get("provenance", {})
        return cls(
            (channels[0], channels[1], channels[2], channels[3]),
            provenance if isinstance(provenance, Mapping) else {},
        )


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
