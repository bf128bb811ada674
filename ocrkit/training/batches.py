"""Batches of line images of the same width, with their targets, for training with CTC."""

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
from ocrkit.recognition.network import time_steps
from ocrkit.synth.lines import Crop

Strip = tuple[np.ndarray, str]  # a line as the network's input (1, H, W) float32, and its text


@dataclass(frozen=True)
class Batch:
    """Lines of the same width, and their targets.

    images: (N, 1, H, W) float32.
    targets: the classes of all lines, one line after the other, (S,) int64.
    lengths: the number of classes of each line, (N,) int64.
    texts: the targets as text.
    """

    images: Tensor
    targets: Tensor
    lengths: Tensor
    texts: tuple[str, ...]


def steps_needed(target: Sequence[int]) -> int:
    """Time steps CTC needs for a target: one per character, one more between equal neighbours."""
    return len(target) + sum(a == b for a, b in zip(target, target[1:], strict=False))


def padding(widths: Sequence[int], batch_size: int) -> float:
    """Share of the pixel columns that are padding, if lines are put into batches in this order."""
    batches = [widths[i : i + batch_size] for i in range(0, len(widths), batch_size)]
    return 1 - float(sum(widths) / sum(max(batch) * len(batch) for batch in batches))


def collate(strips: Sequence[np.ndarray], texts: Sequence[str], alphabet: Alphabet) -> Batch:
    """A batch of strips (1, H, W) float32, all of the same width, with their texts.

    Raises ValueError for a text with characters outside the alphabet.
    """
    targets = [alphabet.encode(text) for text in texts]
    return Batch(
        torch.from_numpy(np.stack(strips)),
        torch.tensor([i for target in targets for i in target], dtype=torch.long),
        torch.tensor([len(target) for target in targets], dtype=torch.long),
        tuple(texts),
    )


def bucketed(
    crops: Iterator[Crop],
    alphabet: Alphabet,
    preprocessing: Preprocessing,
    columns: int,
    pool: int = 512,
) -> Iterator[Batch]:
    """Batches of about `columns` pixel columns each; the same crops give the same batches.

    Takes `pool` crops at a time, sorts them by width and makes batches of the same padded width, so
    that there is almost no padding. Lines that are too narrow for their target are left out.
    """
    strips = ((fit(crop.image, preprocessing), crop.text) for crop in crops)
    return bucketed_strips(strips, alphabet, preprocessing, columns, pool)


def bucketed_strips(
    strips: Iterator[Strip],
    alphabet: Alphabet,
    preprocessing: Preprocessing,
    columns: int,
    pool: int = 512,
) -> Iterator[Batch]:
    """The same as `bucketed` for lines that are strips already, of any width, with their texts."""
    bucket, paper = preprocessing.bucket, preprocessing.paper
    while drawn := list(islice(strips, pool)):
        fitted = []
        for strip, text in drawn:
            if missing := -strip.shape[2] % bucket:
                strip = np.pad(strip, ((0, 0), (0, 0), (0, missing)), constant_values=paper)
            if steps_needed(alphabet.encode(text)) <= time_steps(strip.shape[2]):
                fitted.append((strip.shape[2], strip, text))
        batches = []
        fitted.sort(key=itemgetter(0))
        for width, group in groupby(fitted, itemgetter(0)):
            while part := list(islice(group, max(4, columns // width))):
                _, images, texts = zip(*part, strict=True)
                batches.append(collate(images, texts, alphabet))
        # Narrow and wide batches alternate: many batches of one width in a row disturb training.
        order = np.random.default_rng(len(fitted)).permutation(len(batches))
        yield from (batches[i] for i in order)
