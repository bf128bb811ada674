"""The CRNN text recogniser and its checkpoint.

The network is the convolutional recurrent network of Shi, Bai and Yao, "An End-to-End Trainable
Neural Network for Image-based Sequence Recognition" (2015, table 1), in the variant that the
reference kit trained: seven convolutions that squeeze a strip of 32 rows into one, then two
bidirectional LSTMs that read the strip from both ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ocrkit.errors import CheckpointError
from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.metadata import ReaderMetadata
from ocrkit.runtime.checkpoint import load_exactly, read_checkpoint, write_checkpoint
from ocrkit.runtime.metadata import FORMAT
from ocrkit.runtime.weights import weights_path

MAX_WIDTH, MAX_HIDDEN = 8.0, 4096
ROWS = 32  # of a strip: the convolutions reduce them to one


@dataclass(frozen=True)
class ModelConfig:
    """Size of a CRNN.

    width: multiplier of every channel count; 1.0 is the reference table.
    hidden: LSTM units in one direction; None scales the reference's 256 with the width.
    batch_norm: "reference" normalises after conv3_1, conv4_1 and conv5 as the table does, "all"
        after every convolution, which lets a network learn from random weights in far fewer crops.
    """

    width: float = 1.0
    hidden: int | None = None
    batch_norm: str = "reference"

    def __post_init__(self) -> None:
        if self.batch_norm not in ("reference", "all"):
            raise ValueError(f"batch_norm is {self.batch_norm!r}; choose 'reference' or 'all'")
        if not 0 < self.width <= MAX_WIDTH:
            raise ValueError(
                f"width is {self.width}; it must be above 0 (1.0 is the reference) and at most "
                f"{MAX_WIDTH}"
            )
        if self.hidden is not None and not 1 <= self.hidden <= MAX_HIDDEN:
            raise ValueError(f"hidden is {self.hidden}; it must be from 1 to {MAX_HIDDEN}")

    def channels(self, reference: int) -> int:
        """A channel count of the reference table, scaled and rounded to a multiple of 8."""
        return max(8, round(reference * self.width / 8) * 8)

    @property
    def hidden_size(self) -> int:
        return self.hidden or self.channels(256)


class BidirectionalLSTM(nn.Module):
    """An LSTM over both directions and a linear layer: (T, N, inputs) -> (T, N, outputs)."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(inputs, hidden, bidirectional=True)
        self.embedding = nn.Linear(2 * hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.embedding(self.rnn(x)[0])


class CRNN(nn.Module):
    """Reads a line of text: (N, 1, 32, W) float, W >= 8 -> logits (T, N, C), T = W // 4 + 1.

    C is the alphabet and, at index 0, CTC's blank. Attribute names are the reference kit's, so its
    state dicts load. A model carries all that is needed to use it: config, alphabet,
    preprocessing and provenance (what it was trained on, for how long, with what scores).
    """

    def __init__(
        self,
        config: ModelConfig | None = None,
        alphabet: Alphabet | None = None,
        preprocessing: Preprocessing | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.config = config or ModelConfig()
        self.alphabet = alphabet or Alphabet()
        self.preprocessing = preprocessing or Preprocessing()
        if self.preprocessing.height != ROWS:
            raise ValueError(
                f"the network reads strips of {ROWS} rows, but preprocessing.height is "
                f"{self.preprocessing.height}"
            )
        self.provenance = dict(provenance or {})

        c1, c2, c3, c4 = (self.config.channels(n) for n in (64, 128, 256, 512))
        every = self.config.batch_norm == "all"

        def norm(channels: int, wanted: bool) -> nn.Module:
            return nn.BatchNorm2d(channels) if wanted else nn.Identity()

        self.conv1, self.bn1 = nn.Conv2d(1, c1, 3, 1, 1), norm(c1, every)
        self.conv2, self.bn2 = nn.Conv2d(c1, c2, 3, 1, 1), norm(c2, every)
        self.conv3_1, self.bn3 = nn.Conv2d(c2, c3, 3, 1, 1), norm(c3, True)
        self.conv3_2, self.bn3_2 = nn.Conv2d(c3, c3, 3, 1, 1), norm(c3, every)
        self.conv4_1, self.bn4 = nn.Conv2d(c3, c4, 3, 1, 1), norm(c4, True)
        self.conv4_2, self.bn4_2 = nn.Conv2d(c4, c4, 3, 1, 1), norm(c4, every)
        self.conv5, self.bn5 = nn.Conv2d(c4, c4, 2, 1, 0), norm(c4, True)
        self.relu1, self.relu2, self.relu5 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.relu3_1, self.relu3_2 = nn.ReLU(), nn.ReLU()
        self.relu4_1, self.relu4_2 = nn.ReLU(), nn.ReLU()
        self.pool1, self.pool2 = nn.MaxPool2d(2, 2), nn.MaxPool2d(2, 2)
        self.pool3 = nn.MaxPool2d((2, 2), (2, 1), (0, 1))
        self.pool4 = nn.MaxPool2d((2, 2), (2, 1), (0, 1))
        hidden = self.config.hidden_size
        self.rnn = nn.Sequential(
            BidirectionalLSTM(c4, hidden, hidden),
            BidirectionalLSTM(hidden, hidden, len(self.alphabet)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))))
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        x = self.relu3_1(self.bn3(self.conv3_1(x)))
        x = self.pool3(self.relu3_2(self.bn3_2(self.conv3_2(x))))
        x = self.relu4_1(self.bn4(self.conv4_1(x)))
        x = self.pool4(self.relu4_2(self.bn4_2(self.conv4_2(x))))
        x = self.relu5(self.bn5(self.conv5(x)))
        return self.rnn(x.squeeze(2).permute(2, 0, 1))

    def facts(self) -> dict[str, Any]:
        """What stands beside the weights in whatever file the model is written to."""
        return {
            "format": FORMAT,
            "config": asdict(self.config),
            "alphabet": self.alphabet.characters,
            "preprocessing": asdict(self.preprocessing),
            "provenance": self.provenance,
        }

    def save(self, path: str | Path, *, half: bool = True) -> Path:
        """Write one safetensors file that holds everything; floats in 16 bits if `half`."""
        return write_checkpoint(path, self, self.facts(), half)

    @classmethod
    def load(cls, name_or_path: str | Path = "ocrkit-fast") -> CRNN:
        """A model in eval mode, from the kit's own weights by name or from a checkpoint's path.

        Raises CheckpointError when there is no such file or it is not a checkpoint of this kit.
        """
        return read_checkpoint(weights_path(name_or_path), FORMAT, cls._from_metadata)

    @classmethod
    def _from_metadata(cls, stored: Mapping[str, Any]) -> CRNN:
        metadata = ReaderMetadata.from_mapping(stored)
        config = ModelConfig(**metadata.config)
        return cls(config, metadata.alphabet, metadata.preprocessing, metadata.provenance)

    @classmethod
    def load_reference(cls, path: str | Path, alphabet: Alphabet) -> CRNN:
        """A model from a `.pth` state dict of the reference kit, with the alphabet it was made for.

        Keys may carry DataParallel's `module.` prefix. Raises CheckpointError when the file is
        missing, a key is missing or too many, or the alphabet has another number of characters.
        """
        path = Path(path)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            state = {key.removeprefix("module."): value for key, value in state.items()}
        except Exception as error:  # torch raises half a dozen kinds for a file that is not its own
            raise CheckpointError(f"{path} is not a state dict saved by torch: {error}") from error
        classes = len(state.get("rnn.1.embedding.bias", alphabet))
        if classes != len(alphabet):
            raise CheckpointError(
                f"{path} was trained with {classes - 1} characters (and the blank), but the "
                f"alphabet given has {len(alphabet) - 1}; give the text file it was trained with"
            )
        source = {"source": f"reference kit state dict {path.name}"}
        prep = Preprocessing(normalize="reference", trim=False)
        model = cls(alphabet=alphabet, preprocessing=prep, provenance=source)
        load_exactly(model, state, path)
        return model.eval()
