from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ocrkit.errors import CheckpointError
from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.metadata import FORMAT
from ocrkit.synth.words import draw_word
from ocrkit.training.config import TrainConfig
from ocrkit.training.fit import fit
from ocrkit.training.manifest import Sample, load_crops

LETTERS = Alphabet("abc ")
SMALL = ModelConfig(0.125, None, "all")

CONVOLUTIONS = {
    "conv1": (64, 1, 3, 3),
    "conv2": (128, 64, 3, 3),
    "conv3_1": (256, 128, 3, 3),
    "conv3_2": (256, 256, 3, 3),
    "conv4_1": (512, 256, 3, 3),
    "conv4_2": (512, 512, 3, 3),
    "conv5": (512, 512, 2, 2),
}
NORMS = {"bn3": 256, "bn4": 512, "bn5": 512}


def reference_table(classes: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the reference kit's state dict, batch norm's step counters left out."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in CONVOLUTIONS.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name, channels in NORMS.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
    for layer, inputs in (("rnn.0.rnn", 512), ("rnn.1.rnn", 256)):
        for end in ("l0", "l0_reverse"):
            shapes |= {
                f"{layer}.weight_ih_{end}": (1024, inputs),
                f"{layer}.weight_hh_{end}": (1024, 256),
                f"{layer}.bias_ih_{end}": (1024,),
                f"{layer}.bias_hh_{end}": (1024,),
            }
    shapes |= {"rnn.0.embedding.weight": (256, 512), "rnn.0.embedding.bias": (256,)}
    shapes |= {"rnn.1.embedding.weight": (classes, 512), "rnn.1.embedding.bias": (classes,)}
    return shapes


def shapes_of(model: CRNN) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(value.shape)
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def without_memory(
    config: ModelConfig | None = None,
    alphabet: Alphabet | None = None,
    preprocessing: Preprocessing | None = None,
) -> CRNN:
    with torch.device("meta"):
        return CRNN(config, alphabet, preprocessing)


def small(seed: int = 0) -> CRNN:
    torch.manual_seed(seed)
    return CRNN(SMALL, LETTERS, Preprocessing(bucket=16), {"steps": 7}).eval()


# --- the network


def test_layers_are_those_of_the_reference_table():
    assert shapes_of(without_memory(alphabet=LETTERS)) == reference_table(5)


@pytest.mark.parametrize("characters", [4, 5834])
def test_number_of_parameters_is_the_sum_of_the_table_by_hand(characters):
    classes = characters + 1
    convolutions = 640 + 73_856 + 295_168 + 590_080 + 1_180_160 + 2_359_808 + 1_049_088
    norms = 2 * (256 + 512 + 512)
    lstms = 2 * (1024 * (512 + 256) + 2048) + 2 * (1024 * (256 + 256) + 2048)
    linears = (512 * 256 + 256) + (512 * classes + classes)
    model = without_memory(alphabet=Alphabet("".join(chr(0x4E00 + i) for i in range(characters))))
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters == convolutions + norms + lstms + linears


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_have_stride_1_and_keep_their_input_s_size_but_the_last(name):
    layer = getattr(without_memory(alphabet=LETTERS), name)
    assert layer.stride == (1, 1)
    assert layer.padding == ((0, 0) if name == "conv5" else (1, 1))


def test_the_last_two_pools_halve_the_height_alone():
    model = without_memory(alphabet=LETTERS)
    settings = [(p.kernel_size, p.stride, p.padding) for p in (model.pool3, model.pool4)]
    assert settings == [((2, 2), (2, 1), (0, 1))] * 2


@pytest.mark.parametrize(
    ("width", "steps"), [(8, 3), (9, 3), (11, 3), (12, 4), (144, 37), (280, 71)]
)
def test_time_steps_are_a_quarter_of_the_width_and_one(width, steps):
    logits = without_memory(alphabet=LETTERS)(torch.empty(2, 1, 32, width, device="meta"))
    assert logits.shape == (steps, 2, len(LETTERS))


@pytest.mark.parametrize("height", [32, 40, 47])
def test_strips_of_32_to_47_rows_become_one_row_of_features(height):
    model = without_memory(alphabet=LETTERS, preprocessing=Preprocessing(height=height))
    assert model(torch.empty(2, 1, height, 64, device="meta")).shape == (17, 2, len(LETTERS))


@pytest.mark.parametrize("height", [31, 48, 64])
def test_other_heights_are_refused(height):
    with pytest.raises(ValueError, match=f"32 to 47 rows, but preprocessing.height is {height}"):
        without_memory(alphabet=LETTERS, preprocessing=Preprocessing(height=height))


def test_logits_are_not_normalised_and_depend_on_the_picture():
    with torch.inference_mode():
        logits = small()(torch.rand(2, 1, 32, 40, generator=torch.Generator().manual_seed(0)))
    assert logits.min() < 0 < logits.max()
    assert not torch.equal(logits[:, 0], logits[:, 1])


@pytest.mark.parametrize("width", [0.125, 0.25, 0.5])
def test_width_scales_channels_and_hidden_size_and_nothing_else(width):
    def scaled(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        if name.startswith("rnn.1.embedding"):
            return (shape[0], *(round(n * width) for n in shape[1:]))
        if name == "conv1.weight":
            return (round(shape[0] * width), *shape[1:])
        return tuple(round(n * width) if n > 3 else n for n in shape)

    expected = {name: scaled(name, shape) for name, shape in reference_table(5).items()}
    assert shapes_of(without_memory(ModelConfig(width), LETTERS)) == expected


def test_hidden_size_can_be_chosen_apart_from_the_width():
    shapes = shapes_of(without_memory(ModelConfig(1.0, 128), LETTERS))
    changed = {n for n, shape in reference_table(5).items() if shapes[n] != shape}
    assert changed == {n for n in shapes if n.startswith("rnn.") and n != "rnn.1.embedding.bias"}
    assert shapes["rnn.0.rnn.weight_ih_l0"] == (512, 512)


def test_odd_widths_give_channels_in_eights():
    shapes = shapes_of(without_memory(ModelConfig(0.3), LETTERS))
    assert [shapes[f"{name}.bias"][0] for name in CONVOLUTIONS] == [16, 40, 80, 80, 152, 152, 152]


def test_batch_norm_everywhere_adds_a_norm_to_each_convolution_and_nothing_else():
    every = shapes_of(without_memory(ModelConfig(1.0, None, "all"), LETTERS))
    added = {name: shape for name, shape in every.items() if name not in reference_table(5)}
    assert reference_table(5).items() <= every.items()
    assert {name.split(".")[0] for name in added} == {"bn1", "bn2", "bn3_2", "bn4_2"}
    assert added["bn1.weight"] == (64,)
    assert added["bn4_2.running_var"] == (512,)


def test_wrong_settings_name_the_right_ones():
    with pytest.raises(ValueError, match="'some'.*'reference' or 'all'"):
        ModelConfig(batch_norm="some")
    with pytest.raises(ValueError, match="width is 0"):
        ModelConfig(width=0)


# --- the checkpoint


def test_a_checkpoint_rebuilds_its_model(tmp_path):
    saved = small()
    loaded = CRNN.load(saved.save(tmp_path / "new folder" / "small.safetensors"))
    assert loaded.config == SMALL
    assert loaded.alphabet == LETTERS
    assert loaded.preprocessing == Preprocessing(bucket=16)
    assert loaded.provenance == {"steps": 7}
    assert not loaded.training
    for name, value in saved.state_dict().items():
        # 11 bits of mantissa; what is smaller than 16-bit floats can be becomes 0
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=2**-11, atol=6e-8)


def test_a_loaded_model_reads_as_the_saved_one_does(tmp_path):
    saved = small()
    strips = torch.rand(2, 1, 32, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        loaded = CRNN.load(saved.save(tmp_path / "a.safetensors"))(strips)
        torch.testing.assert_close(loaded, saved(strips), rtol=0, atol=2e-3)


def test_floats_are_kept_in_16_bits_or_exactly(tmp_path):
    half = load_file(small().save(tmp_path / "half.safetensors"))
    full = load_file(small().save(tmp_path / "full.safetensors", half=False))
    assert {value.dtype for value in half.values()} == {torch.float16}
    assert all(torch.equal(value, small().state_dict()[name]) for name, value in full.items())


def test_metadata_says_all_that_is_needed_to_use_the_weights(tmp_path):
    path = small().save(tmp_path / "a.safetensors")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == FORMAT
    assert json.loads(metadata["config"]) == {"width": 0.125, "hidden": None, "batch_norm": "all"}
    assert metadata["alphabet"] == "abc "
    assert json.loads(metadata["preprocessing"])["bucket"] == 16
    assert json.loads(metadata["provenance"]) == {"steps": 7}


def test_a_save_that_is_interrupted_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = small(seed=0).save(tmp_path / "a.safetensors")
    before = path.read_bytes()

    def stopped(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stopped)
    with pytest.raises(KeyboardInterrupt):
        small(seed=1).save(path)
    assert path.read_bytes() == before


def test_others_may_read_a_checkpoint_if_they_may_read_files(tmp_path):
    old = os.umask(0o022)
    try:
        path = small().save(tmp_path / "a.safetensors")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("content", [b"", b"these are no weights, but a line of text"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="a.safetensors is not a readable checkpoint"):
        CRNN.load(path)


def test_half_a_checkpoint_is_refused(tmp_path):
    path = small().save(tmp_path / "a.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        CRNN.load(path)


def test_weights_of_another_program_are_refused(tmp_path):
    save_file({"layer.weight": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="is of another program, not .*load_reference"):
        CRNN.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("settings", ['{"depth": 3}', "{", '{"width": 0}'])
def test_a_checkpoint_of_settings_that_are_not_known_is_refused(tmp_path, settings):
    path = small().save(tmp_path / "a.safetensors")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() | {"config": settings}
    save_file(load_file(path), path, metadata)
    with pytest.raises(CheckpointError, match="does not understand|no valid JSON"):
        CRNN.load(path)


def test_a_checkpoint_whose_alphabet_has_another_length_is_refused(tmp_path):
    path = small().save(tmp_path / "a.safetensors")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() | {"alphabet": "abcdef"}
    save_file(load_file(path), path, metadata)
    with pytest.raises(CheckpointError, match=r"embedding.bias is \[5\], not \[7\]"):
        CRNN.load(path)


# --- the reference kit's state dicts


CHARACTERS = "".join(chr(0x4E00 + i) for i in range(5834))


@pytest.fixture(scope="module")
def alphabet() -> Alphabet:
    return Alphabet(CHARACTERS)


def hollow() -> dict[str, torch.Tensor]:
    """A state dict of the right shapes that takes no room on disk."""
    return {name: torch.zeros(1).expand(shape) for name, shape in reference_table(5835).items()}


def saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


@pytest.mark.parametrize("prefix", ["", "module.", "module.module.", "_orig_mod.module."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_state_dict_of_the_reference_kit_is_loaded(tmp_path, alphabet, prefix, wrapped):
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.rand(shape, generator=generator)
        for name, shape in reference_table(5835).items()
    }
    state |= {f"{norm}.num_batches_tracked": torch.tensor(1010) for norm in NORMS}
    prefixed: dict[str, object] = {prefix + k: v for k, v in state.items()}
    if wrapped:
        prefixed = {"epoch": 3, "state_dict": prefixed}
    path = saved(prefixed, tmp_path / "CRNN-1010.pth")
    model = CRNN.load_reference(path, alphabet)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert model.alphabet == alphabet
    assert model.config == ModelConfig()
    assert model.preprocessing.normalize == "reference"
    assert "CRNN-1010.pth" in model.provenance["source"]
    assert not model.training


def test_batch_norm_s_step_counters_may_be_absent(tmp_path, alphabet):
    assert CRNN.load_reference(saved(hollow(), tmp_path / "a.pth"), alphabet)


def test_a_missing_key_is_named(tmp_path, alphabet):
    state = hollow()
    del state["conv4_2.bias"]
    with pytest.raises(CheckpointError, match=r"a.pth does not fit.*Missing.*: 'conv4_2.bias'$"):
        CRNN.load_reference(saved(state, tmp_path / "a.pth"), alphabet)


def test_a_missing_last_layer_is_named(tmp_path, alphabet):
    state = hollow()
    del state["rnn.1.embedding.bias"]
    with pytest.raises(CheckpointError, match=r"Missing.*: 'rnn.1.embedding.bias'$"):
        CRNN.load_reference(saved(state, tmp_path / "a.pth"), alphabet)


def test_an_extra_key_is_named(tmp_path, alphabet):
    state = hollow() | {"conv6.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"a.pth does not fit.*Unexpected.*: 'conv6.weight'$"):
        CRNN.load_reference(saved(state, tmp_path / "a.pth"), alphabet)


def test_a_weight_of_another_shape_is_named_with_both_shapes(tmp_path, alphabet):
    state = hollow() | {"conv1.weight": torch.zeros(1).expand(64, 3, 3, 3)}
    with pytest.raises(CheckpointError, match=r"conv1.weight.*\[64, 3, 3, 3\].*\[64, 1, 3, 3\]"):
        CRNN.load_reference(saved(state, tmp_path / "a.pth"), alphabet)


@pytest.mark.parametrize("given", [5833, 5835])
def test_a_wrong_number_of_characters_is_told_with_the_right_one(tmp_path, given):
    wrong = Alphabet("".join(chr(0x4E00 + i) for i in range(given)))
    with pytest.raises(CheckpointError, match=f"with 5834 characters.*given has {given};"):
        CRNN.load_reference(saved(hollow(), tmp_path / "a.pth"), wrong)


def test_a_whole_training_state_is_no_state_dict(tmp_path, alphabet):
    path = saved({"epoch": 3, "model": hollow()}, tmp_path / "a.pth")
    with pytest.raises(
        CheckpointError, match="a.pth is not a state dict .*'epoch' is a int, not a"
    ):
        CRNN.load_reference(path, alphabet)


def test_a_list_of_weights_is_no_state_dict(tmp_path, alphabet):
    path = saved(list(hollow().values()), tmp_path / "a.pth")
    with pytest.raises(
        CheckpointError, match="a.pth is not a state dict saved by torch: it holds a list"
    ):
        CRNN.load_reference(path, alphabet)


class Mischief:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return os.mkdir, (self.target,)


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, alphabet):
    state = hollow() | {"conv1.weight": Mischief(tmp_path / "was here")}
    path = saved(state, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="a.pth is not a state dict saved by torch"):
        CRNN.load_reference(path, alphabet)
    assert not (tmp_path / "was here").exists()


def test_a_missing_state_dict_is_said_to_be_missing(tmp_path, alphabet):
    with pytest.raises(CheckpointError, match="nowhere.pth is not a state dict.*No such file"):
        CRNN.load_reference(tmp_path / "nowhere.pth", alphabet)


@pytest.mark.parametrize("value", [5, torch.tensor(5.0), torch.zeros(2, 3), "text", None])
def test_a_last_layer_of_another_kind_is_named(tmp_path, value):
    path = saved(hollow() | {"rnn.1.embedding.bias": value}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth .*rnn\.1\.embedding"):
        CRNN.load_reference(path, Alphabet("abc"))


def test_a_file_that_torch_did_not_write_is_refused(tmp_path, alphabet):
    (tmp_path / "a.pth").write_bytes(b"no pickle")
    with pytest.raises(CheckpointError, match="a.pth is not a state dict saved by torch"):
        CRNN.load_reference(tmp_path / "a.pth", alphabet)


def test_the_reference_checkpoint_is_converted_read_and_fine_tuned(tmp_path):
    """The recipe of notebook 02, with made-up weights in the names and shapes of CRNN-1010.pth."""
    generator = torch.Generator().manual_seed(0)
    state = {
        f"module.{name}": 0.05 * torch.rand(shape, generator=generator)
        for name, shape in reference_table(31).items()
    }
    (tmp_path / "alphabet.pkl").write_bytes(pickle.dumps(list("abcdefghijklmnopqrstuvwxyz- .'")))
    alphabet = Alphabet.load(tmp_path / "alphabet.pkl")
    model = CRNN.load_reference(saved(state, tmp_path / "CRNN-1010.pth"), alphabet)
    converted = model.save(tmp_path / "crnn-1010.safetensors")

    words = []
    for i, word in enumerate(("one", "two")):
        draw_word(word, 0).save(path := tmp_path / f"{i}.jpg")
        words.append(Sample(path, word))
    reader, crops = Recognizer.load(converted), load_crops(words)
    assert reader.preprocessing == Preprocessing(normalize="reference", trim=False)
    assert all(set(reading.text) <= set(alphabet.characters) for reading in reader(crops))

    fit(model, words, words, TrainConfig(epochs=1, batch_size=2), tmp_path / "tuned.safetensors")
    tuned = CRNN.load(tmp_path / "tuned.safetensors")
    assert "CRNN-1010.pth" in tuned.provenance["started_from"]["source"]
    assert tuned.preprocessing == reader.preprocessing
