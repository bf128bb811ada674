"""The network of the detector: a page in, maps of its lines out."""

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
    """A residual block: two convolutions and a shortcut (He et al., 2015)."""

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
    """The network that finds lines: (N, 1, H, W) float, ink 1 and paper 0 -> (N, 3, H / 4, W / 4).

    H and W are multiples of 32. The three output maps are those of `ocrkit.detection.maps`; the
    first, the core, is a logit. Residual blocks compute features at strides 4, 8, 16 and 32 pixels,
    and a feature pyramid (Lin et al., 2017) adds the coarse features to the fine ones.
    channels: at these four strides; the default has 1.3 M parameters.
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
        merged = self.from16(at16) + _doubled(self.from32(self.stage32(at16)))
        merged = self.from8(at8) + _doubled(merged)
        return self.head(self.mix4(at4 + _doubled(self.mix8(merged))))

    def metadata(self) -> dict[str, Any]:
        """What every file of this model stores beside the weights; all values fit JSON."""
        channels = list(self.channels)
        return {"format": DETECTOR_FORMAT, "channels": channels, "provenance": self.provenance}

    def save(self, path: str | Path) -> Path:
        """Write weights (as 16-bit floats) and metadata to one safetensors file; returns its path.

        Raises OutputError if the file cannot be written.
        """
        return write_checkpoint(path, self, self.metadata())

    @classmethod
    def load(cls, name_or_path: str | Path = "ocrkit-detector") -> LineNet:
        """A network in eval mode, by the name of the kit's own weights or the path of a checkpoint.

        Raises CheckpointError if there is no such file or it is not a detector of this kit.
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
