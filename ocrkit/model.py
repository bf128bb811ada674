"""The CRNN text recogniser and its checkpoint.

The network is the convolutional recurrent network of Shi, Bai and Yao, "An End-to-End Trainable
Neural Network for Image-based Sequence Recognition" (2015, table 1), in the variant that the
reference kit trained: seven convolutions that squeeze a strip of 32 rows into one, then two
bidirectional LSTMs that read the strip from both ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from operator import sub
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ocrkit.alphabet import Alphabet
from ocrkit.errors import CheckpointError
from ocrkit.files import write
from ocrkit.image import Preprocessing

WEIGHTS = Path(__file__).parent / "weights"
SUFFIXES = (".safetensors", ".xml")  # a checkpoint, and a model that OpenVINO alone runs
FORMAT = "ocrkit-checkpoint-1"
KINDS = {FORMAT: "a recogniser", "ocrkit-detector-1": "a detector"}  # by the "format" of a file
FACTS = "ocrkit"  # where a model for OpenVINO or ONNX keeps what a checkpoint says beside weights


@dataclass(frozen=True)
class ModelConfig:
    """Size of a CRNN.

    width: multiplier of every channel count; 1.0 is the reference table.
    hidden: LSTM units in one direction; None scales the reference's 256 with the width.
    batch_norm: "reference" normalises after conv3_1, conv4_1 and conv5 as the table does, "all"
        after every convolution, which lets a network learn from random weights in far fewer crops.
    stride: pixel columns from one time step to the next, 4 or 2. With 2, later layers are dilated
        (Yu and Koltun, 2016), so that weights of the one kind also fit the other.
    """

    width: float = 1.0
    hidden: int | None = None
    batch_norm: str = "reference"
    stride: int = 4

    def __post_init__(self) -> None:
        if self.batch_norm not in ("reference", "all"):
            raise ValueError(f"batch_norm is {self.batch_norm!r}; choose 'reference' or 'all'")
        if self.stride not in (2, 4):
            raise ValueError(f"stride is {self.stride}; choose 4 or 2")
        if self.width <= 0:
            raise ValueError(f"width is {self.width}; it must be above 0 (1.0 is the reference)")

    def channels(self, reference: int) -> int:
        """A channel count of the reference table, scaled and rounded to a multiple of 8."""
        return max(8, round(reference * self.width / 8) * 8)

    def steps(self, columns: int) -> int:
        """The number of time steps of a strip of so many pixel columns."""
        return columns // 4 + 1 if self.stride == 4 else columns // 2 - 1

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

    Strips of up to 47 rows also fit; `preprocessing.height` says how many a model was trained with.

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
        self.provenance = dict(provenance or {})

        c1, c2, c3, c4 = (self.config.channels(n) for n in (64, 128, 256, 512))
        every = self.config.batch_norm == "all"

        def norm(channels: int, wanted: bool) -> nn.Module:
            return nn.BatchNorm2d(channels) if wanted else nn.Identity()

        self.conv1, self.bn1 = nn.Conv2d(1, c1, 3, 1, 1), norm(c1, every)
        self.conv2, self.bn2 = nn.Conv2d(c1, c2, 3, 1, 1), norm(c2, every)
        fine = 4 // self.config.stride  # 2 where columns lie half as far apart: dilation makes up
        wide: dict[str, Any] = {"padding": (1, fine), "dilation": (1, fine)}
        self.conv3_1, self.bn3 = nn.Conv2d(c2, c3, 3, **wide), norm(c3, True)
        self.conv3_2, self.bn3_2 = nn.Conv2d(c3, c3, 3, **wide), norm(c3, every)
        self.conv4_1, self.bn4 = nn.Conv2d(c3, c4, 3, **wide), norm(c4, True)
        self.conv4_2, self.bn4_2 = nn.Conv2d(c4, c4, 3, **wide), norm(c4, every)
        last: dict[str, Any] = {"padding": (0, fine - 1), "dilation": (1, fine)}
        self.conv5, self.bn5 = nn.Conv2d(c4, c4, 2, **last), norm(c4, True)
        self.relu1, self.relu2, self.relu5 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.relu3_1, self.relu3_2 = nn.ReLU(), nn.ReLU()
        self.relu4_1, self.relu4_2 = nn.ReLU(), nn.ReLU()
        self.pool1, self.pool2 = nn.MaxPool2d(2, 2), nn.MaxPool2d(2, (2, 2 // fine))
        self.pool3 = nn.MaxPool2d((2, 2), (2, 1), (0, 1), dilation=(1, fine))
        self.pool4 = nn.MaxPool2d((2, 2), (2, 1), (0, 1), dilation=(1, fine))
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
        path = weights_path(name_or_path)
        tensors, meta = read_checkpoint(path, FORMAT)
        try:
            model = cls(
                ModelConfig(**json.loads(meta["config"])),
                Alphabet(meta["alphabet"]),
                Preprocessing(**json.loads(meta["preprocessing"])),
                json.loads(meta["provenance"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} says of itself what this version of ocrkit does not understand: {error!r}"
            ) from error
        load_exactly(model, tensors, path)
        return model.eval()

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


@torch.no_grad()
def widen(model: CRNN, config: ModelConfig) -> CRNN:
    """A larger network that computes what `model` does, to be trained on from there; in eval mode.

    The old channels and LSTM units come first; of the new ones, whose weights are random, nothing
    reaches them until training lets it. (A function-preserving transformation, as in Chen,
    Goodfellow and Shlens, "Net2Net", 2016, whose new units are copies of the old.)
    Raises CheckpointError if `config` is not as large in every layer, or normalises others.
    """
    larger = CRNN(config, model.alphabet, model.preprocessing, model.provenance)
    values = larger.state_dict()
    if config.batch_norm != model.config.batch_norm or any(
        min(map(sub, values[name].shape, old.shape), default=0) < 0
        for name, old in model.state_dict().items()
    ):
        raise CheckpointError(
            f"a network of {config} cannot take in the weights of one of {model.config}; choose "
            "width and hidden no smaller than it has, and the same batch_norm"
        )
    for name, old in model.state_dict().items():
        if not old.ndim:  # batch norm's count of steps
            continue
        # The four gates of an LSTM lie one below the other, and what its two directions give side
        # by side; each of these is widened by itself.
        gates, ways = 4 if ".rnn." in name else 1, 2 if "embedding.weight" in name else 1
        inner, outer = _parts(old, gates, ways), _parts(values[name], gates, ways)
        rows, columns = inner.shape[1], inner.shape[3]
        outer[:, :rows] = 0
        outer[:, :rows, :, :columns] = inner
    return larger.eval()


@torch.no_grad()
def with_alphabet(model: CRNN, alphabet: Alphabet) -> CRNN:
    """A network that computes what `model` does, and can learn to write more characters.

    The classes of the model's own characters keep their weights; those of new characters are random
    and unlikely. Raises CheckpointError if the alphabet does not begin with the model's.
    """
    old = model.alphabet.characters
    if not alphabet.characters.startswith(old):
        raise CheckpointError("the new alphabet must begin with all characters of the model's")
    larger = CRNN(model.config, alphabet, model.preprocessing, model.provenance)
    values = larger.state_dict()
    for name, weights in model.state_dict().items():
        if weights.ndim:  # not batch norm's count of steps
            values[name][: len(weights)] = weights
    bias = values["rnn.1.embedding.bias"]
    known = len(model.alphabet)
    bias[known:] = bias[:known].min() - 2
    return larger.eval()


def _parts(weights: Tensor, gates: int, ways: int) -> Tensor:
    """A view of a layer's weights: (gates, outputs of each, ways, inputs of each, the rest)."""
    inputs = weights.shape[1] // ways if weights.ndim > 1 else 1
    return weights.view(gates, weights.shape[0] // gates, ways, inputs, -1)


def weights_path(name_or_path: str | Path, kind: str = FORMAT) -> Path:
    """Path of a checkpoint: a name such as "ocrkit-fast" means the kit's own weights.

    Raises CheckpointError when there is no such file, with the names that there are of that kind.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    for suffix in SUFFIXES:
        own = WEIGHTS / f"{name_or_path}{suffix}"
        if own.is_file():
            return own
    if path.suffix or len(path.parts) > 1:
        raise CheckpointError(f"{path} not found: run notebook 02_train or `ocrkit pretrain` first")
    raise CheckpointError(
        f"no weights are called {str(name_or_path)!r}; the kit has: {_own(kind)}. "
        "Give one of these names or the path of a .safetensors or .xml file"
    )


def _own(kind: str) -> str:
    """The names of the kit's own weights of a kind."""
    return ", ".join(sorted(path.stem for path in models_below(WEIGHTS, kind))) or "none yet"


def models_below(folder: str | Path, kind: str = FORMAT) -> list[Path]:
    """The files in a folder, at any depth, that have weights and are not of another kind.

    Those that cannot be read are among them, so that who takes one is told what is wrong with it.
    """
    files = (path for path in sorted(Path(folder).rglob("*")) if path.suffix in SUFFIXES)
    return [path for path in files if _format(path) in (None, kind)]


def _format(path: Path) -> str | None:
    """The "format" of a .safetensors or .xml file; None where it cannot be read or has none."""
    try:
        if path.suffix == ".xml":
            said = ElementTree.parse(path).find(f"rt_info/{FACTS}")
            return None if said is None else json.loads(said.get("value", "")).get("format")
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format")
    except (ElementTree.ParseError, SafetensorError, OSError, ValueError):
        return None


def check_format(path: Path, found: str | None, wanted: str) -> None:
    """Raises CheckpointError, which says what the file is, if its "format" is not the wanted."""
    if found != wanted:
        raise CheckpointError(
            f"{path} is {KINDS.get(str(found), 'of another program')}, not a checkpoint of "
            f"{KINDS[wanted]} (its format is {found!r}, not {wanted!r}); take one of the kit's own "
            f"({_own(wanted)}) or your own; CRNN.load_reference reads a .pth of the reference kit"
        )


def fastest_weights(name: str) -> str:
    """Of the kit's own weights in FP32 and INT8, which err alike, the name of those to run here."""
    return f"{name}-int8" if find_spec("openvino") else name


def latest_weights(folder: str | Path) -> Path:
    """Of a folder that the notebooks write to the tuned network, else the trained; or the kit's."""
    written = (Path(folder, name) for name in ("crnn-tuned.safetensors", "crnn.safetensors"))
    return next(filter(Path.is_file, written), weights_path("ocrkit-fast"))


def write_checkpoint(
    path: str | Path, model: nn.Module, facts: Mapping[str, Any], half: bool = True
) -> Path:
    """Write a model's weights and the facts, its "format" first, into one safetensors file.

    Floats have 16 bits if `half`.
    """
    tensors = {
        name: value.detach().to("cpu", torch.float16 if half else torch.float32).contiguous()
        for name, value in model.state_dict().items()
        if value.is_floating_point()
    }
    metadata = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in facts.items()
    }
    return write(Path(path), save(tensors, metadata))


def read_checkpoint(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Weights in float32 and facts of a file that `write_checkpoint` wrote.

    Raises CheckpointError for any other file, or one whose "format" is not `kind`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable checkpoint: {error}") from error
    check_format(path, meta.get("format"), kind)
    return tensors, meta


def load_exactly(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load with every key accounted for, but for batch norm's step counters."""
    try:
        model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        problems = " ".join(line.strip() for line in str(error).splitlines()[1:])
        raise CheckpointError(f"{path} does not fit the network: {problems}") from error


def layer_table(model: CRNN, width: int) -> list[dict[str, Any]]:
    """What each layer makes of one strip (1, 1, 32, width): a row a layer, in their order.

    Keys: layer (its name), kind, output (shape), parameters, multiply_adds (0 for a layer that
    only adds, scales or compares).
    """
    rows: list[dict[str, Any]] = []

    def record(name: str, layer: nn.Module, inputs: Any, output: Any) -> None:
        output = output[0] if isinstance(layer, nn.LSTM) else output
        # Every weight of these is multiplied once for each place (or step) of the output.
        shape = output.shape[2:] if isinstance(layer, nn.Conv2d) else output.shape[:1]
        weights = sum(p.numel() for n, p in layer.named_parameters() if n.startswith("weight"))
        multiplies = isinstance(layer, nn.Conv2d | nn.Linear | nn.LSTM)
        rows.append(
            {
                "layer": name,
                "kind": type(layer).__name__,
                "output": tuple(output.shape),
                "parameters": sum(p.numel() for p in layer.parameters()),
                "multiply_adds": weights * shape.numel() if multiplies else 0,
            }
        )

    model = deepcopy(model).eval()
    for name, layer in model.named_modules():
        if not any(layer.children()) and not isinstance(layer, nn.Identity):
            layer.register_forward_hook(partial(record, name))
    with torch.inference_mode():
        model(torch.zeros(1, 1, model.preprocessing.height, width))
    return rows


def multiply_adds(model: CRNN, width: int) -> dict[str, int]:
    """Multiplications, each with its addition, by layer for one strip (1, 1, 32, width)."""
    return {r["layer"]: r["multiply_adds"] for r in layer_table(model, width) if r["multiply_adds"]}
