"""Labelled lines before training: each label is checked, and the set is split by page.

A wrong label teaches an error. What cannot be right is left out, with the reason.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from ocrkit.errors import OcrkitError
from ocrkit.image import fit, fitted_width, tighten
from ocrkit.progress import progress
from ocrkit.recognition.alphabet import Alphabet, normalized
from ocrkit.recognition.network import CRNN
from ocrkit.training.batches import steps_needed
from ocrkit.training.manifest import LabelledLines, Refused, Sample, load_crops

# The label of the line before or after may belong to an image instead of its own label: if the own
# label's negative log-probability per character is above UNLIKELY, and TIMES that of the other.
UNLIKELY, TIMES = 2.0, 2.5
_BATCH = 16


def check_labels(
    model: CRNN, samples: Sequence[Sample], show_progress: bool = True
) -> LabelledLines:
    """The samples that can be used, with their texts as `normalized` and their images; and others.

    Refused are: no text, characters outside the model's alphabet, more characters than the network
    makes time steps of the image, and a label that is very unlikely on its image while the label of
    the line before or after it on the page is likely. Raises ImageError for an image that cannot be
    read.
    """
    kept: list[Sample] = []
    strips: list[np.ndarray] = []
    refused: list[Refused] = []
    for sample in progress(samples, "checking", "lines") if show_progress else samples:
        (crop,) = load_crops([sample])
        sample = replace(sample, text=normalized(sample.text), image=crop)
        strip = _strip(model, crop)
        if reason := _problem(model, sample.text, strip):
            refused.append(Refused(sample.name, reason))
        else:
            kept.append(sample)
            strips.append(strip)
    swapped = _swapped(model, kept, strips)
    refused += [Refused(kept[i].name, reason) for i, reason in swapped.items()]
    return LabelledLines(tuple(s for i, s in enumerate(kept) if i not in swapped), tuple(refused))


def missing_characters(alphabet: Alphabet, samples: Iterable[Sample]) -> str:
    """The characters of labels, as `normalized`, that an alphabet lacks; frequent ones first."""
    count = Counter(c for s in samples for c in normalized(s.text) if alphabet.missing(c))
    return "".join(character for character, _ in count.most_common())


def split_by_page(
    samples: Sequence[Sample], share: float = 0.15, seed: int = 0
) -> tuple[list[Sample], list[Sample]]:
    """The samples for training, and about `share` of them, whole pages, for validation.

    Lines of one page are so much alike that they would make the validation set too easy. If all
    lines are of one page, the last ones of it are for validation. Raises OcrkitError for less than
    two lines.
    """
    if len(samples) < 2:
        raise OcrkitError("training takes at least two lines, one of them for validation")
    wanted = max(1, round(share * len(samples)))
    pages: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        pages[sample.page].append(sample)
    if len(pages) == 1:
        return list(samples[:-wanted]), list(samples[-wanted:])
    names = sorted(pages)
    random.Random(seed).shuffle(names)
    held: set[str] = set()
    count = 0
    for name in names:
        # A page with far too many lines is passed over if a smaller one will do.
        if count < wanted and count + len(pages[name]) <= 2 * wanted:
            held.add(name)
            count += len(pages[name])
    held = held or {min(names, key=lambda name: len(pages[name]))}
    parts: tuple[list[Sample], list[Sample]] = ([], [])
    for sample in samples:
        parts[sample.page in held].append(sample)
    return parts


def _strip(model: CRNN, crop: np.ndarray) -> np.ndarray:
    """The image as the network reads it, without padding, (1, H, W); (1, H, 0) if it is empty."""
    if min(crop.shape) < 2:
        return np.empty((1, model.preprocessing.height, 0), np.float32)
    prep = replace(model.preprocessing, trim=False)
    crop = tighten(crop) if model.preprocessing.trim else crop
    return fit(crop, prep)[:, :, : fitted_width(crop, prep)[0]]


def _problem(model: CRNN, text: str, strip: np.ndarray) -> str:
    """Why a label cannot be learned from its image, or ""."""
    if not text:
        return "it has no text"
    if missing := model.alphabet.missing(text):
        return f"characters outside the alphabet: {' '.join(missing)}"
    steps, needed = -(-strip.shape[2] // 4), steps_needed(model.alphabet.encode(text))
    if needed > steps:
        return f"{len(text)} characters are too many for its image; are image and text mixed up?"
    return ""


def _swapped(
    model: CRNN, samples: Sequence[Sample], strips: Sequence[np.ndarray]
) -> dict[int, str]:
    """Index -> reason, for labels that seem to belong to a line beside theirs."""
    own = _log_loss(model, strips, [sample.text for sample in samples])
    pairs = [
        (i, j)
        for i in np.flatnonzero(own > UNLIKELY).tolist()
        for j in (i - 1, i + 1)
        if 0 <= j < len(samples) and samples[i].page == samples[j].page
        if samples[i].text != samples[j].text
    ]
    others = _log_loss(model, [strips[i] for i, _ in pairs], [samples[j].text for _, j in pairs])
    return {
        i: f"its label fits worse than that of {samples[j].name}; are they swapped?"
        for (i, j), other in zip(pairs, others.tolist(), strict=True)
        if other * TIMES < own[i]
    }


@torch.inference_mode()
def _log_loss(model: CRNN, strips: Sequence[np.ndarray], texts: Sequence[str]) -> np.ndarray:
    """Negative log-probability per character of each text on its image, (N,)."""
    prep, model = model.preprocessing, model.eval()
    result = np.zeros(len(strips))
    order = sorted(range(len(strips)), key=lambda i: strips[i].shape[2])
    for start in range(0, len(order), _BATCH):
        group = order[start : start + _BATCH]
        widths = [strips[i].shape[2] for i in group]
        width = -(-max(widths) // prep.bucket) * prep.bucket
        images = np.full((len(group), 1, prep.height, width), prep.paper, np.float32)
        for image, i in zip(images, group, strict=True):
            image[:, :, : strips[i].shape[2]] = strips[i]
        log_probs = functional.log_softmax(model(torch.from_numpy(images)).float(), dim=-1)
        targets = [model.alphabet.encode(texts[i]) for i in group]
        losses = functional.ctc_loss(
            log_probs,
            torch.tensor([c for target in targets for c in target], dtype=torch.long),
            torch.tensor([-(-len(log_probs) * w // width) for w in widths]),
            torch.tensor([len(target) for target in targets]),
            reduction="none",
        )
        result[group] = losses.numpy() / [len(target) for target in targets]
    return result
