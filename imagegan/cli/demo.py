"""`imagegan demo`. What it imports at the top must not import torch."""

from pathlib import Path

import click

from imagegan.cli.options import DEVICE, RUN, STAGE
from seqgan.core.options import HOST, PORT


@click.command()
@RUN
@STAGE
@HOST
@PORT
@DEVICE
def demo(run: Path, stage: str, host: str, port: int, device: str) -> None:
    """Try the generator of RUN in a browser: a page on this machine, until Ctrl-C.

    A grid of samples, of all classes or of one; sliders along the directions of the noise that change the images most,
    and along the codes; a walk between two pictures of the grid. RUN may be a saved model. Needs gradio: pip install
    "seqgan[demo]". The page asks nothing of the network; who reaches --host can use it, without a password."""
    from seqgan.core import demo as served

    served.prepare()
    from imagegan.demo import page
    from imagegan.pretrained import opened
    from seqgan.core.device import resolve

    model = opened(run, stage, resolve(device))
    with served.listen(host, port) as server:
        blocks = page(model, run.resolve().name)
        click.echo(f"the demo is at {served.address(server)} (Ctrl-C ends it)")
        served.serve(blocks, server)
