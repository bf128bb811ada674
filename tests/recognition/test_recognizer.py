from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocrkit import export_onnx, to_openvino
from ocrkit.errors import CheckpointError
from ocrkit.image import Preprocessing
from ocrkit.metrics import cer
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.backends import load_backend
from ocrkit.recognition.ctc import beam
from ocrkit.recognition.language import LanguageModel
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.reading import Reading
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.pytorch import Backend

LETTERS = Alphabet("abc ")
WIDE = 64  # of a strip, which is 17 time steps
STEPS = 17


def crop(width: int = WIDE, height: int = 32, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width), dtype=np.uint8)


def says(path: dict[int, str], confidence: float = 0.9) -> Backend:
    """A backend whose likeliest path has these characters at these steps, blanks at the others."""

    def run(images: np.ndarray) -> np.ndarray:
        steps, others = images.shape[3] // 4 + 1, len(LETTERS) - 1
        logits = np.full((steps, len(images), len(LETTERS)), np.log((1 - confidence) / others))
        for step in range(steps):
            best = LETTERS.encode(path[step])[0] if step in path else 0
            logits[step, :, best] = np.log(confidence)
        return logits.astype(np.float32)

    return run


def reading_of(path: dict[int, str], decoder: str = "greedy") -> Reading:
    (reading,) = Recognizer(says(path), LETTERS, decoder=decoder)([crop()])
    return reading


@pytest.fixture(scope="module")
def unlearned() -> Recognizer:
    """A network of random weights that reads something into every crop."""
    torch.manual_seed(1)
    model = CRNN(ModelConfig(0.125, None, "all"), LETTERS)
    for norm in (layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)):
        norm.momentum = 0.5
    for _ in range(5):  # for statistics that let the picture through
        model(torch.rand(4, 1, 32, 64))
    with torch.no_grad():
        for weight in model.rnn.parameters():
            weight *= 6
    return Recognizer(load_backend("pytorch", model), LETTERS)


@pytest.fixture(scope="module")
def reader(memorised) -> Recognizer:
    return Recognizer(load_backend("pytorch", memorised.model), memorised.model.alphabet)


# --- text, order and batches


def test_a_network_that_has_learned_its_lines_reads_them(memorised, reader):
    assert [r.text for r in reader(memorised.crops)] == list(memorised.batch.texts)


def test_readings_come_in_the_order_of_the_crops(memorised, reader):
    texts = memorised.batch.texts
    order = np.random.default_rng(0).permutation(3 * len(texts)) % len(texts)
    margins = [((0, 0), (0, 40 * (i % 3))) for i in range(len(texts))]
    wide = [np.pad(c, m, mode="edge") for c, m in zip(memorised.crops, margins, strict=True)]
    alone = [reader([c])[0].text for c in wide]
    assert len(set(alone)) > 5
    assert [r.text for r in reader([wide[i] for i in order])] == [alone[i] for i in order]


@pytest.mark.parametrize("decoder", ["greedy", "beam", "language"])
def test_a_batch_is_read_as_its_crops_one_by_one(unlearned, decoder):
    run = Recognizer(unlearned.backend, LETTERS, batch_size=4, decoder=decoder)
    rng = np.random.default_rng(2)
    sizes = rng.integers(4, 300, (30, 2)) // (1, 4)
    crops = [crop(int(w), max(2, int(h)), seed=i) for i, (w, h) in enumerate(sizes)]
    together, alone = run(crops), [run([c])[0] for c in crops]
    assert len({r.text for r in alone}) > 10
    assert [r.text for r in together] == [r.text for r in alone]
    for a, b in zip(together, alone, strict=True):
        assert a.confidence == pytest.approx(b.confidence, abs=1e-4)


def test_batches_are_of_one_width_and_no_larger_than_asked_for():
    shapes = []

    def run(images: np.ndarray) -> np.ndarray:
        shapes.append(images.shape)
        assert images.dtype == np.float32
        return says({})(images)

    widths = [70, 20, 300, 65, 30, 90, 75, 96, 80]
    Recognizer(run, LETTERS, batch_size=3)([crop(w) for w in widths])
    assert sorted(shapes) == [
        (1, 1, 32, 320), (2, 1, 32, 32), (3, 1, 32, 96), (3, 1, 32, 96)
    ]  # fmt: skip


def test_the_rest_of_a_width_is_read_in_batches_of_few_sizes():
    sizes = []

    def run(images: np.ndarray) -> np.ndarray:
        sizes.append(len(images))
        return says({})(images)

    Recognizer(run, LETTERS, batch_size=16)([crop(64)] * 29)
    assert sizes == [16, 12, 1]


def test_preprocessing_is_that_of_the_model():
    seen = []

    def run(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return says({})(images)

    Recognizer(run, LETTERS, Preprocessing(bucket=10, normalize="reference"))([crop(41)])
    assert seen[0].shape == (1, 1, 32, 50)
    assert (seen[0][0, 0, :, 41:] == 1).all()


# --- what there is little to read in


def test_no_crops_give_no_readings():
    assert Recognizer(says({}), LETTERS)([]) == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (9, 0), (1, 1), (1, 50), (50, 1)])
def test_a_crop_without_room_for_text_is_an_empty_reading(shape):
    run = Recognizer(says({1: "a"}), LETTERS)
    empty, full = run([np.zeros(shape, np.uint8), crop()])
    assert empty == Reading("", 0.0, ())
    assert full.text == "a"


@pytest.mark.parametrize("shape", [(2, 2), (3, 900), (900, 3), (2, 5000), (32, 100)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_blank_paper_of_any_size_is_answered(unlearned, shape, grey):
    assert len(unlearned([np.full(shape, grey, np.uint8)])) == 1


def test_a_line_of_blanks_or_of_spaces_is_an_empty_reading():
    assert reading_of({}) == Reading("", 0.0, ())
    assert reading_of({2: " ", 6: " "}) == Reading("", 0.0, ())


# --- words


def test_words_have_the_confidence_and_the_extent_of_their_characters():
    # Centres are half a step further, a character is as wide as the usual distance of two: 2 steps.
    reading = reading_of({4: "a", 6: "b", 8: " ", 12: "c"})
    assert reading.text == "ab c"
    assert [word.text for word in reading.words] == ["ab", "c"]
    sides = [(word.start, word.end) for word in reading.words]
    assert sides == [
        pytest.approx((3.5 / STEPS, 7.5 / STEPS)),
        pytest.approx((11.5 / STEPS, 13.5 / STEPS)),
    ]
    assert [word.confidence for word in reading.words] == pytest.approx([0.9, 0.9])
    assert reading.confidence == pytest.approx(0.9)


def test_a_single_character_takes_half_of_the_line():
    (word,) = reading_of({8: "a"}).words
    assert (word.start, word.end) == pytest.approx((0.25, 0.75))


def test_words_set_close_do_not_overlap_where_letters_are_wide_apart():
    first, second = reading_of({0: "a", 7: "b", 8: " ", 9: "c", 16: "a"}).words
    assert (first.start, second.end) == (0, 1)
    assert first.end <= second.start


def test_spaces_at_the_ends_and_in_a_row_part_nothing():
    path = {0: " ", 2: "a", 4: " ", 6: " ", 8: "b", 16: " "}
    assert reading_of(path).text == "a b"
    assert [word.text for word in reading_of(path).words] == ["a", "b"]


def test_repeated_steps_are_one_character_and_a_blank_makes_two():
    assert reading_of({3: "a", 4: "a", 6: "a", 7: "b"}).text == "aab"


@given(
    characters=st.lists(st.sampled_from(["a", "b", "c", " ", ""]), min_size=STEPS, max_size=STEPS),
    width=st.integers(33, WIDE),
)
def test_words_lie_in_the_line_one_after_the_other(characters, width):
    path = {step: char for step, char in enumerate(characters) if char}
    (reading,) = Recognizer(says(path), LETTERS)([crop(width)])
    sides = [side for word in reading.words for side in (word.start, word.end)]
    assert sides == sorted(sides)
    assert all(0 <= side <= 1 for side in sides)
    assert all(word.start < word.end and word.text.strip() for word in reading.words)
    assert reading.text == " ".join(word.text for word in reading.words)


@pytest.mark.parametrize("width", [33, 40, 52, 63])
def test_padding_beyond_the_content_adds_no_characters(width):
    # A strip of 64 columns of which `width` are the crop's: step t looks at column 4 t and around.
    within = dict.fromkeys(range(0, width // 4, 2), "a")
    beyond = dict.fromkeys(range(-(-STEPS * width // WIDE), STEPS), "b")
    (reading,) = Recognizer(says(within | beyond), LETTERS)([crop(width)])
    assert reading.text == "a" * len(within)


def test_a_crop_scaled_up_has_its_words_where_they_were():
    path = {4: "a", 6: "b", 8: " ", 12: "c"}
    small, large = Recognizer(says(path), LETTERS)([crop(WIDE, 32), crop(3 * WIDE, 3 * 32)])
    assert small == large


# --- settings


def test_beam_sums_over_paths_where_greedy_takes_the_likeliest():
    def run(images: np.ndarray) -> np.ndarray:
        # Graves' case: blank is likeliest at both of the first steps (0.6 each, 0.36 together),
        # but "a" by three paths has 0.64.
        probs = np.full((images.shape[3] // 4 + 1, 1, len(LETTERS)), 1e-9)
        probs[:, :, 0] = 1
        probs[:2, :, 0], probs[:2, :, 1] = 0.6, 0.4
        return np.log(probs).astype(np.float32) + 3  # logits need no norm

    texts = [Recognizer(run, LETTERS, decoder=d)([crop()])[0].text for d in ("greedy", "beam")]
    assert texts == ["", "a"]


def test_beam_reads_the_words_that_greedy_reads_where_all_is_clear():
    path = {4: "a", 6: "b", 8: " ", 12: "c"}
    assert reading_of(path, decoder="beam").words == reading_of(path).words


@pytest.mark.parametrize(("seen", "read"), [(0.9, "pour le"), (0.45, "pour lo")])
def test_language_decides_where_letters_are_unclear_but_makes_nothing_up(seen, read):
    """The last letter may be o or e; the others are seen well, or hardly at all."""
    alphabet = Alphabet()

    def run(images: np.ndarray) -> np.ndarray:
        probs = np.full((images.shape[3] // 4 + 1, 1, len(alphabet)), (1 - seen) / len(alphabet))
        probs[:, :, 0] = seen
        for i, character in enumerate("pour lo"):
            probs[2 * i, :, [0, *alphabet.encode(character)]] = [[1e-9], [seen]]
        probs[12, :, alphabet.encode("eo")] = [[0.9 * seen], [seen]]
        return np.log(probs / probs.sum(axis=2, keepdims=True)).astype(np.float32)

    greedy, language = (Recognizer(run, alphabet, decoder=d) for d in ("greedy", "language"))
    assert greedy([crop()])[0].text == "pour lo"
    assert language([crop()])[0].text == read


@pytest.mark.parametrize(
    ("shares", "text", "confidence"),
    [
        ({"O": 0.70, "0": 0.22, "o": 0.02}, "0", 0.94),
        ({"0": 0.40, "O": 0.30, "o": 0.20}, "0", 0.90),  # none of them by itself is sure
        ({"O": 0.95, "0": 0.03}, "O", 0.95),  # as a large initial is
        ({"D": 0.70, "0": 0.22}, "D", 0.70),
    ],
)
def test_a_round_character_alone_is_a_zero_with_the_confidence_that_it_is_round(
    shares, text, confidence
):
    alphabet = Alphabet()

    def run(images: np.ndarray) -> np.ndarray:
        probs = np.full((images.shape[3] // 4 + 1, 1, len(alphabet)), 1e-9)
        probs[:, :, 0] = 1
        probs[3, 0, [0, *alphabet.encode("".join(shares))]] = [1e-3, *shares.values()]
        return np.log(probs / probs.sum(axis=2, keepdims=True)).astype(np.float32)

    reading = Recognizer(run, alphabet, decoder="language")([crop()])[0]
    assert reading.text == text
    total = sum(shares.values()) + 1e-3
    assert reading.confidence == pytest.approx(confidence / total, abs=0.01)
    assert Recognizer(run, alphabet)([crop()])[0].text == max(shares, key=shares.__getitem__)


def looks(sure: dict[int, float], decoder: str) -> tuple[list[int], str]:
    """Widths of the strips that a crop of 64 is shown in, and what is read in the end.

    The letter seen is a in the first strip and b in the others, as sure as is said.
    """
    widths: list[int] = []

    def run(images: np.ndarray) -> np.ndarray:
        letter = "b" if widths else "a"
        outputs = says({2: letter}, sure[len(widths)])(images)
        widths.append(images.shape[3])
        return outputs

    reader = Recognizer(run, LETTERS, Preprocessing(bucket=1), decoder=decoder)
    return widths, reader([crop()])[0].text


def test_a_doubtful_line_is_looked_at_more_closely_and_the_surest_look_counts():
    assert looks({0: 0.99, 1: 0.995}, "language") == ([64, 91], "b")
    assert looks({0: 0.992, 1: 0.99}, "language") == ([64, 91], "a")


def test_a_very_doubtful_line_is_read_in_six_ways_and_all_of_them_count():
    """An a is the most certain, but five readings together say b."""
    widths, text = looks({0: 0.97, **dict.fromkeys(range(1, 6), 0.96)}, "language")
    # As it is; larger; fewer rows; wider; higher; slanted: 64 + 2 * 4 columns, at 32 of 40 rows.
    assert len(widths) == 6 and widths[:2] == [64, 91] and len(set(widths[2:])) == 4
    assert text == "b"


def test_a_line_without_doubt_and_other_decoders_take_one_look():
    assert looks({0: 0.9999}, "language") == ([64], "a")
    assert looks({0: 0.9}, "greedy") == looks({0: 0.9}, "beam") == ([64], "a")


def test_language_has_no_say_where_there_is_no_doubt(monkeypatch):
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the language model was asked")

    monkeypatch.setattr("ocrkit.recognition.joint.beam", asked)
    assert looks({0: 0.9999}, "language") == ([64], "a")
    with pytest.raises(AssertionError, match="was asked"):
        looks({0: 0.99, 1: 0.99}, "language")


def test_an_unknown_decoder_names_those_there_are():
    with pytest.raises(ValueError, match="'lexicon'; choose one of greedy, beam"):
        Recognizer(says({}), LETTERS, decoder="lexicon")


def test_a_backend_of_another_alphabet_is_refused():
    with pytest.raises(ValueError, match="do not belong together"):
        Recognizer(says({}), Alphabet("abcdef"))([crop()])


def test_a_recogniser_is_loaded_from_a_checkpoint_alone(memorised, reader, tmp_path):
    path = memorised.model.save(tmp_path / "a.safetensors")
    for precision in ("float32", "bfloat16"):
        loaded = Recognizer.load(path, "pytorch", precision)
        texts = [r.text for r in loaded(memorised.crops)]
        assert cer(memorised.batch.texts, texts) < 0.1
    assert loaded.alphabet == memorised.model.alphabet
    assert loaded.preprocessing == memorised.model.preprocessing
    assert Recognizer.load(path, decoder="beam").decoder == "beam"


def test_unless_told_otherwise_it_reads_in_int8_where_openvino_is_installed(monkeypatch):
    metadata = SimpleNamespace(alphabet=LETTERS, preprocessing=None, language_weight=0.2)
    monkeypatch.setattr(
        "ocrkit.recognition.recognizer.load_file", lambda path, *_: (path.name, metadata)
    )
    assert Recognizer.load().backend == "ocrkit-fast-int8.xml"
    assert callable(Recognizer.load(backend="pytorch").backend)
    monkeypatch.setattr("ocrkit.runtime.weights.find_spec", lambda name: None)
    assert callable(Recognizer.load().backend)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere.safetensors not found"):
        Recognizer.load(tmp_path / "nowhere.safetensors")


def test_a_line_of_letters_set_apart_is_read_as_words() -> None:
    reading = reading_of({0: "a", 2: " ", 4: "b", 6: " ", 8: "c", 10: " ", 12: "a"})
    assert reading.text == "abca"
    (word,) = reading.words
    assert (word.text, word.start) == ("abca", 0.0)


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx", ".xml"])
def test_the_weight_of_the_language_model_goes_with_the_network(suffix, tmp_path):
    model = CRNN(ModelConfig(0.125, 8, "all"), LETTERS, language_weight=0.4).eval()
    write = {".safetensors": CRNN.save, ".onnx": export_onnx, ".xml": to_openvino}[suffix]
    path = write(model, tmp_path / f"small{suffix}")
    assert Recognizer.load(path).language_weight == 0.4


def test_the_language_model_decides_more_with_a_higher_weight():
    """An `a`, then `c` or, a little less probably, `b`; the language model knows only `ab`."""
    language = LanguageModel.count(["ab"] * 50)
    steps = [{"a": 1.0}, {}, {"c": 0.6, "b": 0.4}]
    probs = [
        [0.0 if step else 1.0, *(step.get(c, 0.0) for c in LETTERS.characters)] for step in steps
    ]
    log_probs = np.log(np.array(probs) + 1e-6)
    texts = [beam(log_probs, LETTERS, 8, language, weight).text for weight in (0.0, 0.02, 2.0)]
    assert texts == ["ac", "ac", "ab"]


def test_a_short_line_that_is_uncertain_is_read_again_without_its_blank_rows():
    """The ink is 20 of 60 rows high, so 26 rows are left and the strip becomes wider."""
    run, widths = says({3: "a"}, confidence=0.3), []

    def backend(images: np.ndarray) -> np.ndarray:
        widths.append(images.shape[3])
        return run(images)

    line = np.full((60, 200), 240, np.uint8)
    for x in range(20, 90, 12):
        line[30:50, x : x + 6] = 20
    Recognizer(backend, LETTERS, Preprocessing(32), decoder="language")([line])
    # 200 columns of 60 rows, then of 26 rows, at 32 rows; each padded to a multiple of 32.
    assert widths[:2] == [128, 256]
