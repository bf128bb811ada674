from __future__ import annotations

import numpy as np
from lxml import html

from ocrkit.measure.lines import calibration, score_rows, write_line_report
from ocrkit.training.evaluation import Evaluation

EVALUATION = Evaluation(
    ("an old mill", "<b>7</b>", "right"),
    ("an olb mill", "1", "right"),
    (0.9, 0.4, 1.0),
    ((1.0, 0.8, 0.9), (0.4,), (1.0,)),
)


def test_each_score_has_its_interval():
    rows = {name: (float(value), interval) for name, value, interval in score_rows(EVALUATION)}
    assert rows["CER"][0] == round(EVALUATION.cer, 4)
    assert rows["lines exact"][0] == 0.3333
    assert all(" to " in rows[name][1] for name in ("CER", "WER", "lines exact"))


def test_calibration_is_of_words():
    error, bins = calibration(EVALUATION)
    assert sum(row.count for row in bins) == 5
    assert 0 < error < 1


def test_the_report_shows_the_wrong_lines_with_their_pictures_the_worst_first(tmp_path):
    crops = [np.full((30, 90), 200, np.uint8)] * 3
    path = write_line_report(
        EVALUATION, crops, ["p1 & co", "p2", "p3"], tmp_path / "new" / "r.html"
    )
    page = html.fromstring(path.read_text("utf-8"))
    sections = page.xpath("//section")
    assert [s.xpath("string(div)").partition(":")[0] for s in sections] == ["p2", "p1 & co"]
    assert all(s.xpath("img/@src")[0].startswith("data:image/png;base64,") for s in sections)
    assert sections[0].xpath("string(p)") == "<b>7</b>"
    assert [row.xpath("string(td[2])") for row in page.xpath("//table[2]//tr[td]")]
    assert not page.xpath("//script")
