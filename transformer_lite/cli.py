"""The command `transformer-lite`: data, train, evaluate, translate, explain, export."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from transformer_lite import data, evaluation, runs
from transformer_lite.checks import check_choice, check_one_of, printable, shortened
from transformer_lite.data import encode_pairs
from transformer_lite.data.own import task_of
from transformer_lite.interop import load_marian, to_ctranslate2
from transformer_lite.interop.ctranslate2 import Quantization
from transformer_lite.reading import decode
from transformer_lite.runs import checkpoint, distributed
from transformer_lite.runs.recipe import Recipe, shipped_recipes
from transformer_lite.training import Precision
from transformer_lite.translator import Translator

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train and use small sequence-to-sequence models.",
)


def say_version(asked: bool) -> None:
    """Say the version and stop, if asked to."""
    if asked:
        typer.echo(f"transformer-lite {metadata.version('transformer-lite')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=say_version, is_eager=True, help="Say the version and stop."
        ),
    ] = False,
) -> None:
    """Options that need no command."""


Split = Literal["test", "valid"]
PICTURES = (".png", ".svg", ".pdf")
MOST_SAID = 4000  # characters of an error
MODEL_HELP = 'A run folder, a model folder, or "pocket" (ships with the package)'
Model = Annotated[str, typer.Option(help=f"{MODEL_HELP}.")]
OptionalModel = Annotated[str | None, typer.Option(help=f"{MODEL_HELP} [default: pocket].")]
Marian = Annotated[
    str | None,
    typer.Option(help="Instead: a MarianMT model, by its name on Hugging Face or its folder."),
]
Beam = Annotated[int, typer.Option(min=1, help="Beam width; 1 decodes greedily.")]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say in one line what went wrong and what to do, instead of a traceback."""
    try:
        yield
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        typer.echo(f"error: {shortened(printable(str(error)), MOST_SAID)}", err=True)
        raise typer.Exit(1) from None


def chosen_translator(model: str | None, marian: str | None) -> Translator:
    """The translator that the options name."""
    if marian is None:
        return Translator.load("pocket" if model is None else model)
    if model is not None:
        raise ValueError(f"--model must be left out beside --marian {marian}, but it is {model}")
    return Translator(load_marian(marian))


def averaged(run: str, count: int) -> Translator:
    """A translator of the mean of the newest checkpoints of a run."""
    found = runs.scheduled_checkpoints(Path(run))
    if len(found) < count:
        raise ValueError(
            f"--average must be at most {len(found)}, the checkpoints that {run} holds, but it is "
            f"{count}; [validation] keep in the recipe says how many a run keeps"
        )
    return Translator(checkpoint.average(found[-count:]))


@app.command("data")
def data_command(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(data.LOADERS)}.")],
) -> None:
    """Make or fetch a corpus, check it, and show what is in it.

    Example: transformer-lite data pocket
    """
    with plain_errors():
        typer.echo(data.describe(data.load(name)))


@app.command()
def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help=f"One of {', '.join(shipped_recipes())}, or the path of a TOML file; beside "
            "--pairs it may be left out."
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Train on these pairs: a source text, a tab and its target on a line."),
    ] = None,
    run: Annotated[
        Path | None,
        # torchrun takes --run for an abbreviation of an option of its own.
        typer.Option(
            "--run", "--run-folder", help="The run folder [default: runs/RECIPE, runs/PAIRS]."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Train this many steps instead.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Use this seed instead.")] = None,
    precision: Annotated[
        str | None, typer.Option(help=f"{' or '.join(get_args(Precision))}, of matrix products.")
    ] = None,
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the model; needs a C++ compiler.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, or cuda for one a process.")] = "cpu",
) -> None:
    """Train a model as a recipe says; Ctrl-C stops it, --resume goes on.

    In several processes: torchrun --nproc-per-node 2 -m transformer_lite train pocket

    On pairs of your own: transformer-lite train --pairs pairs.tsv

    Example: transformer-lite train pocket --run runs/my-pocket
    """
    if recipe is None and pairs is None:
        raise typer.BadParameter("name a recipe, or a file of your own with --pairs")
    with plain_errors():
        recipe = recipe or "pairs"
        chosen = Recipe.load(recipe)
        given = {"steps": steps, "seed": seed, "precision": precision}
        changes: dict[str, Any] = {key: one for key, one in given.items() if one is not None}
        chosen = replace(chosen, training=replace(chosen.training, **changes))
        if compile:
            chosen = replace(chosen, machine=replace(chosen.machine, compile=True))
            changes["compile"] = True
        if pairs is not None:
            chosen = replace(chosen, task=task_of(pairs))
            changes["pairs"] = pairs
        folder = run or Path("runs") / (pairs or Path(recipe)).stem
        try:
            best = runs.train(chosen, folder, resume=resume, device=device)
        except KeyboardInterrupt:
            if distributed.is_first():
                command = resuming_command(recipe, folder, changes, device)
                typer.echo(f"stopped; go on with: {command}", err=True)
            raise typer.Exit(130) from None
        if distributed.is_first():
            typer.echo(printable(f"best checkpoint: {best}"))


def resuming_command(recipe: str, folder: Path, changes: dict[str, Any], device: str) -> str:
    """What to type to go on with a run that was stopped."""
    command = [*distributed.command(), "train", recipe]
    command += ["--run" if command[0] != "torchrun" else "--run-folder", str(folder)]
    for option, value in changes.items():
        command += [f"--{option}"] if value is True else [f"--{option}", str(value)]
    command += [] if device == "cpu" else ["--device", device]
    command += ["--resume"] if runs.holds_run(folder) else []
    return shlex.join(command)


@app.command()
def evaluate(
    model: Model,
    split: Annotated[str, typer.Option(help=" or ".join(get_args(Split)))] = "test",
    beam: Beam = 1,
    alpha: Annotated[float, typer.Option(help="Length penalty of the beam.")] = 1.0,
    lowercase: Annotated[bool, typer.Option(help="Compare without case in BLEU.")] = True,
    average: Annotated[
        int | None,
        typer.Option(min=1, help="Of a run folder: take the mean of this many newest checkpoints."),
    ] = None,
) -> None:
    """Score a model on the corpus it was trained for: loss, exact match, BLEU, alignment error.

    Example: transformer-lite evaluate --model runs/multi30k --beam 5
    """
    with plain_errors():
        check_choice("split", split, Split)
        translator = Translator.load(model) if average is None else averaged(model, average)
        if translator.task is None:
            raise ValueError(
                f"the model must name the corpus it was trained on, but {model} names none; save "
                'it with one, SavedModel(..., task={"name": ...}), or use evaluation.score'
            )
        corpus = data.load(**translator.task)
        pairs = corpus.test if split == "test" else corpus.valid
        examples = encode_pairs(pairs, translator.source, translator.target)
        scores = evaluation.score(
            translator.model,
            examples,
            beam_size=beam,
            alpha=alpha,
            to_text=None if corpus.units == "characters" else translator.target.decode,
            references=[pair.target for pair in pairs],
            lowercase=lowercase,
            progress=True,
        )
        typer.echo(f"{corpus.name}, {split}: {len(pairs):,} pairs, beam {beam}")
        typer.echo(f"loss            {scores.loss:.3f} nats a token (teacher forced)")
        typer.echo(f"token accuracy  {scores.token_accuracy:.4f} (teacher forced)")
        typer.echo(f"exact match     {scores.exact_match:.4f} (free running)")
        if scores.bleu is not None:
            typer.echo(f"BLEU            {scores.bleu.score:.2f}  [{scores.bleu.signature}]")
        if all(pair.sure for pair in pairs):
            errors = evaluation.alignment_by_layer(
                translator.model,
                examples,
                [pair.sure for pair in pairs],
                [pair.possible for pair in pairs],
            )
            for name, error in errors.items():
                typer.echo(f"alignment error {error:.4f} ({name}, heads averaged)")


@app.command()
def translate(
    text: Annotated[
        list[str] | None, typer.Argument(help="Sentences; without any, one a line is read.")
    ] = None,
    model: OptionalModel = None,
    marian: Marian = None,
    beam: Beam = 1,
) -> None:
    """Translate sentences.

    Example: transformer-lite translate --model runs/multi30k "Ein Hund rennt durch den Schnee."
    """
    with plain_errors():
        sentences = text or typed_lines()
        if not sentences:
            raise ValueError(
                "text must hold a sentence, but there is none; give one in quotation marks"
            )
        translator = chosen_translator(model, marian)
        if translator.source.kind != "characters":  # whose texts may well be single words
            check_quoted(text or [])
        for translation in translator(sentences, beam_size=beam):
            typer.echo(printable(translation))


def check_quoted(arguments: list[str]) -> None:
    """Raise ValueError for what looks like one sentence that was typed without quotation marks."""
    if len(arguments) > 1 and not any(" " in one for one in arguments):
        command = shlex.join(["transformer-lite", "translate", " ".join(arguments)])
        raise ValueError(
            f"each sentence must be in quotation marks, but there are {len(arguments)} words "
            f"without; type: {command} (or, for single words, one a line without an argument)"
        )


def typed_lines() -> list[str]:
    """The lines of standard input that hold something."""
    typed = decode("standard input", sys.stdin.buffer.read())
    return [line.strip() for line in typed.split("\n") if line.strip()]


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="One sentence.")],
    model: OptionalModel = None,
    marian: Marian = None,
    name: Annotated[
        str | None, typer.Option("--map", help="decoder.0.cross, …; all layers averaged if absent.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help=f"Also draw the map into this file ({', '.join(PICTURES)})."),
    ] = None,
    beam: Beam = 1,
) -> None:
    """Translate one sentence and show which source words each target word looked at.

    Example: transformer-lite explain "the cat eats an apple" --picture map.png
    """
    with plain_errors():
        if picture is not None:
            check_one_of("the ending of --picture", picture.suffix.lower(), PICTURES)
        explanation = chosen_translator(model, marian).explain(text, beam_size=beam)
        typer.echo(printable(explanation.translation))
        typer.echo(explanation.as_text(name))
        if picture is not None:
            from transformer_lite import plots  # drawing takes a second to load: only on demand

            target, source, weights = explanation.by_word(name)
            plots.attention_map(weights, source, target)
            plots.save(picture)
            typer.echo(printable(f"drawn: {picture}"))


@app.command()
def export(
    model: Model,
    to: Annotated[Path, typer.Option(help="A new or an empty folder.")],
    quantization: Annotated[
        str, typer.Option(help=f"{' or '.join(get_args(Quantization))}, of the matrices.")
    ] = "float32",
) -> None:
    """Write a Transformer for CTranslate2, which translates without PyTorch.

    Example: transformer-lite export --model runs/multi30k --to exported --quantization int8
    """
    with plain_errors():
        to_ctranslate2(checkpoint.load(runs.model_folder(model)), to, quantization)
        typer.echo(printable(f"exported: {to}"))


def main() -> None:
    """Run the command line."""
    app()
