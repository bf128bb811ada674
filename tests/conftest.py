from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from ocrkit.recognition.network import CRNN
    from ocrkit.synth.fonts import Font
    from ocrkit.training.batches import Batch

# A shared machine may stall for longer than hypothesis lets one example take.
settings.register_profile("ocrkit", deadline=None)
settings.load_profile("ocrkit")


@pytest.fixture(scope="session")
def few_fonts() -> tuple[Font, ...]:
    """Fonts that come with the locked packages, few enough to be looked through in no time."""
    from ocrkit.synth.fonts import find_fonts

    wanted = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "Lato-Regular")
    fonts = tuple(font for font in find_fonts() if font.name in wanted)
    assert len(fonts) == len(wanted)
    return fonts


@pytest.fixture
def only_few_fonts(few_fonts: tuple[Font, ...], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The line generator finds no other fonts than these."""
    from ocrkit.synth import fonts, lines

    found = (fonts.by_kind, lines._reference_fonts)
    for known in found:
        known.cache_clear()
    monkeypatch.setattr(fonts, "find_fonts", lambda: few_fonts)
    monkeypatch.setattr(lines, "find_fonts", lambda: few_fonts)
    yield
    for known in found:
        known.cache_clear()


@dataclass(frozen=True)
class Memorised:
    """A small network after it has seen the same eight lines again and again."""

    model: CRNN
    crops: tuple[np.ndarray, ...]
    batch: Batch


@pytest.fixture(scope="session")
def memorised(few_fonts: tuple[Font, ...]) -> Memorised:
    import torch
    from PIL import Image, ImageDraw

    from ocrkit.image import fit
    from ocrkit.recognition.alphabet import Alphabet
    from ocrkit.recognition.ctc import greedy_batch
    from ocrkit.recognition.network import CRNN, ModelConfig
    from ocrkit.training.batches import collate
    from ocrkit.training.losses import ctc_loss

    texts = ("3 mai", "Œuvre", "No. 7", "ſt et", "£ 4,10", "tommy", "MUSÉE", "a b c")
    face = next(font for font in few_fonts if font.name == "DejaVuSerif").at(24)

    def draw(text: str) -> np.ndarray:
        sheet = Image.new("L", (96, 32), 240)
        ImageDraw.Draw(sheet).text((48, 24), text, 20, face, anchor="ms")
        return np.asarray(sheet)

    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that sums are rounded the same in each run
    crops = tuple(draw(text) for text in texts)
    alphabet = Alphabet("".join(sorted(set("".join(texts)))))
    model = CRNN(ModelConfig(0.125, 96, "all"), alphabet)
    batch = collate([fit(crop, model.preprocessing) for crop in crops], texts, alphabet)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3, betas=(0.9, 0.99))
    for step in range(800):
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / 800)
        loss = ctc_loss(model.train()(batch.images), batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        if step % 10 == 9 and loss.item() < 0.01:
            with torch.inference_mode():
                logits = model.eval()(batch.images).numpy()
            if tuple(d.text for d in greedy_batch(logits, alphabet)) == texts:
                break
    torch.set_num_threads(threads)
    return Memorised(model.eval(), crops, batch)
