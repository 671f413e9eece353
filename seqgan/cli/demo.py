"""`seqgan demo`. What it imports at the top must not import torch."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqgan.cli.shared import DEVICE, model_of
from seqgan.core.bounds import PATH
from seqgan.core.folder import is_saved_model
from seqgan.core.options import HOST, PORT, RUNS

if TYPE_CHECKING:
    from seqgan.model import TextModel


@click.command()
@click.argument("runs", metavar="RUN...", type=PATH, shell_complete=RUNS, nargs=-1, required=True)
@HOST
@PORT
@DEVICE
def demo(runs: tuple[Path, ...], host: str, port: int, device: str) -> None:
    """Try the policies of RUN, or of several runs, in a browser: a page on this machine, until Ctrl-C.

    Texts to a prompt, the stages of the runs side by side, with the probability of each token and the discriminator's
    verdict; a click on a token writes on from there. RUN may be a saved model. Needs gradio: pip install
    "seqgan[demo]". The page asks nothing of the network; who reaches --host can use it, without a password."""
    from seqgan.core import demo as served

    served.prepare()
    from seqgan.demo import page

    models = _models(runs, device)
    for model in models.values():
        model()  # a damaged run is an error of the command
    with served.listen(host, port) as server:
        click.echo(f"the demo is at {served.address(server)} (Ctrl-C ends it)")
        served.serve(page(models), server)


def _models(runs: tuple[Path, ...], device: str) -> "Mapping[str, Callable[[], TextModel]]":
    """The models of all stages, by the names of their columns."""
    from seqgan.core.page import names_of
    from seqgan.runs import describe_run, stages_of

    folders, found = list(dict.fromkeys(runs)), {}
    for name, folder in zip(names_of(folders), folders, strict=True):
        saved = is_saved_model(folder)
        for stage in ["final"] if saved else stages_of(describe_run(folder)):
            found[name if saved else f"{name} {stage}"] = cache(partial(model_of, folder, stage, device))
    return found
