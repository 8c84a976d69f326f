"""The stored runs on Multi30k: one protocol, the recipes that ship, scores to be had again."""

import json
from pathlib import Path
from statistics import fmean

import pytest

from transformer_lite import data, evaluation, results
from transformer_lite.data import multi30k
from transformer_lite.runs.recipe import Recipe, shipped_recipes

LADDER = ("multi30k-start", "multi30k-each-step", "multi30k-additive", "multi30k-dot", "multi30k")
STORED = json.loads((results.CHAPTERS / "c16_translation" / "multi30k.json").read_text("utf-8"))
RUNS = {(run["recipe"], run["seed"]): run for run in STORED["runs"] if run["rate"] is None}
TRIED = [run for run in STORED["runs"] if run["rate"] is not None]
README = (Path(__file__).parents[3] / "benchmarks" / "README.md").read_text(encoding="utf-8")


def test_every_recipe_was_run_and_the_transformer_with_three_seeds() -> None:
    shipped = {name for name in shipped_recipes() if name.startswith("multi30k")}
    assert shipped == {recipe for recipe, _ in RUNS}
    assert {seed for recipe, seed in RUNS if recipe == "multi30k"} == {1, 2, 3}


@pytest.mark.parametrize(("recipe", "seed"), RUNS)
def test_the_run_is_that_of_the_recipe_that_ships(recipe: str, seed: int) -> None:
    shipped, run = Recipe.load(recipe), RUNS[recipe, seed]
    for name in ("peak_rate", "steps", "precision"):
        assert run[name] == getattr(shipped.training, name), name
    assert run["threads"] == shipped.machine.threads


@pytest.mark.parametrize("recipe", LADDER)
def test_the_rate_is_half_the_best_of_the_short_runs(recipe: str) -> None:
    tried = [run for run in TRIED if run["recipe"] == recipe]
    assert len(tried) >= 3 and len({run["target_tokens"] for run in tried}) == 1
    best = min(tried, key=lambda run: float(run["valid_loss"]))
    assert Recipe.load(recipe).training.peak_rate == best["rate"] / 2


def test_all_of_the_ladder_saw_as_many_target_tokens() -> None:
    of_one_seed = [RUNS[recipe, 1]["target_tokens"] for recipe in LADDER]
    assert len(set(of_one_seed)) == 1
    others = [RUNS["multi30k", seed]["target_tokens"] for seed in (2, 3)]
    assert others == pytest.approx([of_one_seed[0]] * 2, rel=0.01)


def test_no_model_is_larger_than_the_published_transformer() -> None:
    assert all(run["parameters"] <= 9_040_000 for run in RUNS.values())


def test_one_signature_for_all() -> None:
    scores = [score for run in RUNS.values() for score in run["test"].values()]
    signatures = {score["signature"] for score in scores}
    assert len(signatures) == 1
    assert "case:lc" in signatures.pop()


@pytest.mark.skipif(not multi30k.is_at_hand(), reason="needs Multi30k's references")
@pytest.mark.parametrize(("recipe", "seed"), RUNS)
def test_the_stored_translations_score_as_stored(recipe: str, seed: int) -> None:
    references = [pair.target for pair in data.load("multi30k").test]
    run = RUNS[recipe, seed]
    found = evaluation.bleu(run["translations"], references, lowercase=True)
    assert found.score == pytest.approx(run["test"]["greedy"]["bleu"], abs=0.006)


def test_the_readme_says_what_was_measured() -> None:
    for recipe in {recipe for recipe, _ in RUNS}:
        seeds = [run for (name, _), run in RUNS.items() if name == recipe]
        (line,) = [line for line in README.splitlines() if line.startswith(f"| `{recipe}` |")]
        figures = [
            f"{seeds[0]['parameters']:,}",
            f"{seeds[0]['target_tokens'] / 1e6:.1f} M",
            f"{fmean(run['seconds'] for run in seeds) / 60:.1f}",
            *(
                f"{fmean(run['test'][how][score] for run in seeds):.2f}"
                for how, score in (
                    ("greedy", "bleu"),
                    ("beam of 5", "bleu"),
                    ("greedy", "word_tokenised"),
                )
            ),
        ]
        assert [cell.strip() for cell in line.split("|")[3:-1]] == figures


def test_tying_makes_it_stutter() -> None:
    tied, untied = Recipe.load("multi30k").to_dict(), Recipe.load("multi30k-untied").to_dict()
    assert (tied["model"].pop("tie"), untied["model"].pop("tie")) == ("all", "none")
    assert (tied["machine"].pop("threads"), untied["machine"].pop("threads")) == (2, 1)
    assert tied == untied, "only the tying differs"
    counts = [_greedy("multi30k", seed)["stutters"] for seed in (1, 2, 3)]
    free = _greedy("multi30k-untied")["stutters"]
    assert min(counts) > 4 * free
    references = _greedy("multi30k-untied")["stutters_in_references"]
    assert (
        f"in {min(counts)} to {max(counts)} of its 1,000 test translations (three seeds); "
        f"untied, in {free}; in the references, in {references}."
    ) in README
    for recipe in ("multi30k-twenty", "multi30k-forty"):
        tokens = RUNS[recipe, 1]["target_tokens"] / 1e6
        count = _greedy(recipe)["stutters"]
        assert count < min(counts)
        assert f"{count} after {tokens:.1f} million target tokens (`{recipe}`)" in README


def test_a_vocabulary_of_its_own_makes_a_step_quicker() -> None:
    small, large = Recipe.load("multi30k-ten"), Recipe.load("multi30k")
    assert small.tokenizer["joint"] is False
    assert small.model | {"tie": "all"} == large.model
    times = [RUNS["multi30k", seed]["median_step_ms"] for seed in (1, 2, 3)]
    own = RUNS["multi30k-ten", 1]["median_step_ms"]
    assert own < min(times)
    assert f"({own} ms instead of {min(times)} to {max(times)} at width 128)" in README


def test_weight_decay_is_all_that_differs() -> None:
    names = ("multi30k-forty", "multi30k-decay")
    plain, decayed = (Recipe.load(name).to_dict() for name in names)
    shares = [tables["training"].pop("weight_decay") for tables in (plain, decayed)]
    assert shares == [0.0, 0.2]
    assert plain == decayed
    before, after = RUNS["multi30k-forty", 1], [RUNS["multi30k-decay", seed] for seed in (1, 2)]
    loss, bleu, test = ([one[key] for one in after] for key in ("valid_loss", "valid_bleu", "test"))
    scores = [one["greedy"]["bleu"] for one in test]
    assert max(loss) < before["valid_loss"]
    assert min(bleu) > before["valid_bleu"]
    assert min(scores) > before["test"]["greedy"]["bleu"]
    assert (
        f"On the validation sentences its loss is {loss[0]:.2f} and {loss[1]:.2f} (two seeds) "
        f"instead of {before['valid_loss']:.2f} (one seed), its BLEU {bleu[0]:.1f} and "
        f"{bleu[1]:.1f} instead of {before['valid_bleu']:.1f}; on test 2016 its BLEU is "
        f"{scores[0]:.2f} and {scores[1]:.2f} instead of {before['test']['greedy']['bleu']:.2f}."
    ) in README


def _greedy(recipe: str, seed: int = 1) -> dict[str, int]:
    found: dict[str, int] = RUNS[recipe, seed]["test"]["greedy"]
    return found


def test_the_curve_is_one_of_time() -> None:
    for run in RUNS.values():
        times = [point["seconds"] for point in run["curve"]]
        assert times == sorted(times) and times[-1] == pytest.approx(run["seconds"], abs=0.2)
        best = min(run["curve"], key=lambda point: float(point["valid_loss"]))
        assert (best["valid_loss"], best["valid_bleu"]) == (run["valid_loss"], run["valid_bleu"])
