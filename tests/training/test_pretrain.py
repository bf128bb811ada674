from __future__ import annotations

import csv
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ocrkit.errors import CheckpointError
from ocrkit.metrics import cer
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import greedy_batch
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.synth.lines import LineGenerator
from ocrkit.training import pretrain as module
from ocrkit.training import run
from ocrkit.training.pretrain import Curriculum, PretrainConfig, pretrain

TINY = PretrainConfig(
    model=ModelConfig(0.125, 16, "all"),
    minutes=6 / 60,
    columns=512,
    warmup=5,
    max_chars=12,
    workers=0,
    evaluate_every=2 / 60,
    held_out=24,
)


@pytest.fixture
def clock_of_one_second_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "fast_bfloat16", lambda device: False)  # alike on any machine
    ticks = count(100.0)
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(ticks)))


quick = pytest.mark.usefixtures("only_few_fonts", "clock_of_one_second_a_call")


def log_of(folder: Path) -> list[dict[str, float]]:
    with (folder / "log.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def state_of(folder: Path) -> dict:
    return torch.load(folder / "state.pt", weights_only=True)


def test_eight_lines_can_be_memorised(memorised):
    assert len(memorised.crops) == 8
    with torch.inference_mode():
        logits = memorised.model(memorised.batch.images).numpy()
    readings = [decoded.text for decoded in greedy_batch(logits, memorised.model.alphabet)]
    assert cer(memorised.batch.texts, readings) == 0


@quick
def test_a_run_leaves_a_checkpoint_a_log_and_its_state(tmp_path):
    checkpoint = pretrain(tmp_path / "run", replace(TINY, name="mine"), progress=False)
    model = CRNN.load(checkpoint)
    assert model.config == TINY.model
    assert model.alphabet == Alphabet()
    rows = log_of(tmp_path / "run")
    assert len(rows) > 1
    assert rows[-1]["steps"] > rows[0]["steps"] > 0
    assert rows[-1]["crops"] > rows[-1]["steps"]
    assert all(row["loss"] > 0 and 0 <= row["accuracy"] <= 1 for row in rows)
    assert 0.1 <= rows[-1]["minutes"] <= 0.15

    assert model.provenance["held_out"] == rows[-1]
    assert model.provenance["pretraining"]["seed"] == 0
    state = state_of(tmp_path / "run")
    assert state["counters"]["steps"] == rows[-1]["steps"]
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, state["average"][name], rtol=2**-11, atol=6e-8)
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == {"log.csv", "mine.safetensors", "state.pt"}


@quick
def test_a_stopped_run_is_resumed(tmp_path, monkeypatch):
    pretrain(tmp_path, TINY, progress=False)
    before, rows = state_of(tmp_path)["counters"], log_of(tmp_path)

    starts = []
    batches = module.stream_batches

    def spy(stream, workers):
        starts.append(stream.start)
        return batches(stream, workers)

    monkeypatch.setattr(module, "stream_batches", spy)
    pretrain(tmp_path, replace(TINY, minutes=12 / 60), progress=False)
    after, more = state_of(tmp_path)["counters"], log_of(tmp_path)
    assert starts == [before["crops"]]
    assert after["steps"] > before["steps"]
    assert after["crops"] > before["crops"]
    assert 12 <= after["seconds"] < 15
    assert more[: len(rows)] == rows
    steps = [row["steps"] for row in more]
    assert steps == sorted(set(steps))
    assert len(steps) > len(rows)


@quick
def test_a_spent_budget_trains_no_more(tmp_path):
    path = pretrain(tmp_path, TINY, progress=False)
    before = path.read_bytes(), (tmp_path / "log.csv").read_text()
    assert pretrain(tmp_path, TINY, progress=False) == path
    assert (path.read_bytes(), (tmp_path / "log.csv").read_text()) == before


@quick
def test_state_of_another_model_is_refused_and_kept(tmp_path):
    pretrain(tmp_path, TINY, progress=False)
    before = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(CheckpointError, match="'hidden': 16.*'hidden': 24.*another folder"):
        pretrain(tmp_path, replace(TINY, model=ModelConfig(0.125, 24, "all")), progress=False)
    assert (tmp_path / "state.pt").read_bytes() == before
    other = CRNN(TINY.model, Alphabet("abc")).save(tmp_path / "abc.safetensors")
    with pytest.raises(CheckpointError, match="'classes': 4"):
        pretrain(tmp_path, TINY, other, progress=False)


@quick
def test_a_new_run_starts_from_the_given_weights(tmp_path):
    torch.manual_seed(9)
    model = CRNN(ModelConfig(0.125, 24, "all"), Alphabet(), provenance={"who": "the first"})
    start = model.save(tmp_path / "start.safetensors")
    # Without a learning rate they stay; no model in the settings leaves theirs.
    settled = replace(TINY, model=None, lr=0.0, minutes=1 / 60)
    trained = CRNN.load(pretrain(tmp_path / "run", settled, start, progress=False))
    assert trained.config == model.config
    assert trained.provenance["start_from"] == str(start)
    for name, value in CRNN.load(start).named_parameters():
        torch.testing.assert_close(dict(trained.named_parameters())[name], value)


@quick
def test_the_weights_to_start_from_are_widened_to_the_given_size(tmp_path):
    torch.manual_seed(9)
    small = CRNN(ModelConfig(0.125, 8, "all"), Alphabet()).eval()
    start = small.save(tmp_path / "start.safetensors", half=False)
    settled = replace(TINY, lr=0.0, minutes=1 / 60)
    trained = CRNN.load(pretrain(tmp_path / "run", settled, start, progress=False))
    assert trained.config == TINY.model
    kept = trained.conv5.weight[:64, :64].detach()
    torch.testing.assert_close(kept, small.conv5.weight.detach().half().float())
    narrow = replace(TINY, model=ModelConfig(0.125, 4, "all"))
    with pytest.raises(CheckpointError, match="hidden=4.*hidden=8.*no smaller"):
        pretrain(tmp_path / "other", narrow, start, progress=False)
    assert not (tmp_path / "other").exists() or not list((tmp_path / "other").iterdir())


@quick
def test_the_weights_to_start_from_learn_the_new_characters_of_the_alphabet(tmp_path):
    torch.manual_seed(9)
    characters = Alphabet().characters
    old = CRNN(TINY.model, Alphabet(characters[:192])).eval()
    start = old.save(tmp_path / "start.safetensors", half=False)
    settled = replace(TINY, lr=0.0, minutes=1 / 60)
    trained = CRNN.load(pretrain(tmp_path / "run", settled, start, progress=False))
    assert trained.alphabet == Alphabet()
    known = trained.rnn[1].embedding.weight[:193].detach()
    torch.testing.assert_close(known, old.rnn[1].embedding.weight.detach().half().float())


@quick
def test_strips_have_the_height_that_the_settings_ask_for(tmp_path):
    tall = replace(TINY, height=40, minutes=1 / 60)
    assert CRNN.load(pretrain(tmp_path, tall, progress=False)).preprocessing.height == 40
    with pytest.raises(CheckpointError, match="'height': 40"):  # the run cannot change it
        pretrain(tmp_path, replace(TINY, minutes=2 / 60), progress=False)
    with pytest.raises(ValueError, match="32 to 47 rows"):
        pretrain(tmp_path / "other", replace(TINY, height=64), progress=False)


@quick
def test_a_run_on_real_lines_is_judged_by_lines_of_books_that_it_does_not_train_on(
    tmp_path, packed, monkeypatch
):
    held_out = {"antiqua-fr-book1"}
    monkeypatch.setattr(module, "held_out_books", lambda names: held_out)
    mixed = replace(TINY, lines=str(packed.folder), real=1.0)
    task = module.RecognizerTask(CRNN(TINY.model), mixed)
    texts = {"un pou- deux", "zwei Männer hier"}
    assert {task.real.packed.texts[i] for i in task.real.lines} == texts
    assert {text for batch in islice(task.batches(0), 40) for text in batch.texts} == texts
    assert [batch.texts for batch in task.held_out_real_batches] == [("trois",)]
    pretrain(tmp_path / "run", mixed, progress=False)
    assert log_of(tmp_path / "run")[-1].keys() >= {"cer", "accuracy", "real_cer", "real_accuracy"}
    data = CRNN.load(tmp_path / "run" / "model.safetensors").provenance["data"]
    assert data.endswith("and 2 real lines")


@quick
def test_the_validation_set_is_always_the_same_and_not_used_for_training():
    model = CRNN(TINY.model)
    first, again = (module.RecognizerTask(model, TINY).held_out for _ in range(2))
    assert sum(len(batch.texts) for batch in first) > TINY.held_out // 2
    assert all(torch.equal(a.images, b.images) for a, b in zip(first, again, strict=True))
    other = module.RecognizerTask(model, replace(TINY, seed=1)).held_out
    assert [batch.texts for batch in first] != [batch.texts for batch in other]
    make = module.Curriculum(TINY.seed, 0, TINY.max_chars)
    trained = {make(i).text for i in range(TINY.held_out) if len(make(i).text) > 4}
    assert not trained & {text for batch in first for text in batch.texts}


@pytest.mark.usefixtures("only_few_fonts")
def test_a_crop_of_the_curriculum_depends_on_seed_and_index_alone():
    first = {i: Curriculum(3, ramp=100)(i) for i in (0, 7, 50, 400)}
    for i in (400, 7, 0, 50):
        again = Curriculum(3, ramp=100)(i)
        assert again.text == first[i].text
        np.testing.assert_array_equal(again.image, first[i].image)
    assert any(
        Curriculum(4, ramp=100)(i).image.shape != first[i].image.shape for i in (0, 7, 50, 400)
    )


@pytest.mark.usefixtures("only_few_fonts")
def test_lines_get_longer_up_to_the_limit():
    make = Curriculum(0, ramp=10_000, max_chars=40)
    early = [len(make(i).text) for i in range(40)]
    late = [len(make(i).text) for i in range(20_000, 20_040)]
    assert max(early) <= 6
    assert 20 < max(late) <= 40


def test_damage_grows_over_the_ramp(monkeypatch):
    severities = []

    def spy(seed: int, max_chars: int, severity: float):
        severities.append((max_chars, round(severity, 3)))
        return lambda index: None

    monkeypatch.setattr(module, "LineGenerator", spy)
    make = Curriculum(0, ramp=1000, max_chars=56)
    for index in (0, 500, 1000, 5000):
        make(index)
    Curriculum(0, ramp=0, max_chars=56)(0)
    assert severities == [(6, 0.3), (31, 0.65), (56, 1.0), (56, 1.0), (56, 1.0)]


@pytest.mark.usefixtures("only_few_fonts")
def test_after_the_ramp_the_curriculum_is_the_plain_generator():
    a, b = Curriculum(5, ramp=10, max_chars=30)(77), LineGenerator(5, 30, 1.0)(77)
    assert a.text == b.text
    np.testing.assert_array_equal(a.image, b.image)


@pytest.mark.parametrize("content", [b"", b"no state", None])
def test_a_damaged_state_is_refused_and_kept(tmp_path, content):
    state = tmp_path / "state.pt"
    if content is None:  # the first half of a real one
        torch.save({"model": CRNN(TINY.model).state_dict()}, state)
        content = state.read_bytes()[: state.stat().st_size // 2]
    state.write_bytes(content)
    with pytest.raises(CheckpointError, match="state.pt is not a training state .* to start anew$"):
        pretrain(tmp_path, TINY, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
    assert state.read_bytes() == content
