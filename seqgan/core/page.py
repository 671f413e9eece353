"""One HTML page about runs that needs nothing else: its styles, its script and its pictures are in it.

What both packages show of a run is made here; each has a template of its own that extends `page.html`."""

import base64
import io
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from PIL import Image

from seqgan.core import files, outputs, schema
from seqgan.core.bounds import Repeated
from seqgan.core.config import DEFAULT, PRESET, Dataclass, Parameter, parameters, to_json
from seqgan.core.folder import is_saved_model
from seqgan.core.log import Display
from seqgan.core.record import FIELDS, intact
from seqgan.errors import RunError, SeqGANError, UsageError, why

T = TypeVar("T")
Record = Sequence[Mapping[str, Any]]

NAME = "report.html"  # in the folder of a run
HERE = Path(__file__).parent
MOST_POINTS, MOST_OF_A_LINE = 24_000, 400  # on a page, and of one curve
MOST_CHARTS = 9  # of a phase that are seen at once; the others are folded
VALID = "valid_"
ADVICE = "remove it, and measure the run again"
TABLE = schema.TABLE._replace(needed=False)
EVALUATION = {"rows": schema.TABLE, "differences": TABLE, "labels": TABLE, "summary": schema.NAMES}


def rendered(template: Path, content: Mapping[str, Any]) -> bytes:
    """The page; all that comes from users is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    places = FileSystemLoader([template.parent, HERE])
    environment = Environment(
        loader=places, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template.name).render(content).encode(errors="replace")


def whole(
    template: Path, told: Sequence[dict[str, Any]], tables: Sequence[Any], folded: Sequence[str] = (), **more: Any
) -> bytes:
    """The page of runs, of each of which `about` has told, and a template's own parts."""
    names = [run["name"] for run in told]
    groups, made = charts([run["record"] for run in told], folded)
    data = {"runs": names, "charts": made, "views": [run["kinds"] for run in told if run.get("shaded")]}
    title = f"{names[0]}: a report" if len(told) == 1 else f"{len(told)} runs: a report"
    content = {"title": title, "runs": told, "groups": groups, "tables": tables, "data": data}
    return rendered(template, content | more)


def about(
    folder: Path,
    name: str,
    description: Mapping[str, Any],
    config: Dataclass,
    presets: Mapping[str, Any],
    words: Sequence[str],
    inherited: str,
) -> dict[str, Any]:
    """What the templates are told of every run; `words` and `inherited` as for `command`."""
    notes = list[str]()
    record, damage = intact(folder)
    if damage or not record:
        notes.append(damage or "There are no curves: nothing has been measured yet.")
    chosen = settings(description, config, presets)
    found = evaluation_of(folder, notes, f"{description['package']} evaluate {files.in_shell(folder)}")
    return {
        "name": name,
        "notes": notes,
        "settings": chosen,
        "changed": [[parameter.name, shown(value), shown(usual)] for parameter, value, usual in chosen.changed],
        "record": record,
        "found": found,
        "remarks": found.get("summary", []),
        "again": "The command that trains the same run again:",
        "command": command(description, words, chosen, inherited),
        "versions": ", ".join(f"{name} {number}" for name, number in description.get("versions", {}).items()),
    }


def attempted(notes: list[str], make: Callable[[], T]) -> T | None:
    """What a function makes; None and a note that says so where a part of the run is missing or damaged."""
    try:
        return make()
    except SeqGANError as error:
        notes.append(str(error))
        return None


def write_after_training(folder: Path, page: Callable[[], bytes], display: Display) -> Path | None:
    """Write the report of a run that has just ended. It can be made again: no failure of it is one of the training."""
    path = folder / NAME
    try:
        files.write(path, page())
    except Exception as error:
        display.message(f"the report {path} was not written: {why(error)}; all else is saved")
        return None
    return path


def different(runs: Sequence[Path]) -> list[Path]:
    """The runs of a command, each once.

    Raises:
        UsageError: a folder is a saved model."""
    found = list({run.resolve(): run for run in runs}.values())
    for run in found:
        if is_saved_model(run):
            raise UsageError(f"{run} is a saved model, which keeps no record of its training; give the folder of a run")
    return found


def destination(runs: Sequence[Path], output: Path | None, *, overwrite: bool) -> tuple[Path, Callable[[bytes], None]]:
    """Where the page of runs goes, and a function that writes it there. The report in the folder of a run is made from
    the run, and may be replaced.

    Raises:
        UsageError: there is no place for the page."""
    if output is None and len(runs) > 1:
        raise UsageError("a report of several runs is a part of none of them; name its file with --output PATH")
    place = output or runs[0] / NAME
    derived = place.name == NAME and (place.parent / "run.json").is_file()
    return place, outputs.writer(place, overwrite=overwrite or derived)


def names_of(folders: Sequence[Path]) -> list[str]:
    """The name of each folder; where two have the same, its path."""
    names = [folder.resolve().name for folder in folders]
    return [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]


# --- how a run was configured


class Settings(NamedTuple):
    preset: str
    changed: list[tuple[Parameter, Any, Any]]  # the value, and that of the preset
    every: list[tuple[str, str, str]]  # name, value, where it came from


def settings(description: Mapping[str, Any], config: Dataclass, presets: Mapping[str, Any]) -> Settings:
    """The hyper-parameters of a run, and those that differ from its preset."""
    values, sources = to_json(config), description["sources"]
    named = [source.removeprefix(PRESET).strip() for source in sources.values() if source.startswith(PRESET)]
    preset = next((name for name in named if name in presets), DEFAULT)
    changed, every = [], []
    for parameter in parameters(type(config)):
        usual, value = presets[preset].get(parameter.name, parameter.default), values[parameter.name]
        if value != (list(usual) if isinstance(usual, tuple) else usual):
            changed.append((parameter, value, usual))
        every.append((parameter.name, shown(value), sources.get(parameter.name, DEFAULT)))
    return Settings(preset, changed, every)


def shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def command(description: Mapping[str, Any], words: Sequence[str], chosen: Settings, inherited: str) -> str:
    """The command that trains the same run again; `words` name the algorithm and the data. A value whose source begins
    with `inherited` follows from these."""
    package, processes = description["package"], description["world_size"]
    several = ["torchrun", "--standalone", "--nproc-per-node", str(processes), "-m"] if processes > 1 else []
    line = [*several, package, "train", *words]
    line += ["--preset", chosen.preset] if chosen.preset != DEFAULT else []
    for parameter, value, _ in chosen.changed:
        if not description["sources"].get(parameter.name, "").startswith(inherited):
            line += _as_option(parameter, value)
    line += ["--seed", str(description["seed"]), "--threads", str(description["threads"])]
    return shlex.join(line)


def _as_option(parameter: Parameter, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [parameter.option if value else f"--no-{parameter.option[2:]}"]
    if isinstance(parameter.type, Repeated):
        return [word for one in value for word in (parameter.option, str(one))]
    return [parameter.option, ",".join(map(str, value)) if isinstance(value, list) else str(value)]


# --- its record, as curves


def charts(records: Sequence[Record], folded: Sequence[str] = ()) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Groups of charts, one for each phase, and the charts themselves: for each number a line of each run, and of a
    number and its validation one chart. `folded` numbers are not seen at once."""
    lines: dict[str, dict[str, dict[tuple[int, bool], list[tuple[int, float]]]]] = {}
    for run, record in enumerate(records):
        for line in record:
            for name, value in line.items():
                if name not in FIELDS and not isinstance(value, list):
                    stem, valid = name.removeprefix(VALID), name.startswith(VALID)
                    chart = lines.setdefault(line["phase"], {}).setdefault(stem, {})
                    chart.setdefault((run, valid), []).append((line["step"], value))
    count = sum(len(chart) for phase in lines.values() for chart in phase.values())
    most = min(MOST_OF_A_LINE, max(20, MOST_POINTS // max(1, count)))
    groups, made = [], list[dict[str, Any]]()
    for phase, numbers in lines.items():
        seen = {stem: any(valid for _, valid in chart) for stem, chart in numbers.items()}
        hidden = [stem for stem, valid in seen.items() if stem in folded or (valid and VALID + stem in folded)]
        order = sorted(seen, key=lambda stem: (stem in hidden, not seen[stem]))
        places = range(len(made), len(made) + len(order))
        shown = min(MOST_CHARTS, len(order) - len(hidden))
        names = [stem if {valid for _, valid in numbers[stem]} != {True} else VALID + stem for stem in order]
        named = list(zip(places, names, strict=True))
        groups.append({"phase": phase, "shown": named[:shown], "folded": named[shown:]})
        for stem in order:
            parts = [_line(run, valid, points, most) for (run, valid), points in sorted(numbers[stem].items())]
            made.append({"name": stem, "lines": parts})
    return groups, made


def _line(run: int, valid: bool, points: Sequence[tuple[int, float]], most: int) -> dict[str, Any]:
    thin = thinned(points, most)
    x, y = [step for step, _ in thin], [float(f"{value:.5g}") for _, value in thin]
    return {"run": run, "valid": valid, "x": x, "y": y}


def thinned(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most so many points, with the least and the greatest of each stretch: no peak is lost."""
    if len(points) <= most:
        return list(points)
    kept = {0, len(points) - 1}
    for stretch in range(most // 2 - 1):
        first, last = (len(points) * end // (most // 2 - 1) for end in (stretch, stretch + 1))
        kept |= {pick(range(first, last), key=lambda at: points[at][1]) for pick in (min, max)}
    return [points[at] for at in sorted(kept)]


# --- what its evaluation found


def evaluation_of(folder: Path, notes: list[str], measure: str) -> dict[str, Any]:
    """The newest evaluation that a run keeps; a note that says how to `measure` where it has none."""
    found = sorted((folder / "evaluations").glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if not found:
        notes.append(f"The run has not been evaluated; measure it with: {measure}")
        return {}

    def read() -> dict[str, Any]:
        content = schema.read(found[-1], RunError, ADVICE)
        schema.check(found[-1], content, EVALUATION, RunError, advice=ADVICE)
        return content

    return attempted(notes, read) or {}


def side_by_side(names: Sequence[str], found: Sequence[Mapping[str, T]], real: str) -> dict[str, T]:
    """The rows of several runs. Of the rows of `real` data each stands once, last."""
    models, held_out = dict[str, T](), dict[str, T]()
    for name, rows in zip(names, found, strict=True):
        models |= {f"{name} {row}": numbers for row, numbers in rows.items() if row != real}
        if real in rows and str(rows[real]) not in map(str, held_out.values()):
            held_out[f"{real} of {name}"] = rows[real]
    return {**models, **({real: next(iter(held_out.values()))} if len(held_out) == 1 else held_out)}


# --- its pictures


class Picture(NamedTuple):
    source: str  # a data URI
    width: int
    height: int


def picture(image: Image.Image, most: int = 150_000) -> Picture:
    """An image as a part of the page, in at most so many bytes: lossless if that is enough, else smaller."""
    for form, options in (("PNG", {"optimize": True}), ("JPEG", {"quality": 85}), ("JPEG", {"quality": 60})):
        image.convert("RGB" if form == "JPEG" else image.mode).save(buffer := io.BytesIO(), form, **options)
        if buffer.tell() <= most:
            return _inline(buffer.getvalue(), form, image.size)
    return picture(image.resize((max(1, image.width // 2), max(1, image.height // 2))), most)


def animation(data: bytes, most: int) -> list[Picture]:
    """An animated GIF as it is, or where it is larger, five of its frames."""
    with Image.open(io.BytesIO(data)) as image:
        if len(data) <= most:
            return [_inline(data, "GIF", image.size)]
        found, count = [], getattr(image, "n_frames", 1)
        for at in sorted({count * part // 4 - (part == 4) for part in range(5)} & set(range(count))):
            image.seek(at)
            found.append(picture(image.convert("RGB"), most // 5))
    return found


def _inline(data: bytes, form: str, size: tuple[int, int]) -> Picture:
    return Picture(f"data:image/{form.lower()};base64,{base64.b64encode(data).decode()}", *size)
