"""`seqgan generate` and `seqgan score`."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from seqgan.cli.shared import DEVICE, STAGE_OPTION, THREAD_COUNT, found_again, model_of, reading_options
from seqgan.core.bounds import BEAMS, DRAWN, PATH, PROMPT, RESAMPLE, SEED, TEMPERATURE, TEXT, TOP_K, TOP_P
from seqgan.core.folder import is_saved_model
from seqgan.core.options import RUNS
from seqgan.data.reading import Reading
from seqgan.errors import UsageError

if TYPE_CHECKING:
    from seqgan.library import TrainedRun
    from seqgan.model import Generated, TextModel

# Options of what is drawn.
DRAWS = {"temperature", "top_k", "top_p", "resample", "accept", "resample_tokens", "distinct", "new", "seed"}


@click.command()
@click.argument("run", type=PATH, shell_complete=RUNS)
@click.option(
    "-n", "--count", "--num-return-sequences", "count", type=DRAWN, default=10, help="how many texts", show_default=True
)
@click.option("--prompt", type=PROMPT, default="", help="continue this text")
@click.option(
    "--label",
    "label",
    type=TEXT,
    multiple=True,
    help="write under this label; of several, or of all where none is given, each text has one drawn by frequency",
)
@click.option("--prompts", type=PATH, metavar="FILE", help="continue each text of a file, in its order, -n times each")
@click.option(
    "--temperature",
    type=TEMPERATURE,
    default=1.0,
    help="below 1: likelier and less varied; 0: greedy, always the likeliest token",
    show_default=True,
)
@click.option("--top-k", type=TOP_K, default=0, help="only the k likeliest tokens; 0: all", show_default=True)
@click.option(
    "--top-p",
    type=TOP_P,
    default=1.0,
    help="only the likeliest tokens of this total probability",
    show_default=True,
)
@click.option(
    "--beams",
    type=BEAMS,
    default=0,
    help="beam search of this width instead of draws: the likeliest texts first; at most as many as beams",
)
@click.option(
    "--resample",
    type=RESAMPLE,
    default=0,
    metavar="K",
    help="draw K texts and keep one, which the discriminator chooses; 0: draw one",
)
@click.option("--accept", is_flag=True, help="keep only draws that the discriminator lets pass (calibrated rejection)")
@click.option(
    "--resample-tokens", is_flag=True, help="let the discriminator (lstm, likelihood-ratio) reweight every next token"
)
@click.option("--distinct", is_flag=True, help="no text twice")
@click.option("--new", is_flag=True, help="no text that is in the training texts of RUN")
@click.option(
    "--seed",
    type=SEED,
    default=None,
    help="the same seed gives the same texts  [a new one, printed on stderr]",
)
@STAGE_OPTION
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line: text, tokens, ended (and label)")
@click.option("--output", type=PATH, help="write to this file instead of stdout")
@click.option("--overwrite", is_flag=True, help="replace the file that --output names")
@DEVICE
@THREAD_COUNT
@click.pass_context
def generate(
    context: click.Context,
    run: Path,
    count: int,
    prompt: str,
    label: tuple[str, ...],
    prompts: Path | None,
    temperature: float,
    top_k: int,
    top_p: float,
    beams: int,
    resample: int,
    accept: bool,
    resample_tokens: bool,
    distinct: bool,
    new: bool,
    seed: int | None,
    stage: str,
    as_json: bool,
    output: Path | None,
    overwrite: bool,
    device: str,
    threads: int,
) -> None:
    """Generate texts with the policy of RUN, one a line.

    With --resample or --accept its discriminator chooses among draws, with --resample-tokens it reweights every next
    token, before temperature and cuts; its logit is calibrated on the validation split.

    Texts of several lines are told apart by an empty line after each (by a line of % where texts hold empty lines)."""
    from seqgan.core import outputs
    from seqgan.core.device import use_threads
    from seqgan.data.texts import printed

    given = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if bool(resample) + accept + resample_tokens > 1:
        raise UsageError("--resample, --accept and --resample-tokens are three ways to decode: give one of them")
    if prompt and prompts:
        raise UsageError("--prompt and --prompts were given; give one of them")
    if beams and (drawing := sorted(given & DRAWS)):
        options = ", ".join("--" + name.replace("_", "-") for name in drawing)
        raise UsageError(f"--beams draws nothing, so it does not go with {options}; leave one of them out")
    write = outputs.writer(output, overwrite=overwrite) if output else None
    use_threads(threads)
    begun = _prompts_in(prompts) if prompts else [prompt]
    judged = bool(resample) or accept or resample_tokens
    need = "--resample, --accept and --resample-tokens need the validation texts"
    trained = _with_texts(run, device, need) if judged else None
    plain = trained.model(stage) if trained else model_of(run, stage, device, with_discriminator=False)
    model = trained.reweighted(stage=stage) if trained and resample_tokens else plain
    under = None if not label else label[0] if len(label) == 1 else label
    drawing_options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "distinct": distinct}
    if new:
        drawing_options["exclude"] = _with_texts(run, device, "--new needs the training texts").corpus().train
    chooser = None
    if trained and not resample_tokens:
        as_drawn = {"label": under, "temperature": temperature, "top_k": top_k, "top_p": top_p}
        chooser = drawing_options["choose"] = trained.chooser(resample, stage=stage, **as_drawn)
    _warn_if_unfinished(run, stage)
    fresh = seed is None
    seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    if beams:
        count = count if "count" in given else min(count, beams)
        written = model.generate_detailed(count, prompt=begun, label=under, beams=beams)
    else:
        written = model.generate_detailed(count, prompt=begun, label=under, seed=seed, **drawing_options)
    each = len(written) // len(begun)
    if as_json:
        rows = [(begun[number // each], item) for number, item in enumerate(written)]
        text = "".join(_as_json(start, item, named=bool(prompts)) + "\n" for start, item in rows)
    else:
        text, split_on = printed([item.text for item in written], several_lines=not model.tokenizer.unknown("\n"))
        if split_on != "line":
            click.echo(f"texts of several lines: read them again with --split-on {split_on}, or use --json", err=True)
    if write:
        write(text.encode())
    else:
        sys.stdout.write(text)
    if chooser:
        click.echo(chooser.told(), err=True)
    if resample_tokens:
        click.echo(_reweighted(model, plain, written, begun), err=True)
    if fresh and not beams and temperature:
        click.echo(f"drawn with a new seed; --seed {seed} draws the same texts again", err=True)


def _reweighted(model: "TextModel", plain: "TextModel", written: "Sequence[Generated]", prompts: list[str]) -> str:
    from seqgan.models.reweighted import ReweightedPolicy

    assert isinstance(model.policy, ReweightedPolicy)
    kl = model.kl_from(plain, written, prompts)
    return f"every token was reweighted: KL from the policy {kl:.4f} nats per token; slope {model.policy.slope:.3f}"


def _as_json(prompt: str, item: "Generated", *, named: bool) -> str:
    found = {name: value for name, value in item._asdict().items() if value is not None and name != "ids"}
    return json.dumps(({"prompt": prompt} if named else {}) | found, ensure_ascii=False)


def _prompts_in(path: Path) -> list[str]:
    """
    Raises:
        CorpusError: the file cannot be read, or holds no text."""
    from seqgan.data.readers import read_samples

    return read_samples(path)


def _with_texts(run: Path, device: str, need: str) -> "TrainedRun":
    """
    Raises:
        UsageError: a saved model, which does not hold its texts."""
    if is_saved_model(run):
        raise UsageError(f"{need}, which the saved model {run} does not hold; name a run")
    return found_again(run, device)


@click.command()
@click.argument("run", type=PATH, shell_complete=RUNS)
@click.argument("file", type=PATH)
@STAGE_OPTION
@reading_options
@click.option("--label", type=TEXT, help="the label of all texts, where RUN was trained on texts with labels")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@DEVICE
@THREAD_COUNT
def score(
    run: Path,
    file: Path,
    stage: str,
    reading: Reading,
    label: str | None,
    as_json: bool,
    device: str,
    threads: int,
) -> None:
    """Score the texts in FILE: their log-probability under the policy of RUN, and P(real) by its discriminator.

    One line a text: log-probability in nats, the same per token, tokens, unknown tokens, P(real), the text. --json adds
    the log-probability of every token (by_token), EOS included."""
    from seqgan.core.device import use_threads
    from seqgan.data.readers import read_samples

    use_threads(threads)
    model = model_of(run, stage, device)
    labels: list[str] = []
    texts = read_samples(file, reading, labels)
    if label and labels:
        raise UsageError("--label is that of all texts, and --label-column or --labels name one for each; give one")
    scored = model.score(texts, label=label or labels or None)
    if not as_json:
        click.echo("log_prob\tper_token\ttokens\tunknown\treal\ttext")
    for item in scored:
        if as_json:
            click.echo(json.dumps({**item._asdict(), "per_token": item.per_token}, ensure_ascii=False))
        else:
            real = "" if item.real is None else f"{item.real:.3f}"
            numbers = f"{item.log_prob:.3f}\t{item.per_token:.3f}\t{item.tokens}\t{item.unknown}\t{real}"
            shown = item.text.replace("\n", " ")  # --json has the line breaks
            click.echo(f"{numbers}\t{shown}")
    tokens = sum(item.tokens for item in scored)
    total = sum(item.log_prob for item in scored)
    unknown = sum(item.unknown for item in scored) / tokens
    click.echo(f"{len(scored)} texts, {-total / tokens:.4f} nats per token, {unknown:.1%} of them unknown", err=True)


def _warn_if_unfinished(folder: Path, stage: str) -> None:
    """Of a run whose training has not ended; a checkpoint by its number is meant as such."""
    from seqgan.runs import STAGES, progress

    if stage in STAGES and not is_saved_model(folder) and (message := progress(folder).get("unfinished")):
        click.echo(message, err=True)
