"""What heads do, and whether it matters: the stored runs of chapter 14.

    python benchmarks/inside.py            # what is missing in the results file
    python benchmarks/inside.py --list     # which runs there are

The recipes `pocket` and `multi30k`, trained in runs/benchmark. A run is exact match (pocket) or
BLEU (multi30k) of the test sentences, and of these

- `heads`, one row a head: the attention's name, the head from 0, the rise of the validation loss
  and the score without it; of a cross-attention also `agrees` (below) and, where there are gold
  links, `aer`;
- `removed`: the score after 0, 1, 2, … heads are gone (multi30k: 0, 3, 6, …), those first that cost
  the least (or the most) validation loss when they alone were switched off, or in a drawn order;
- `influence`: for each token that the model writes, the source token whose absence moves most of
  the probability of the next word (half the sum of absolute differences). Hidden: the decoder's
  attentions may not look at it; replaced: another word stands in its place, a mean of three that
  are drawn (pocket: of the same kind). A map `agrees` where its largest weight stands at that token
  (the rows' share; `<eos>` left out, and for replacing words that have no other of their kind).
  `chance` names one at random, `diagonal` the one at the same place, `least` is the share of rows
  where the least attended token moves more than the most attended one;
- `written`: the tokens written most often, with their number, both agreements, the mean of the
  largest influence by hiding, and of the weight on `<eos>`.

`patched` holds captions "… trägt …": row "trägt" or the noun's row of one sentence is put into the
other after 0, 1, 2, 3 layers of the encoder, and what is then written.
Results go to transformer_lite/chapters/c14_inside/inside.json.
"""

import json
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from stored import run_missing, written
from torch import Tensor

from transformer_lite import data, evaluation, runs
from transformer_lite.chapters.c06_multi_head.ablation import attentions, heads_off
from transformer_lite.data import BOS, EOS, Example, collate, encode_pairs
from transformer_lite.data.pocket import lexicon
from transformer_lite.results import CHAPTERS
from transformer_lite.runs import checkpoint
from transformer_lite.runs.recipe import Recipe
from transformer_lite.scope import AttentionRecord, Scope
from transformer_lite.transformer import TransformerMemory
from transformer_lite.translator import Translator

RESULTS = CHAPTERS / "c14_inside" / "inside.json"
WAYS = ("hiding", "replacing")
RECORDED = {"encoder": "encoder.{}.self", "decoder": "decoder.{}.self", "cross": "decoder.{}.cross"}
SUBJECTS = ("Ein Mann", "Eine Frau", "Ein Junge", "Ein Mädchen")
WORN = ("einen Hut", "einen Helm", "einen Mantel", "ein Kleid", "ein Hemd")
WORN += ("eine Mütze", "eine Brille", "eine Jacke")
CARRIED = ("einen Korb", "einen Hund", "einen Ball", "ein Kind", "ein Baby")
CARRIED += ("eine Leiter", "eine Tasche", "eine Kiste")
SHOWN = (
    "Eine Frau trägt ein Kind.",
    "Zwei mittelgroße Hunde laufen über den Schnee.",
    "Ein Hund springt durch ein brennendes Hindernis.",
    "Ein Mann mit Hut spielt Gitarre auf der Straße.",
)


@dataclass(frozen=True)
class Setting:
    """One trained model."""

    recipe: str
    seed: int


def settings() -> list[Setting]:
    """All runs."""
    pocket = [Setting("pocket", seed) for seed in (1, 2, 3, 4, 5)]
    return [*pocket, Setting("multi30k", 1), Setting("multi30k", 2)]


@cache
def trained(setting: Setting) -> Translator:
    """A model, trained where that was not done, on one thread."""
    torch.set_num_threads(1)
    recipe = Recipe.load(setting.recipe)
    training = replace(recipe.training, seed=setting.seed)
    recipe = replace(recipe, training=training, machine=replace(recipe.machine, threads=1))
    folder = Path(f"runs/benchmark/{setting.recipe}-{setting.seed}")
    return Translator(checkpoint.load(runs.train(recipe, folder, resume=runs.holds_run(folder))))


def run(setting: Setting) -> dict[str, Any]:
    """Look into one."""
    translator, began = trained(setting), time.perf_counter()
    corpus = data.load(setting.recipe)
    score = partial_score(translator, corpus)
    heads = head_costs(translator, corpus, score)
    removed = removals(translator, heads, score, setting)
    found = influence(translator, corpus, setting)
    agreements = found.pop("agreements")
    errors = alignment_errors(translator, corpus) if setting.recipe == "pocket" else {}
    for row in heads:
        key = f"{row['attention']} head {row['head']}"
        row |= {name: agreements[key][name] for name in agreements.get(key, ())}
        row |= {"aer": errors[key]} if key in errors else {}
    return {
        "score": score(1000),
        "heads": heads,
        "removed": removed,
        **found,
        "seconds": round(time.perf_counter() - began, 1),
    }


def partial_score(translator: Translator, corpus: data.Corpus) -> Any:
    """Exact match in per cent, or BLEU, of the first so many test sentences."""

    def score(count: int) -> float:
        texts = translator([pair.source for pair in corpus.test[:count]])
        references = [pair.target for pair in corpus.test[:count]]
        if corpus.name == "pocket":
            return round(100 * evaluation.exact_match(texts, references), 2)
        return round(evaluation.bleu(texts, references, lowercase=True).score, 2)

    return score


def head_costs(translator: Translator, corpus: data.Corpus, score: Any) -> list[dict[str, Any]]:
    """What each head costs, alone."""
    valid = encode_pairs(corpus.valid[:500], translator.source, translator.target)

    def loss() -> float:
        return evaluation.teacher_forced(translator.model, valid).loss

    whole, rows = loss(), []
    for name, attention in attentions(translator.model).items():
        for head in range(attention.heads):
            with heads_off(attention, head):
                rows.append(
                    {
                        "attention": name,
                        "head": head,
                        "loss": round(loss() - whole, 4),
                        "without": score(1000),
                    }
                )
    return rows


def removals(
    translator: Translator, heads: list[dict[str, Any]], score: Any, setting: Setting
) -> dict[str, list[float]]:
    """The score while one head after another goes, in three orders."""
    modules = attentions(translator.model)
    cheapest = sorted(heads, key=lambda row: row["loss"])
    drawn = random.Random(setting.seed).sample(heads, len(heads))
    orders = {"cheapest first": cheapest, "dearest first": cheapest[::-1], "drawn": drawn}
    every, curves = 1 if setting.recipe == "pocket" else 3, {}
    for name, order in orders.items():
        curves[name] = []
        for gone in range(0, len(order) + 1, every):
            with ExitStack() as off:
                for row in order[:gone]:
                    off.enter_context(heads_off(modules[row["attention"]], row["head"]))
                curves[name].append(score(500))
    return curves


@torch.no_grad()
def forced(model: Any, memory: TransformerMemory, written: Tensor) -> Tensor:  # B T
    """Probabilities of the next word behind each beginning, `B T V`."""
    state, rows = model.start(memory), []
    for token in written.T:
        logits, state = model.step(state, token)
        rows.append(logits.softmax(dim=-1))
    return torch.stack(rows, dim=1)


def hide_each(memory: TransformerMemory) -> TransformerMemory:
    """The memory S times; in row j the decoder may not look at place j."""
    size = memory.states.shape[1]
    return TransformerMemory(memory.states.expand(size, -1, -1), ~torch.eye(size, dtype=torch.bool))


def moved(before: Tensor, after: Tensor) -> Tensor:
    """The share of probability that is elsewhere now, `... T`."""
    return (after - before).abs().sum(dim=-1) / 2


def others(corpus: data.Corpus, translator: Translator) -> dict[int, list[int]]:
    """For each source id those that may stand in its place."""
    if corpus.name != "pocket":
        sample = encode_pairs(corpus.train[:3000], translator.source, translator.target)
        drawn = [token for one in sample for token in one.source[:-1]]
        return dict.fromkeys(range(len(translator.source)), drawn)
    kinds = [
        [one.english for one in lexicon.NOUNS],
        [one.plural for one in lexicon.NOUNS if one.plural],
        [one.english for one in (*lexicon.PRONOUNS, *lexicon.NAMES) if one.third_singular],
        [one.english for one in lexicon.PRONOUNS if not one.third_singular],
        [one.english for one in lexicon.ADJECTIVES],
        [one.english for one in lexicon.PLACES],
        *([getattr(verb, form) for verb in lexicon.VERBS] for form in ("base", "third", "past")),
        ["a", "the"],
        ["this", "my"],
    ]
    found: dict[int, list[int]] = {}
    for kind in kinds:
        ids = [translator.source.encode(word)[0] for word in dict.fromkeys(kind)]
        for one in ids:
            found.setdefault(one, [other for other in ids if other != one])
    return found


def influence(translator: Translator, corpus: data.Corpus, setting: Setting) -> dict[str, Any]:
    """Weights beside what hiding and replacing each word moves, over 300 test sentences."""
    model, generator = translator.model.eval(), random.Random(setting.seed)
    examples = encode_pairs(corpus.test[:300], translator.source, translator.target)
    decoded = evaluation.decode_all(model, examples)
    instead = others(corpus, translator)
    tally: dict[str, list[tuple[bool, bool]]] = {}
    words: dict[str, list[tuple[float, ...]]] = {}
    chances, least, both = [], [], []
    for example, hypothesis in zip(examples, decoded, strict=True):
        example = Example(example.source, hypothesis.tokens)
        maps, hidden = look(model, example)  # name: H T S; T S
        columns = [j for j, token in enumerate(example.source[:-1]) if token in instead]
        replaced = replace_each(model, example, columns, instead, generator)  # T columns
        hidden_words = hidden[:, :-1]
        by_hiding, by_replacing = hidden_words.argmax(-1), replaced.argmax(-1)
        both += (hidden[:, columns].argmax(-1) == by_replacing).tolist()
        chances += [1 / hidden_words.shape[1]] * len(hidden)
        cross = {name: one for name, one in maps.items() if name.endswith(".cross")}
        mean = torch.stack([one.mean(0) for one in cross.values()]).mean(0)  # T S
        named = {"mean": mean, "diagonal": diagonal(*mean.shape)}
        for number, one in enumerate(cross.values(), start=1):
            named[f"cross {number}"] = one.mean(0)
            named |= {f"cross {number} head {head}": one[head] for head in range(len(one))}
        for name, weights in named.items():
            pointed, among = weights[:, :-1].argmax(-1), weights[:, columns].argmax(-1)
            hits = torch.stack([pointed == by_hiding, among == by_replacing], 1).tolist()
            tally.setdefault(name, []).extend(map(tuple, hits))
        low = hidden_words.gather(1, mean[:, :-1].argmin(-1, keepdim=True))
        high = hidden_words.gather(1, mean[:, :-1].argmax(-1, keepdim=True))
        least += (low > high)[:, 0].tolist()
        for t, token in enumerate(translator.target.tokens(example.target)):
            row = [
                *tally["mean"][len(tally["mean"]) - len(hidden) + t],
                hidden[t].max(),
                mean[t, -1],
            ]
            words.setdefault(token, []).append(tuple(map(float, row)))
    shares = {
        name: {way: round(fmean(hit[i] for hit in hits), 4) for i, way in enumerate(WAYS)}
        for name, hits in tally.items()
    }
    common = sorted(words, key=lambda token: -len(words[token]))[:20]
    return {
        "rows": len(chances),
        "agreements": shares,
        "agree": {name: one for name, one in shares.items() if "head" not in name},
        "chance": round(fmean(chances), 4),
        "least": round(fmean(least), 4),
        "hiding_and_replacing": round(fmean(both), 4),
        "written": {
            token: [
                len(words[token]),
                *(round(fmean(one), 3) for one in zip(*words[token], strict=True)),
            ]
            for token in common
        },
    }


@torch.no_grad()
def look(model: Any, example: Example) -> tuple[dict[str, Tensor], Tensor]:
    """Every map, `H T S`, and what hiding each source token moves, `T S`."""
    batch, record = collate([example]), AttentionRecord()
    model.features(batch.source, batch.source_mask, batch.target_in, record)
    rows = len(example.target)
    memory = model.encode(batch.source, batch.source_mask)
    before = forced(model, memory, batch.target_in[:, :rows])  # 1 T V
    size = len(example.source)
    after = forced(model, hide_each(memory), batch.target_in[:, :rows].expand(size, -1))  # S T V
    keep = {name: one[0][:, :rows] if "decoder" in name else one[0] for name, one in record.items()}
    return keep, moved(before, after).T


@torch.no_grad()
def replace_each(
    model: Any,
    example: Example,
    columns: list[int],
    instead: dict[int, list[int]],
    generator: random.Random,
) -> Tensor:
    """What another word in the place of each moves, a mean of three, `T columns`."""
    variants = [example]
    for j in columns:
        choices = instead[example.source[j]]
        for other in (generator.choice(choices) for _ in range(3)):
            variants.append(
                Example([*example.source[:j], other, *example.source[j + 1 :]], example.target)
            )
    batch = collate(variants)
    memory = model.encode(batch.source, batch.source_mask)
    found = forced(model, memory, batch.target_in[:, : len(example.target)])  # 1 + 3 columns T V
    return moved(found[:1], found[1:]).view(len(columns), 3, -1).mean(1).T


def diagonal(rows: int, columns: int) -> Tensor:
    """A map that looks at the place where the row stands, as a share of its sentence."""
    places = (torch.arange(rows) * columns) // rows
    return torch.eye(columns)[places]


def alignment_errors(translator: Translator, corpus: data.Corpus) -> dict[str, float]:
    """Alignment error rate of each head of the cross-attentions."""
    examples = encode_pairs(corpus.test, translator.source, translator.target)
    found: dict[str, list[Any]] = {}
    with torch.no_grad():
        for example in examples:
            batch, record = collate([example]), AttentionRecord()
            translator.model.features(batch.source, batch.source_mask, batch.target_in, record)
            for name, maps in record.items():
                if name.endswith(".cross"):
                    number = int(name.split(".")[1]) + 1
                    for head, weights in enumerate(maps[0][:, : len(example.target), :-1]):
                        links = evaluation.attention_links(weights)
                        found.setdefault(f"cross {number} head {head}", []).append(links)
    gold = [pair.sure for pair in corpus.test], [pair.possible for pair in corpus.test]
    return {
        name: round(evaluation.alignment_error_rate(links, *gold), 4)
        for name, links in found.items()
    }


@torch.no_grad()
def climb(model: Any, text_ids: Tensor) -> list[Tensor]:
    """The sentence's vectors after 0, 1, … layers of the encoder, `1 S D` each."""
    states = [model.embed(model.source_embedding, text_ids, "source")]
    for layer in model.encoder.layers:
        states.append(layer(states[-1], Scope()))
    return states


@torch.no_grad()
def finish(translator: Translator, x: Tensor, layers: int) -> str:
    """What is written of vectors that have been through so many layers."""
    model = translator.model
    for layer in model.encoder.layers[layers:]:
        x = layer(x, Scope())
    memory = TransformerMemory(model.encoder.norm(x), torch.ones(1, x.shape[1], dtype=torch.bool))
    state, token, ids = model.start(memory), torch.tensor([BOS]), list[int]()
    while len(ids) < 30:
        logits, state = model.step(state, token)
        token = logits.argmax(-1)
        if token.item() == EOS:
            break
        ids.append(int(token))
    return translator.target.decode(ids)


def patched(seed: int) -> list[dict[str, Any]]:
    """One row of a caption put into another that differs in its noun, after 0 to 3 layers.

    Only pairs that the model translates with "carrying" and "wearing"; "control" takes the row of
    the verb from one more caption with "carrying", where there is one.
    """
    translator = trained(Setting("multi30k", seed))
    model, cases = translator.model.eval(), []
    for subject, worn, carried in product(SUBJECTS, WORN, CARRIED):
        others = [what for what in CARRIED if what != carried]
        texts = [f"{subject} trägt {what}." for what in (carried, worn, *others)]
        ids = [torch.tensor([[*translator.source.encode(text), EOS]]) for text in texts]
        fits = [one.shape == ids[0].shape and int((one != ids[0]).sum()) == 1 for one in ids]
        writes = [translator(text) for text in texts]
        if not (fits[1] and "carrying" in writes[0] and "wearing" in writes[1]):
            continue
        third = next((i for i in range(2, len(ids)) if fits[i] and "carrying" in writes[i]), None)
        into, taken = climb(model, ids[0]), climb(model, ids[1])
        tokens = translator.source.tokens(ids[0][0].tolist())
        verb = next(i for i, token in enumerate(tokens) if "trägt" in token)
        noun = int((ids[0] != ids[1]).nonzero()[0, 1])
        sources = {"verb": (taken, verb), "noun": (taken, noun)}
        if third is not None:
            sources["control"] = climb(model, ids[third]), verb
        became = {
            name: [put(translator, into, other, row, layer) for layer in range(len(into))]
            for name, (other, row) in sources.items()
        }
        cases.append({"carried": texts[0], "worn": texts[1], "writes": writes[:2], **became})
    return cases


def put(
    translator: Translator, into: list[Tensor], taken: list[Tensor], row: int, layers: int
) -> str:
    """What is written when one row comes from another sentence, after so many layers."""
    x = into[layers].clone()
    x[:, row] = taken[layers][:, row]
    return finish(translator, x, layers)


def shown() -> list[dict[str, Any]]:
    """For the widget: maps and influence in per cent, and translations without each head."""
    translator, found = trained(Setting("multi30k", 1)), list[dict[str, Any]]()
    for text in SHOWN:
        ids = [*translator.source.encode(text), EOS]
        hypothesis = evaluation.decode_all(translator.model, [Example(ids, [])])[0]
        example = Example(ids, [*hypothesis.tokens, EOS])
        maps, hidden = look(translator.model, example)
        without: dict[str, list[str]] = {}
        for name, attention in attentions(translator.model).items():
            without[name] = []
            for head in range(attention.heads):
                with heads_off(attention, head):
                    without[name].append(translator(text))
        stack_maps = {
            name: maps[RECORDED[name.split()[0]].format(int(name.split()[1]) - 1)]
            for name in without
        }
        found.append(
            {
                "german": text,
                "source": translator.source.tokens(ids),
                "target": translator.target.tokens(example.target),
                "translation": translator(text),
                "maps": {name: percent(one) for name, one in stack_maps.items()},
                "hidden": percent(hidden),
                "without": without,
            }
        )
    return found


def percent(weights: Tensor) -> Any:
    """Whole per cent."""
    return (100 * weights).round().int().tolist()


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
    stored = json.loads(RESULTS.read_text())
    done = [one["recipe"] for one in stored["runs"]].count("multi30k")
    if "shown" not in stored and done == 2:
        stored |= {"patched": {str(seed): patched(seed) for seed in (1, 2)}, "shown": shown()}
        RESULTS.write_text(written(stored), encoding="utf-8")
