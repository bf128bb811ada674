from __future__ import annotations

import csv
import math
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ocrkit.errors import CheckpointError
from ocrkit.metrics import cer
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import greedy_batch
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.runtime.pytorch import fast_bfloat16
from ocrkit.training import pretrain as module
from ocrkit.training import run
from ocrkit.training.batches import Batch
from ocrkit.training.losses import ctc_loss
from ocrkit.training.pretrain import PretrainConfig, pretrain
from ocrkit.training.run import learning_rate

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
def each_look_at_the_clock_takes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "fast_bfloat16", lambda device: False)  # alike on any machine
    ticks = count(100.0)
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(ticks)))


quick = pytest.mark.usefixtures("only_few_fonts", "each_look_at_the_clock_takes_a_second")


def log_of(folder: Path) -> list[dict[str, float]]:
    with (folder / "log.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def state_of(folder: Path) -> dict:
    return torch.load(folder / "state.pt", weights_only=True)


def run_of(config: PretrainConfig) -> run._Run:
    task = module.RecognizerTask(CRNN(config.model, Alphabet("ab")), replace(config, held_out=0))
    return run._Run(task, torch.device("cpu"), None)


def batch_of(labels: list[list[int]]) -> Batch:
    flat = torch.tensor([c for label in labels for c in label])
    lengths = torch.tensor([len(label) for label in labels])
    return Batch(torch.zeros(len(labels), 1, 32, 8), flat, lengths, ("?",) * len(labels))


# --- it learns


def test_eight_lines_are_memorised_to_the_last_character(memorised):
    assert len(memorised.crops) == 8
    with torch.inference_mode():
        logits = memorised.model(memorised.batch.images).numpy()
    readings = [decoded.text for decoded in greedy_batch(logits, memorised.model.alphabet)]
    assert cer(memorised.batch.texts, readings) == 0


def test_loss_is_that_of_all_paths_a_character():
    # Three classes, all as likely, two steps. "a": aa a- -a, 3 of 9 paths, so ln 3 for its one
    # character. "ab": 1 of 9, so ln 9 for two. Both are ln 3 a character.
    logits = torch.zeros(2, 2, 3)
    assert ctc_loss(logits, batch_of([[1], [1, 2]])).item() == pytest.approx(math.log(3))
    # With probabilities 1/2, 1/4, 1/4 (blank, a, b): "b" is bb b- -b, 5 of 16.
    logits = torch.tensor([2.0, 1.0, 1.0]).log().expand(2, 1, 3)
    assert ctc_loss(logits, batch_of([[2]])).item() == pytest.approx(math.log(16 / 5))


def test_a_label_that_cannot_be_reached_does_not_spoil_the_loss():
    loss = ctc_loss(torch.zeros(2, 2, 3), batch_of([[1, 1], [1]]))  # "aa" takes three steps
    assert loss.item() == pytest.approx(math.log(3) / 2)


def test_loss_is_computed_in_float32_whatever_the_network_computed_in():
    loss = ctc_loss(torch.zeros(2, 1, 3, dtype=torch.bfloat16), batch_of([[1]]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(3))


@pytest.mark.parametrize(
    ("steps", "share", "expected"),
    [
        (0, 0.0, 0.1),  # the first of ten steps of warm-up
        (4, 0.0, 0.5),
        (9, 0.0, 1.0),
        (500, 0.0, 1.0),
        (500, 0.5, 0.505),  # half-way between 1 and 0.01
        (500, 1 / 3, 0.7525),  # cos 60 degrees is 1/2
        (500, 1.0, 0.01),
        (500, 1.7, 0.01),
        (4, 1.0, 0.005),
    ],
)
def test_learning_rate_warms_up_and_falls_by_half_a_cosine(steps, share, expected):
    config = PretrainConfig(lr=2.0, warmup=10)
    assert learning_rate(config, steps, share) == pytest.approx(2 * expected)


def test_average_forgets_quickly_at_first_and_slowly_later():
    run = run_of(replace(TINY, decay=0.9))

    def averaged(steps: int) -> float:
        with torch.no_grad():
            run.average.conv1.bias.fill_(0.0)
            run.model.conv1.bias.fill_(1.0)
        run.steps = steps
        run._average()
        return run.average.conv1.bias[0].item()

    assert averaged(1) == pytest.approx(1 - 2 / 11)
    assert averaged(8) == pytest.approx(1 - 9 / 18)
    assert averaged(10_000) == pytest.approx(0.1)


def test_average_covers_the_statistics_of_batch_norm_and_takes_no_gradient():
    run = run_of(TINY)
    run.model.bn1.running_mean.fill_(5.0)
    run.steps = 1
    run._average()
    assert run.average.bn1.running_mean[0].item() == pytest.approx(5 * (1 - 2 / 11))
    assert not any(p.requires_grad for p in run.average.parameters())
    assert not run.average.training


@pytest.mark.parametrize("half", [False, True])
def test_a_step_lowers_the_loss_of_its_own_batch(half):
    torch.manual_seed(0)
    run = run_of(replace(TINY, warmup=1, lr=0.01))
    images = torch.rand(4, 1, 32, 32)
    batch = Batch(images, torch.tensor([1, 2] * 4), torch.tensor([2] * 4), ("ab",) * 4)
    run.half = half
    losses = [run.step(batch, 0.0) for _ in range(8)]
    assert losses[-1] < losses[0]
    assert (run.steps, run.crops) == (8, 32)


def test_bfloat16_is_taken_where_the_processor_computes_it():
    flags = Path("/proc/cpuinfo").read_text()
    expected = "avx512_bf16" in flags or "amx_tile" in flags
    assert fast_bfloat16(torch.device("cpu")) is expected


# --- a run, and the next


@quick
def test_a_run_leaves_a_checkpoint_a_log_and_its_state(tmp_path):
    checkpoint = pretrain(tmp_path / "run", TINY, progress=False)
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
    assert files == {"log.csv", "model.safetensors", "state.pt"}


@quick
def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
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
def test_a_budget_that_is_spent_trains_no_more(tmp_path):
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
def test_a_new_run_begins_with_the_weights_it_is_given(tmp_path):
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
def test_a_new_run_widens_the_weights_it_is_given_to_the_size_that_is_asked_for(tmp_path):
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
def test_held_out_lines_are_the_same_each_time_and_none_of_training_s():
    model = CRNN(TINY.model)
    first, again = (module.RecognizerTask(model, TINY).held_out for _ in range(2))
    assert sum(len(batch.texts) for batch in first) > TINY.held_out // 2
    assert all(torch.equal(a.images, b.images) for a, b in zip(first, again, strict=True))
    other = module.RecognizerTask(model, replace(TINY, seed=1)).held_out
    assert [batch.texts for batch in first] != [batch.texts for batch in other]
    make = module.Curriculum(TINY.seed, 0, TINY.max_chars)
    trained = {make(i).text for i in range(TINY.held_out) if len(make(i).text) > 4}
    assert not trained & {text for batch in first for text in batch.texts}
