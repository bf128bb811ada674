"""The command line: `ocrkit read`, `search`, `recognize`, `train`, `evaluate` and others.

Slow imports are left to the command that needs them, so that every command starts at once.
"""

from __future__ import annotations

import typer

from ocrkit.cli.checking import benchmark, doctor
from ocrkit.cli.learning import evaluate, pretrain, train
from ocrkit.cli.reading import read, recognize, search

app = typer.Typer(
    help="Read historical documents on an ordinary CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (read, recognize, search, doctor, benchmark, evaluate, train, pretrain):
    app.command()(command)
