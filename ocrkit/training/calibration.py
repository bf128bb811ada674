"""Calibrates a recogniser: its confidences, so that 0.99 is right 99 times in 100, and its decoder.

    python -m ocrkit.training.calibration WEIGHTS FOLDER OUTPUT [LANGUAGE]

reads the held-out books of the packed lines in FOLDER (see `packing`) with a checkpoint, and writes
the calibrated checkpoint.

Networks are too sure of themselves. Temperature scaling divides the logits by one number, the
temperature: Guo et al., "On Calibration of Modern Neural Networks", 2017. Here the weights of the
last layer are divided by it, so that every backend is calibrated, and greedy readings stay the
same.

`ocrkit train` calibrates what it has taught with `calibrated`, on the few lines that a person has
corrected.

LANGUAGE is a language model that has not counted the held-out lines, made by
`python -m ocrkit.training.language_counts --training-only` (the kit's own knows their texts). With
it, the weight of the language model with the lowest CER on these lines is found too; else the
weight stays as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ocrkit.errors import OcrkitError
from ocrkit.image import Preprocessing, fit
from ocrkit.metrics import cer, correct_characters, expected_calibration_error
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import beam, greedy, log_softmax
from ocrkit.recognition.language import LanguageModel
from ocrkit.recognition.network import CRNN
from ocrkit.training.batches import Strip, bucketed_strips
from ocrkit.training.manifest import Sample, load_crops
from ocrkit.training.packing import PackedLines
from ocrkit.training.real_lines import RealLines, book_of, held_out_books

LANGUAGE_WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5)  # that are tried
_COLUMNS = 7680  # pixel columns in a batch
_LOWEST, _HIGHEST, _TRIED = 0.3, 5.0, 15  # temperatures that are tried, first far apart
_LAST_LAYER = "rnn.1.embedding."
# What fits a few wrong characters best may suit their page only. So with fewer than the first
# number of them there is no temperature, and with n of them its logarithm is n / (n + the second
# number) of the best one's.
FEWEST_WRONG, PRIOR_WRONG = 10, 50
_SURE = 1 - 1e-6  # a confidence of 1 that is wrong would cost infinitely much


def with_temperature(model: CRNN, temperature: float) -> CRNN:
    """A copy of the model in eval mode whose logits are those of `model` / temperature.

    Its provenance says the temperature; a model that had one already gets the product. Raises
    ValueError for a temperature that is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"the temperature is {temperature}; it must be above 0")
    total = temperature * model.provenance.get("temperature", 1.0)
    provenance = {**model.provenance, "temperature": round(total, 4)}
    settings = model.config, model.alphabet, model.preprocessing, provenance, model.language_weight
    scaled = CRNN(*settings)
    scaled.load_state_dict(model.state_dict())
    with torch.no_grad():
        for name, parameter in scaled.named_parameters():
            if name.startswith(_LAST_LAYER):
                parameter.div_(temperature)
    return scaled.eval()


def outcomes(
    lines: Sequence[tuple[np.ndarray, str]], alphabet: Alphabet, temperature: float = 1.0
) -> tuple[list[float], list[bool]]:
    """The confidence of each character that is read greedily, and whether it is right.

    lines: logits (T, C) of lines, and their texts.
    """
    confidences: list[float] = []
    correct: list[bool] = []
    for logits, text in lines:
        decoded = greedy(log_softmax(logits / temperature), alphabet)
        confidences += [character.confidence for character in decoded.characters]
        correct += correct_characters(text, decoded.text)
    return confidences, correct


def find_temperature(lines: Sequence[tuple[np.ndarray, str]], alphabet: Alphabet) -> float:
    """The temperature with the lowest negative log-likelihood of the characters' outcomes.

    lines: as for `outcomes`. Raises OcrkitError if nothing is read in them, or nothing wrong or
    right: then every temperature would be as good as the next.
    """
    _, correct = outcomes(lines, alphabet)
    if all(correct) or not any(correct):
        raise OcrkitError(
            "a temperature needs right and wrong characters; take more lines, or harder ones"
        )

    def loss(temperature: float) -> float:
        confidences, _ = outcomes(lines, alphabet, temperature)
        sure = np.clip(confidences, 1 - _SURE, _SURE)
        return -float(np.log(np.where(correct, sure, 1 - sure)).mean())

    tried = np.geomspace(_LOWEST, _HIGHEST, _TRIED)
    best = min(tried, key=loss)
    step = tried[1] / tried[0]
    return float(min(np.geomspace(best / step, best * step, _TRIED), key=loss))


def cautious_temperature(lines: Sequence[tuple[np.ndarray, str]], alphabet: Alphabet) -> float:
    """As `find_temperature`, for a few lines of a few pages: the fewer, the nearer to 1.

    What counts are the characters that are wrong, or those that are right if these are fewer: the
    others say little about how sure the reader may be. It is 1 with less than FEWEST_WRONG of them.

    It is never below 1. Validation lines have chosen the weights that read them best, so a reader
    looks better on them than it is; and if it is not sure enough, people only check more than they
    must.
    """
    _, correct = outcomes(lines, alphabet)
    found = min(correct.count(False), correct.count(True))
    if found < FEWEST_WRONG:
        return 1.0
    best = find_temperature(lines, alphabet)
    return max(1.0, float(best ** (found / (found + PRIOR_WRONG))))


def calibrated(model: CRNN, samples: Sequence[Sample]) -> CRNN:
    """The model with the `cautious_temperature` of some samples; itself if that is 1.

    samples: validation lines, of the kind that it will read. Raises ImageError for an image
    that cannot be read.
    """
    prep = model.preprocessing
    crops = zip(load_crops(samples), samples, strict=True)
    strips = ((fit(crop, prep), sample.text) for crop, sample in crops)
    temperature = cautious_temperature(line_logits(model, strips, prep), model.alphabet)
    return model if temperature == 1 else with_temperature(model, temperature)


def rates_by_weight(
    lines: Sequence[tuple[np.ndarray, str]], alphabet: Alphabet, language: LanguageModel
) -> dict[float, float]:
    """The CER with each of LANGUAGE_WEIGHTS for the language model; lines: as for `outcomes`."""
    log_probs = [log_softmax(logits) for logits, _ in lines]
    texts = [text for _, text in lines]
    return {
        weight: cer(texts, [beam(p, alphabet, 8, language, weight).text for p in log_probs])
        for weight in LANGUAGE_WEIGHTS
    }


def line_logits(
    model: CRNN, strips: Iterator[Strip], preprocessing: Preprocessing
) -> list[tuple[np.ndarray, str]]:
    """The logits (T, C) of lines, in another order, with their texts."""
    found = []
    for batch in bucketed_strips(strips, model.alphabet, preprocessing, _COLUMNS):
        with torch.inference_mode():
            logits = model(batch.images).float().numpy()
        found += [(logits[:, n], text) for n, text in enumerate(batch.texts)]
    return found


def main() -> None:
    """Calibrates a checkpoint on the held-out books of packed lines."""
    try:
        weights, folder, output, *rest = sys.argv[1:]
        (language,) = rest or [""]
    except ValueError:
        raise SystemExit(__doc__) from None
    counts = LanguageModel.load(language) if language else None
    model, packed = CRNN.load(weights), PackedLines.load(folder)
    books = held_out_books(packed.names)
    chosen = [i for i, name in enumerate(packed.names) if book_of(name) in books]
    lines = RealLines(packed, chosen, model.preprocessing)
    logits = line_logits(model, map(lines.plain, chosen), model.preprocessing)
    temperature = find_temperature(logits, model.alphabet)
    for value in (1.0, temperature):
        error = expected_calibration_error(*outcomes(logits, model.alphabet, value))
        print(f"temperature {value:.3f}: expected calibration error {error:.4f}")
    model = with_temperature(model, temperature)
    if counts:
        calibrated = [(values / temperature, text) for values, text in logits]
        rates = rates_by_weight(calibrated, model.alphabet, counts)
        for weight, rate in rates.items():
            print(f"language weight {weight}: CER {rate:.4f}")
        model.language_weight = min(rates, key=rates.__getitem__)
    model.save(output)


if __name__ == "__main__":
    main()
