"""The CRNN text recogniser and its checkpoint.

The network is the convolutional recurrent network of Shi, Bai and Yao, "An End-to-End Trainable
Neural Network for Image-based Sequence Recognition" (2015, table 1), in the variant of the
reference kit: seven convolutions reduce a line image of 32 rows (or a few more) to one row of
features, then two bidirectional LSTMs read this row in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ocrkit.errors import CheckpointError
from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import LANGUAGE_WEIGHT
from ocrkit.recognition.metadata import ReaderMetadata
from ocrkit.runtime.checkpoint import load_exactly, read_checkpoint, write_checkpoint
from ocrkit.runtime.metadata import FORMAT
from ocrkit.runtime.torch_files import check_weights, read_torch_file, state_dict_of
from ocrkit.runtime.weights import weights_path

MAX_WIDTH, MAX_HIDDEN = 8.0, 4096
# Heights of a strip that the convolutions reduce to one row of features.
MIN_HEIGHT, MAX_HEIGHT = 32, 47


@dataclass(frozen=True)
class ModelConfig:
    """Size of a CRNN.

    width: factor for all channel counts of the paper's table; 1.0 is the table itself.
    hidden: LSTM units in each direction; None means 256 * width.
    batch_norm: "reference" puts batch norm after conv3_1, conv4_1 and conv5, as the table does;
        "all" after every convolution, so that training from random weights needs far fewer lines.

    Raises ValueError for another batch_norm or a width that is not above 0.
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
        """A channel count of the table times `width`, rounded to a multiple of 8."""
        return max(8, round(reference * self.width / 8) * 8)

    @property
    def hidden_size(self) -> int:
        return self.hidden or self.channels(256)


def time_steps(columns: int) -> int:
    """The number of time steps T that a CRNN makes of a strip of so many pixel columns."""
    return columns // 4 + 1


def check_height(preprocessing: Preprocessing) -> None:
    """Raises ValueError if the network cannot read strips of this height."""
    if not MIN_HEIGHT <= preprocessing.height <= MAX_HEIGHT:
        raise ValueError(
            f"the network reads strips of {MIN_HEIGHT} to {MAX_HEIGHT} rows, but "
            f"preprocessing.height is {preprocessing.height}"
        )


class BidirectionalLSTM(nn.Module):
    """An LSTM over both directions and a linear layer: (T, N, inputs) -> (T, N, outputs)."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(inputs, hidden, bidirectional=True)
        self.embedding = nn.Linear(2 * hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.embedding(self.rnn(x)[0])


class CRNN(nn.Module):
    """The network that reads a line: (N, 1, H, W) float, W >= 8 -> logits (T, N, C).

    H is `preprocessing.height`: 32 rows in the paper, up to 47 here. T = W // 4 + 1 time steps. C
    classes: index 0 is the CTC blank, the others are the characters of the alphabet.

    The layers have the names of the reference kit, so that its state dicts can be
    loaded. A model has everything that is needed to use it: config, alphabet, preprocessing, and
    provenance (training data, settings, duration and scores), and the weight of the language
    model that suits it (`ctc.beam`).
    """

    def __init__(
        self,
        config: ModelConfig | None = None,
        alphabet: Alphabet | None = None,
        preprocessing: Preprocessing | None = None,
        provenance: Mapping[str, Any] | None = None,
        language_weight: float = LANGUAGE_WEIGHT,
    ) -> None:
        super().__init__()
        self.config = config or ModelConfig()
        self.alphabet = alphabet or Alphabet()
        self.preprocessing = preprocessing or Preprocessing()
        check_height(self.preprocessing)
        self.provenance = dict(provenance or {})
        self.language_weight = language_weight

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

    def metadata(self) -> dict[str, Any]:
        """What every file of this model stores beside the weights; all values fit JSON."""
        return {
            "format": FORMAT,
            "config": asdict(self.config),
            "alphabet": self.alphabet.characters,
            "preprocessing": asdict(self.preprocessing),
            "provenance": self.provenance,
            "language_weight": self.language_weight,
        }

    def save(self, path: str | Path, *, half: bool = True) -> Path:
        """Write weights and metadata to one safetensors file; returns its path.

        half: store the weights as 16-bit floats, else as 32-bit floats.
        Raises OutputError if the file cannot be written.
        """
        return write_checkpoint(path, self, self.metadata(), half)

    @classmethod
    def load(cls, name_or_path: str | Path = "ocrkit-fast") -> CRNN:
        """A model in eval mode, by the name of the kit's own weights or the path of a checkpoint.

        Raises CheckpointError if there is no such file or it is not a checkpoint of this kit.
        """
        return read_checkpoint(weights_path(name_or_path), FORMAT, cls._from_metadata)

    @classmethod
    def _from_metadata(cls, stored: Mapping[str, Any]) -> CRNN:
        metadata = ReaderMetadata.from_mapping(stored)
        config = ModelConfig(**metadata.config)
        return cls(
            config,
            metadata.alphabet,
            metadata.preprocessing,
            metadata.provenance,
            metadata.language_weight,
        )

    @classmethod
    def load_reference(cls, path: str | Path, alphabet: Alphabet) -> CRNN:
        """A model in eval mode from a `.pth` file of the reference kit, with its own alphabet.

        The file holds a state dict, as it is or under the key "state_dict"; its names may have the
        prefixes of DataParallel and torch.compile. Raises CheckpointError if the file is missing or
        not a state dict, a name or shape is not that of the network, or the alphabet has another
        number of characters.
        """
        path, kind = Path(path), "a state dict saved by torch"
        loaded = read_torch_file(path, kind)
        try:
            state = state_dict_of(loaded)
        except ValueError as error:
            raise CheckpointError(f"{path} is not {kind}: {error}") from error
        classes = state["rnn.1.embedding.bias"].shape if "rnn.1.embedding.bias" in state else ()
        if len(classes) == 1 and classes[0] != len(alphabet):
            raise CheckpointError(
                f"{path} was trained with {classes[0] - 1} characters (and the blank), but the "
                f"alphabet given has {len(alphabet) - 1}; give the text file it was trained with"
            )
        source = {"source": f"reference kit state dict {path.name}"}
        prep = Preprocessing(normalize="reference", trim=False)
        model = cls(alphabet=alphabet, preprocessing=prep, provenance=source)
        try:
            check_weights(state, model.state_dict())
        except ValueError as error:
            raise CheckpointError(f"{path} does not fit the network: {error}") from error
        load_exactly(model, state, path)
        return model.eval()
