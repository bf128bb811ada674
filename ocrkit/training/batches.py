"""Batches of line images of one width, with their labels, as CTC training needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter

import numpy as np
import torch
from torch import Tensor

from ocrkit.image import Preprocessing, fit
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.synth.lines import Crop


@dataclass(frozen=True)
class Batch:
    """Lines of one width: what CTC training needs, and the texts themselves.

    images: (N, 1, 32, W) float32. targets: all labels one after the other, 1-D. lengths: (N,).
    """

    images: Tensor
    targets: Tensor
    lengths: Tensor
    texts: tuple[str, ...]


def steps_needed(label: Sequence[int]) -> int:
    """Time steps CTC needs for a label: one a character, and a blank between equal neighbours."""
    return len(label) + sum(a == b for a, b in zip(label, label[1:], strict=False))


def padding(widths: Sequence[int], batch_size: int) -> float:
    """Share of the columns that only fill up, of strips dealt into batches in this order."""
    groups = [widths[i : i + batch_size] for i in range(0, len(widths), batch_size)]
    return 1 - float(sum(widths) / sum(max(group) * len(group) for group in groups))


def collate(strips: Sequence[np.ndarray], texts: Sequence[str], alphabet: Alphabet) -> Batch:
    """A batch of fitted strips (1, 32, W), all of one width."""
    labels = [alphabet.encode(text) for text in texts]
    return Batch(
        torch.from_numpy(np.stack(strips)),
        torch.tensor([i for label in labels for i in label], dtype=torch.long),
        torch.tensor([len(label) for label in labels], dtype=torch.long),
        tuple(texts),
    )


def bucketed(
    crops: Iterator[Crop],
    alphabet: Alphabet,
    preprocessing: Preprocessing,
    columns: int,
    pool: int = 512,
) -> Iterator[Batch]:
    """Batches of about `columns` pixel columns each, whatever their width, in a stable order.

    Takes `pool` crops at a time, sorts them by width and cuts batches of one padded width, so that
    almost nothing is spent on padding. Lines too narrow for their label are left out.
    """
    while drawn := list(islice(crops, pool)):
        fitted = []
        for crop in drawn:
            strip = fit(crop.image, preprocessing)
            if steps_needed(alphabet.encode(crop.text)) <= strip.shape[2] // 4 + 1:
                fitted.append((strip.shape[2], strip, crop.text))
        batches = []
        fitted.sort(key=itemgetter(0))
        for width, group in groupby(fitted, itemgetter(0)):
            while part := list(islice(group, max(4, columns // width))):
                _, strips, texts = zip(*part, strict=True)
                batches.append(collate(strips, texts, alphabet))
        # Narrow and wide must alternate: a run of one width pulls the weights to and fro.
        order = np.random.default_rng(len(fitted)).permutation(len(batches))
        yield from (batches[i] for i in order)
