"""The command `psgimg space`."""

from __future__ import annotations

from pathlib import Path

import click
from psgimg.builder.command_options import OUT
from psgimg.builder.console import open_console, styled
from psgimg.builder.files import quoting
from psgimg.finetune import optional_dependencies


@click.command()
@click.option("--model", required=True, metavar="ID", help="Model on the Hub, trained by psgimg.")
@click.option("--out", type=OUT, required=True, help="Output folder.")
def space(model: str, out: Path) -> None:
    """Write a Space for the Hub: a web page that stages the recording dropped on it."""
    optional_dependencies.require()
    from psgimg.finetune.space import space as spaces

    written = spaces.write(model, out)
    console = open_console()
    name, folder = f"{model}-stages", quoting.shell(out)
    private = " --private" if written.private else ""
    console.print(styled((str(out), "bold"), " is ready. Next:"))
    console.print(f"  hf repos create {name} --type space --sdk docker{private}")
    console.print(f"  hf upload {name} {folder} . --type space")
    if written.private:
        console.print(f"Keep it private: {written.private}")
