"""Options that both command lines share: hyper-parameters, where a run lies and how it is carried out, completion."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqgan.core.bounds import COUNT, PATH, SECONDS, SEED, STEPS, TEXT, THREADS, YES_NO, Repeated, Whole
from seqgan.core.config import Chosen, Dataclass, Parameter, choose_config, nearest, parameters, read_config_file
from seqgan.errors import SeqGANError, UsageError, quoted

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from seqgan.core.starting import Machine, RunRequest

LICENCE = click.option(
    "--license", "licence", type=TEXT, default="unknown", help="for the model card: cc0-1.0, mit ...", show_default=True
)
HOST = click.option(
    "--host", type=TEXT, default="127.0.0.1", help="where to listen; 0.0.0.0 lets others in", show_default=True
)
PORT = click.option("--port", type=Whole(0, 65535), default=7860, help="0: any that is free", show_default=True)
Complete = Callable[[click.Context, click.Parameter, str], list["CompletionItem"]]


def completing(names: Callable[[click.Context, str], Iterable[str]], *, files: bool = True) -> Complete:
    """Shell completion of an option: the names that begin with what is typed, else files."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list["CompletionItem"]:
        from click.shell_completion import CompletionItem

        with contextlib.suppress(SeqGANError, OSError):  # completion reports no errors
            if found := [name for name in names(ctx, incomplete) if name.startswith(incomplete)]:
                return [CompletionItem(name) for name in found]
        return [CompletionItem(incomplete, type="file")] if files else []

    return complete


def runs(ctx: click.Context, incomplete: str) -> list[str]:
    """The runs of the package whose command is typed, in `runs` and in the folder that is typed."""
    ours = f'"package": "{ctx.find_root().command.name}"'
    parents = dict.fromkeys([Path("runs"), Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent])
    found = {path for parent in parents for path in parent.glob("*/run.json") if path.is_file()}
    return sorted(str(path.parent) for path in found if ours in path.read_text(encoding="utf-8", errors="replace"))


RUNS = completing(runs)


def stages(run: Path | None, names: Sequence[str]) -> list[str]:
    """The names of stages, and the numbers of the checkpoints of a run."""
    from seqgan.core.folder import checkpoints

    return [*names, *map(str, checkpoints(run) if run else ())]


def completing_stages(*names: str) -> Complete:
    """Of the run that stands before, which click leaves among the arguments while the option has no value."""

    def of_run(ctx: click.Context, incomplete: str) -> list[str]:
        run = ctx.params.get("run") or next(iter(ctx.args), None)
        return stages(Path(run) if run else None, names)

    return completing(of_run, files=False)


# --- options that are hyper-parameters

ADVERSARIAL, RUN = "Adversarial training", "Run"


class ConfiguredCommand(click.Command):
    """A command whose options are the fields of the config that another option (`--algorithm`, `--model`) chooses.

    That option, the chooser, is read first: an option of another choice is an error that names its owner. Where nothing
    is chosen, --help shows a page: of the hyper-parameters the main ones alone."""

    def __init__(
        self,
        *args: Any,
        chooser: str,
        configs: Mapping[str, type[Dataclass]],
        presets: Mapping[str, Mapping[str, Any]],
        usual: str,
        headings: Mapping[str, Sequence[str]],
        shown: Collection[str],
        **kwargs: Any,
    ) -> None:
        """`headings` are those of --help, with the names of their options. Other options of a run and hyper-parameters
        have one each. `shown` are the hyper-parameters that --help always shows."""
        super().__init__(*args, **kwargs)
        self.chooser, self.configs, self.presets, self.usual = chooser, configs, presets, usual
        self.headings, self.shown = headings, shown

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        chosen = self._choice(args)
        ctx.meta["choice"], ctx.meta["chosen"] = chosen or self.usual, chosen is not None
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.lstrip("-").removeprefix("no-").replace("-", "_")
            owners = [choice for choice, config in self.configs.items() if name in {p.name for p in parameters(config)}]
            if owners:
                raise click.UsageError(
                    f"{error.option_name} belongs to {self.chooser} {' and '.join(owners)}, "
                    f"not to {ctx.meta['choice']}",
                    ctx,
                ) from error
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of --help, below headings."""
        hyper = {parameter.name for parameter in parameters(self.configs[ctx.meta.get("choice", self.usual)])}
        owners = {name: heading for heading, names in self.headings.items() for name in names}
        rows: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (*self.headings, ADVERSARIAL, RUN)}
        hidden: set[str] = set() if ctx.meta.get("chosen") else hyper - set(self.shown)
        for param in self.get_params(ctx):
            if param.name not in hidden and (record := param.get_help_record(ctx)):
                usual = ADVERSARIAL if param.name in hyper else RUN
                rows[owners.get(param.name or "", usual)].append(record)
        for heading, records in rows.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        choice = ctx.meta.get("choice", self.usual)
        preset = self.presets.get(choice, {}).get("default", {})
        return [*super().get_params(ctx), *(_as_option(p, preset) for p in parameters(self.configs[choice]))]

    def _choice(self, args: Sequence[str]) -> str | None:
        """The value of the chooser among the arguments, in a config file they name, or in the run they resume."""
        given = _scan(args, self.chooser)
        if given is None and (file := _scan(args, "--config")) is not None:
            given = read_config_file(_place(file, "--config")).get(self.chooser.lstrip("-"))
        if given is None and (resumed := _scan(args, "--resume")) is not None:
            folder = _place(resumed, "--resume")
            if (folder / "run.json").is_file():
                from seqgan.core.folder import describe

                description = describe(folder)
                given = description.get("algorithm")
                if not isinstance(given, str) or given not in self.configs:
                    package = description.get("package")
                    raise click.UsageError(f"{folder} is a run of {package}, with {self.chooser} {given}")
        if given is not None and (not isinstance(given, str) or given not in self.configs):
            raise click.BadParameter(
                f"there is no {quoted(given)}{nearest(str(given), self.configs)}", param_hint=self.chooser
            )
        return given


def _place(path: str, option: str) -> Path:
    try:
        return PATH.convert(path, None, None)
    except click.BadParameter as error:
        error.param_hint = option
        raise


def _scan(args: Sequence[str], option: str) -> str | None:
    for index, arg in enumerate(args):
        if arg == option and index + 1 < len(args):
            return args[index + 1]
        if arg.startswith(option + "="):
            return arg.split("=", 1)[1]
    return None


def _as_option(parameter: Parameter, preset: Mapping[str, Any]) -> click.Option:
    usual = preset.get(parameter.name, parameter.default)
    shown = _show(usual) if usual == parameter.default else f"{_show(usual)}; paper: {_show(parameter.default)}"
    names = [parameter.option]
    if parameter.type is YES_NO:
        names = [f"{parameter.option}/--no-{parameter.option[2:]}"]
    help = f"{parameter.help}  [{shown}]"
    if isinstance(parameter.type, Repeated):  # none is None, as of any option that is not given
        one, given = parameter.type.of, lambda ctx, param, values: values or None
        return click.Option(names, type=one, multiple=True, default=None, callback=given, help=help)
    return click.Option(names, type=parameter.type, default=None, help=help)


def _show(value: Any) -> str:
    return ",".join(map(str, value)) or "none" if isinstance(value, tuple | list) else str(value)


# --- options that travel together


def packed(kind: type[Any], name: str, options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Callable[..., Any]]:
    """Adds options to a command, which gets them as one argument of this name: a NamedTuple or a dataclass that has a
    field for each."""
    known = list(inspect.signature(kind).parameters)

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_one(*args: Any, **kwargs: Any) -> Any:
            given = kind(**{field: kwargs.pop(field) for field in known})
            return command(*args, **{name: given}, **kwargs)

        return functools.reduce(lambda made, option: option(made), reversed(options), with_one)

    return add


# --- options of runs


@dataclass(frozen=True)
class RunOptions:
    """The folder of a run and how it is carried out. Of these, seed and threads belong to what the run is."""

    seed: int | None
    run_dir: Path | None
    resume: Path | None
    overwrite: bool
    preset: str | None
    config: Path | None
    device: str
    threads: int
    save_seconds: float
    save_steps: int
    keep: int
    quiet: bool
    tensorboard: bool
    wandb: str | None

    def request(self, choice: str) -> "RunRequest":
        """The run that these options name.

        Raises:
            UsageError: --resume stands beside --run-dir or --overwrite."""
        from seqgan.core.starting import RunRequest

        if self.resume and (self.run_dir or self.overwrite):
            raise UsageError("--resume names the run itself; leave out --run-dir and --overwrite")
        return RunRequest(
            choice, self.resume or self.run_dir, self.resume is not None, self.overwrite, self.seed, self.threads
        )

    def choose(
        self, choice: str, config: type[Dataclass], presets: Mapping[str, Any], typed: Mapping[str, Any]
    ) -> Chosen:
        """The hyper-parameters from the preset, the config file and the command line."""
        return choose_config(choice, config, presets, preset=self.preset, file=self.config, typed=typed)

    def machine(self) -> "Machine":
        """How the run is carried out. Raises a UsageError for a missing device or package before anything is made."""
        from seqgan.core.device import resolve
        from seqgan.core.log import Display, progress_display
        from seqgan.core.loggers import Logger, TensorBoard, WandB
        from seqgan.core.starting import Machine

        loggers: list[Logger] = [TensorBoard()] if self.tensorboard else []
        if self.wandb:
            loggers.append(WandB(self.wandb))
        display = Display() if self.quiet else progress_display()
        return Machine(resolve(self.device), display, self.save_seconds, self.save_steps, self.keep, loggers)


def _presets(ctx: click.Context, incomplete: str) -> list[str]:
    command = ctx.command
    return (
        list(command.presets[ctx.meta.get("choice", command.usual)]) if isinstance(command, ConfiguredCommand) else []
    )


def _choices(ctx: click.Context, incomplete: str) -> list[str]:
    """The values of the option that chooses the config (--algorithm, --model)."""
    assert isinstance(ctx.command, ConfiguredCommand)
    return list(ctx.command.configs)


CHOICES = completing(_choices, files=False)


run_options = packed(
    RunOptions,
    "options",
    [
        click.option("--seed", type=SEED, default=None, help="everything random follows from it  [0]"),
        click.option(
            "--run-dir", type=PATH, metavar="PATH", help="where the run goes  [the first free runs/<name>-<k>]"
        ),
        click.option(
            "--resume",
            type=PATH,
            shell_complete=RUNS,
            metavar="PATH",
            help="continue the run there; with the other options given, start it where there is none",
        ),
        click.option("--overwrite", is_flag=True, help="replace the run that --run-dir names"),
        click.option(
            "--preset",
            type=TEXT,
            default=None,
            shell_complete=completing(_presets, files=False),
            help="default, quick (shows that it runs), or paper (the published setting)  [default]",
        ),
        click.option("--config", type=PATH, metavar="FILE", help="hyper-parameters from a .toml or .json file"),
        click.option("--device", type=TEXT, default="auto", help="auto, cpu, cuda, cuda:1 ...", show_default=True),
        click.option(
            "--threads",
            type=THREADS,
            default=0,
            help="0: OMP_NUM_THREADS, else all cores, shared among the processes of torchrun",
            show_default=True,
        ),
        click.option(
            "--save-seconds",
            type=SECONDS,
            default=30.0,
            help="seconds between checkpoints",
            show_default=True,
        ),
        click.option(
            "--save-steps",
            type=STEPS,
            default=0,
            help="steps of a phase between checkpoints, in the place of seconds  [0: seconds]",
        ),
        click.option("--keep", type=COUNT, default=2, help="checkpoints to keep", show_default=True),
        click.option("--quiet", is_flag=True, help="no progress"),
        click.option("--tensorboard", is_flag=True, help="write curves, samples and histograms to RUN/tensorboard"),
        click.option("--wandb", type=TEXT, metavar="PROJECT", help="log to this project of Weights & Biases (wandb)"),
    ],
)
