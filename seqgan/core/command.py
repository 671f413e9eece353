"""Run a command line: expected errors are one line on stderr and an exit code."""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.core import ParameterSource

from seqgan.core import memory, streams
from seqgan.core.bounds import PATH
from seqgan.core.config import PRESET
from seqgan.errors import SeqGANError, ShortageError, StorageError, UsageError, one_line, quoted

if TYPE_CHECKING:
    from seqgan.core.overview import MainNumbers, Overview

# Errors of stdout, which has no name; files, which have one, are written in `core.files`.
STREAM_ERRORS = {
    errno.ENOSPC: "no space is left there",
    errno.EBADF: "it is closed",
    errno.EIO: "it is broken",
    errno.EPIPE: "no process reads it",
}
READER_GONE = 128 + 13  # as if by SIGPIPE, which is what a shell reports of a program whose output is no longer read


def run_command(group: click.Group, synonym: Callable[[str], str] = lambda name: "") -> None:
    """Run a command line. An expected error is one line on stderr and an exit code; a defect keeps its traceback.

    `synonym` gives the end of the message where an option that there is not has another name here."""
    streams.prepare()
    if "WORLD_SIZE" in os.environ:  # else torch warns of each attempt to reach the others
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        _invoke(group)
    except ShortageError as error:
        memory.let_go(error)
        _leave(str(error), error.exit_code, at_once=True)
    except SeqGANError as error:
        _leave(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:  # a group without a command
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _leave(in_words(error, group, synonym), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _leave("stopped", 130)
    except Exception as error:
        if not memory.is_shortage(error):
            raise
        memory.let_go(error)
        _leave(memory.in_words(error, *_command_and_options(group)), ShortageError.exit_code, at_once=True)


def _invoke(group: click.Group) -> None:
    """Run a command, and flush stdout.

    Raises:
        StorageError: stdout did not take it."""
    stdout = sys.stdout
    try:
        group(standalone_mode=False)
        sys.stdout.flush()
    except SystemExit:
        if sys.stdout is stdout:
            raise
        sys.stdout = stdout  # click has replaced it, since the output is no longer read
        _refuse_stdout(errno.EPIPE)
    except OSError as error:
        if error.filename is not None or error.errno not in STREAM_ERRORS:
            raise
        _refuse_stdout(error.errno)


def _refuse_stdout(number: int) -> NoReturn:
    streams.give_up_stdout()
    if number == errno.EPIPE:
        sys.exit(READER_GONE)
    raise StorageError(
        f"cannot write to stdout: {STREAM_ERRORS[number]}; nothing that was saved is lost: send the output elsewhere "
        "and ask for it again"
    )


def _command_and_options(group: click.Group) -> tuple[str, list[str]]:
    """The command that runs, and the names of its options."""
    path = [group.name or "", *(word for word in sys.argv[1:3] if word.isalpha())]
    known = dict(_commands(group, group.name or ""))
    name = next((name for name in (" ".join(path), " ".join(path[:2])) if name in known), "")
    options = _options(known[name]) if name else set()
    return name or group.name or "", [option.strip("-").replace("-", "_") for option in options]


def _leave(message: str, code: int, *, at_once: bool = False) -> NoReturn:
    """Exit with a message, which is no error after a signal; `at_once` where there is no memory for a clean end."""
    streams.no_more_interruptions()
    if _reports_errors():
        click.echo(f"{'' if code > 128 else 'error: '}{one_line(message)}", err=True)
    if at_once:
        streams.end_at_once(code)
    sys.exit(code)


def warn_about_quick(folder: Path) -> None:
    """A note that the numbers and samples of a run with `--preset quick` mean nothing."""
    from seqgan.core.folder import describe

    if f"{PRESET} quick" in describe(folder).get("sources", {}).values():
        click.echo(
            "note: --preset quick only shows that everything runs; it trains far too little to learn from, so neither "
            "the numbers nor the samples mean anything: leave it out to train in earnest"
        )


def in_words(error: click.ClickException, group: click.Group, synonym: Callable[[str], str] = lambda name: "") -> str:
    """The message of an error of click in the form of all others: in lower case, and with what to do."""
    command = _words_of(error.ctx if isinstance(error, click.UsageError) else None, group)
    helped = f"; {command} --help lists those there are"
    match error:
        case click.NoSuchOption():
            other = option_of_another_command(error, group)
            instead = synonym(error.option_name) or _close(error.possibilities) or helped
            return other or f"there is no option {error.option_name}{instead}"
        case click.exceptions.NoSuchCommand():
            return f"there is no command {quoted(error.command_name)}{_close(error.possibilities) or helped}"
        case click.MissingParameter() if error.param:
            return f"{_shown_name(error.param, error.ctx)} is missing; see {command} --help"
    message = error.format_message()
    return message[:1].lower() + message[1:].removesuffix(".")


def _words_of(ctx: click.Context | None, group: click.Group) -> str:
    """The command that a context is of, as it is installed: `seqgan corpora add`."""
    words = list[str]()
    while ctx and ctx.parent:
        words.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return " ".join([group.name or "", *words])


def _close(words: Sequence[str] | None) -> str:
    return f"; did you mean {' or '.join(words)}?" if words else ""


def _shown_name(param: click.Parameter, ctx: click.Context | None) -> str:
    """The name of an argument or an option as --help shows it."""
    return param.opts[0] if isinstance(param, click.Option) or not ctx else param.make_metavar(ctx)


def option_of_another_command(error: click.NoSuchOption, group: click.Group) -> str:
    """A message where an option belongs to another command; empty where no command has it."""
    known = list(_commands(group, group.name or ""))
    here = next((path for path, command in known if error.ctx and command is error.ctx.command), group.name)
    owners = [path for path, command in known if error.option_name in _options(command)]
    if not owners:
        return ""
    *others, last = owners
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"{error.option_name} is an option of {listed}, not of {here}; leave it out"


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _options(command: click.Command) -> set[str]:
    params = command.get_params(click.Context(command))
    return {name for param in params for name in (*param.opts, *param.secondary_opts)}


def _reports_errors() -> bool:
    """Of the processes of one training only the first to fail reports the error; the others end for the same reason."""
    if "WORLD_SIZE" not in os.environ:
        return True
    from seqgan.core.rendezvous import first_to_report

    return first_to_report()


def with_examples(group: click.Group, examples: Mapping[str, tuple[str, str]]) -> None:
    """Give each command of a group, named by its words, its line in the list of commands, and the example that its
    --help ends with."""
    known = dict(_commands(group, ""))
    for path, (line, example) in examples.items():
        known[f" {path}"].short_help = line
        known[f" {path}"].epilog = f"Example: {example}"


def refuse_with_saved_model(ctx: click.Context, folder: Path, *names: str) -> None:
    """Options that a saved model has an answer to already.

    Raises:
        UsageError: one of them was given."""
    if given := typed(ctx, *names):
        raise UsageError(f"{folder} is a saved model, whose card is written; leave out {given[0]}")


def typed(ctx: click.Context, *names: str) -> list[str]:
    """Which of these options were given."""
    given = {name for name in names if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    return [
        next(name for name in option.opts if name.startswith("--"))
        for option in ctx.command.params
        if option.name in given
    ]


# --- the command `runs` of both


def runs_command(package: str, start: str, main_numbers: "MainNumbers") -> click.Command:
    """`seqgan runs`, `imagegan runs`: `start` is a command that begins a first run."""

    @click.command("runs")
    @click.argument("folder", type=PATH, default="runs")
    @click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of a table")
    @click.option("--markdown", "as_markdown", is_flag=True, help="a table of Markdown on stdout")
    def runs(folder: Path, as_json: bool, as_markdown: bool) -> None:
        """The runs in FOLDER (by default runs), the newest last: what they are, how far they have come, their numbers,
        and the commands that go on with those that were stopped."""
        from seqgan.core.overview import runs_in

        if as_json and as_markdown:
            raise UsageError("--json and --markdown are two ways to print the same: give one of them")
        asked = click.get_current_context().get_parameter_source("folder") != ParameterSource.DEFAULT
        found = runs_in(folder, package, main_numbers) if asked or folder.exists() else []
        if as_json:
            click.echo(json.dumps([run.as_json() for run in found], ensure_ascii=False, indent=2))
            return
        if not found:
            click.echo(f"there are no runs of {package} in {folder}; begin one with: {start}", err=True)
            return
        _print_runs(found, markdown=as_markdown)

    return runs


def _print_runs(found: "Sequence[Overview]", *, markdown: bool) -> None:
    from seqgan.core import report

    numbers = list(dict.fromkeys(name for run in found for name in run.numbers))
    words = ["run", "what", "seed", "began", "state"]
    rows = [[one_line(cell) for cell in run.cells(numbers)] for run in found]
    if markdown:
        click.echo(report.markdown([*words, *numbers], rows, names=len(words)))
        return
    report.print_table([*words, *numbers], rows)
    waiting = [run for run in found if run.go_on]
    for run in waiting:
        click.echo(f"{run.folder} is {run.state}; go on with: {run.go_on}")
