"""MarianMT folders in, text out: a tiny random model with tokenizers trained on the spot."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sentencepiece
import torch
from click.testing import Result
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import MarianConfig, MarianMTModel, MarianTokenizer
from transformers.utils import logging
from typer.testing import CliRunner

from transformer_lite import Translator, cli
from transformer_lite.data import BOS, EOS, PAD, UNK
from transformer_lite.evaluation import longest_translation
from transformer_lite.interop import load_marian
from transformer_lite.runs.checkpoint import CheckpointError

GERMAN = [
    "Ein Hund rennt durch den Schnee.", "Zwei Kinder spielen im Garten.", "Der Mann liest.",
    "Eine Frau trinkt Wasser am Fluss.", "Die Katze schläft unter dem Tisch.",
]  # fmt: skip
ENGLISH = [
    "A dog runs through the snow.", "Two children play in the garden.", "The man reads.",
    "A woman drinks water at the river.", "The cat sleeps under the table.",
]  # fmt: skip
COMMAND = Path(sys.executable).with_name("transformer-lite")


def train_pieces(texts: Sequence[str], path: Path) -> list[str]:
    """Train a sentencepiece model into a file; returns its pieces without the specials."""
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=file,
            vocab_size=60,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [model.id_to_piece(i) for i in range(len(model)) if not model.is_control(i)][1:]


def vocabulary(pieces: Sequence[str]) -> dict[str, int]:
    """Ids as in OPUS-MT: the end first, the padding last."""
    tokens = ["</s>", "<unk>", *dict.fromkeys([*pieces, ">>eng<<"]), "<pad>"]
    return {token: index for index, token in enumerate(tokens)}


def random_model(source_vocab: int, target_vocab: int, pad: int, shared: bool) -> MarianMTModel:
    torch.manual_seed(3)
    config = MarianConfig(
        vocab_size=source_vocab, decoder_vocab_size=target_vocab, d_model=16, encoder_layers=2,
        decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=24,
        decoder_ffn_dim=24, max_position_embeddings=64, activation_function="swish",
        scale_embedding=True, pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=0,
        share_encoder_decoder_embeddings=shared,
    )  # fmt: skip
    model = MarianMTModel(config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and "norm" not in name:
            nn.init.normal_(parameter, std=0.05 if "bias" in name else 0.4)
    model.final_logits_bias[0, pad] = 1.0
    model.generation_config.bad_words_ids = [[pad]]
    model.generation_config.num_beams = 4
    return model.eval()


@pytest.fixture(scope="module", params=["one vocabulary", "two vocabularies"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `save_pretrained` leaves; tests only read it."""
    made, path = tmp_path_factory.mktemp("making"), tmp_path_factory.mktemp("marian")
    source = train_pieces(GERMAN, made / "source.spm")
    target = train_pieces(ENGLISH, made / "target.spm")
    shared = request.param == "one vocabulary"
    first = vocabulary([*source, *target] if shared else source)
    # The padding has one id on both sides: here not the last one of either.
    second = first if shared else vocabulary([*target, *(f"▁{i}" for i in range(30))])
    if not shared:
        for table in (first, second):
            other = next(token for token, index in table.items() if index == 40)
            table[other], table["<pad>"] = table["<pad>"], 40
    for name, table in (("vocab.json", first), ("target_vocab.json", second)):
        (made / name).write_text(json.dumps(table))
    with pytest.warns(UserWarning, match="sacremoses"):
        tokenizer = MarianTokenizer(
            *(str(made / name) for name in ("source.spm", "target.spm", "vocab.json")),
            target_vocab_file=None if shared else str(made / "target_vocab.json"),
            separate_vocabs=not shared,
        )
    tokenizer.save_pretrained(path)
    random_model(len(first), len(second), first["<pad>"], shared).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def theirs(folder: Path) -> tuple[MarianMTModel, MarianTokenizer]:
    with pytest.warns(UserWarning, match="sacremoses"):
        tokenizer = MarianTokenizer.from_pretrained(folder)
    return MarianMTModel.from_pretrained(folder), tokenizer


@pytest.fixture(scope="module")
def translator(folder: Path) -> Translator:
    return Translator(load_marian(folder))


def test_a_marian_model_is_not_written_into_our_folders(
    translator: Translator, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"Marian model is not written .*; keep the folder"):
        translator.save(tmp_path / "copy")
    assert not list(tmp_path.iterdir())


def their_tokens(theirs: tuple[MarianMTModel, MarianTokenizer], text: str) -> torch.Tensor:
    """What `generate` writes after the start token, within our limit of length."""
    model, tokenizer = theirs
    inputs = tokenizer(text, return_tensors="pt")
    limit = longest_translation(inputs.input_ids.shape[1])
    tokens: torch.Tensor = model.generate(
        **inputs, num_beams=1, do_sample=False, max_new_tokens=limit, forced_eos_token_id=None
    )
    return tokens[0, 1:]


def test_translations_are_those_of_transformers(
    translator: Translator, theirs: tuple[MarianMTModel, MarianTokenizer]
) -> None:
    texts = [*GERMAN, "Hund", "Wasser im Buch, Katze!", "Wie spät ist es?  Χρόνος"]
    expected = [
        theirs[1].decode(their_tokens(theirs, text), skip_special_tokens=True) for text in texts
    ]
    assert translator(texts) == expected
    assert len(set(expected)) > 4, "the translation should depend on the text"


def test_both_tokenizers_are_marians(
    translator: Translator, theirs: tuple[MarianMTModel, MarianTokenizer]
) -> None:
    tokenizer = theirs[1]
    for side, ours, texts in (
        ("text", translator.source, GERMAN),
        ("text_target", translator.target, ENGLISH),
    ):
        for text in texts:
            ids = ours.encode(text)
            ids_there = tokenizer(**{side: text}, add_special_tokens=False).input_ids
            pieces = [token for token in ours.tokens(ids) if token != "<unk>"]
            table = tokenizer.encoder
            if side == "text_target" and tokenizer.separate_vocabs:
                table = tokenizer.target_encoder
            assert [table[piece] for piece in pieces] == [i for i in ids_there if i != 1]
            assert ours.decode([*ids, EOS, 7]) == text
    source = translator.source
    assert source.tokens([PAD, BOS, EOS, UNK]) == ["<pad>", "<bos>", "<eos>", "<unk>"]
    assert source.encode("Χ")[-1] == UNK
    assert source.tokens(source.encode(">>eng<< Hund"))[0] == ">>eng<<"
    assert len(source) == translator.model.source_vocab
    assert len(translator.target) == translator.model.target_vocab
    with pytest.raises(ValueError, match="text must hold at least one word, but it is empty"):
        translator(" ")


def test_specials_that_a_reader_types_are_text(translator: Translator) -> None:
    ids = translator.source.encode("Hund </s> <pad> Katze")
    assert not {PAD, BOS, EOS} & set(ids)
    assert "Hund" in translator.source.decode(ids) and "Katze" in translator.source.decode(ids)


def test_padding_and_start_are_never_written(folder: Path, tmp_path: Path) -> None:
    """Whatever the generation settings of the model say."""
    careless = tmp_path / "careless"
    shutil.copytree(folder, careless)
    settings = json.loads((careless / "generation_config.json").read_text())
    del settings["bad_words_ids"]
    (careless / "generation_config.json").write_text(json.dumps(settings))
    saved = load_marian(careless)
    source = torch.tensor([[*saved.source.encode(GERMAN[0]), EOS]])
    logits = saved.model(source, torch.ones_like(source).bool(), torch.tensor([[BOS, 7]]))
    assert (logits[0, :, [PAD, BOS]] == -torch.inf).all()
    assert logits[0, :, EOS:].isfinite().all()


def test_maps_are_marians(
    translator: Translator, theirs: tuple[MarianMTModel, MarianTokenizer]
) -> None:
    model, tokenizer = theirs
    found = translator.explain(GERMAN[0])
    assert found.translation == translator(GERMAN[0])
    assert "".join(found.source_tokens[:-1]).replace("▁", " ").strip() == GERMAN[0]
    tokens = their_tokens(theirs, GERMAN[0])
    assert len(found.target_tokens) == len(tokens)
    inputs = tokenizer(GERMAN[0], return_tensors="pt")
    start = torch.tensor([model.config.decoder_start_token_id])
    model.set_attn_implementation("eager")  # the other way forms no weights
    outputs = model(
        **inputs, decoder_input_ids=torch.cat([start, tokens[:-1]])[None], output_attentions=True
    )
    model.set_attn_implementation("sdpa")
    expected = {
        "encoder.0.self": outputs.encoder_attentions[0],
        "encoder.1.self": outputs.encoder_attentions[1],
        "decoder.0.self": outputs.decoder_attentions[0],
        "decoder.0.cross": outputs.cross_attentions[0],
    }
    assert set(found.maps) == set(expected)
    for name, weights in expected.items():
        torch.testing.assert_close(found.maps[name], weights[0], rtol=0, atol=1e-5)
    assert found.by_word()[1] == [*GERMAN[0].split(), "<eos>"]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(one) for one in arguments])


def test_the_commands(folder: Path, translator: Translator) -> None:
    result = call("translate", "--marian", folder, *GERMAN)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == translator(GERMAN) and not result.stderr
    result = call("translate", "--marian", folder, "--beam", 3, GERMAN[0])
    assert result.stdout.splitlines() == [translator(GERMAN[0], beam_size=3)]
    result = call("explain", "--marian", folder, GERMAN[0])
    assert result.exit_code == 0, result.output
    first, *rows = result.stdout.splitlines()
    assert first == translator(GERMAN[0])
    assert rows == translator.explain(GERMAN[0]).as_text().splitlines()


def one_line_of_error(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 1 and not result.stdout
    (line,) = result.stderr.strip().splitlines()
    return line


def test_a_text_that_is_too_long(folder: Path) -> None:
    line = one_line_of_error("translate", "--marian", folder, "Hund " * 70)
    assert "at most 64 tokens, as in training, but it has 281; translate it in shorter" in line


def test_one_model_at_a_time(folder: Path) -> None:
    for command in ("translate", "explain"):
        line = one_line_of_error(command, "--marian", folder, "--model", "pocket", "Hund")
        assert line == f"error: --model must be left out beside --marian {folder}, but it is pocket"


def lose_a_weight(path: Path) -> None:
    weights = load_file(path / "model.safetensors")
    del weights["model.encoder.layers.1.fc1.bias"]
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing in it": (lambda path: (shutil.rmtree(path), path.mkdir()), "config.json"),
    "another kind of model": (
        lambda path: (path / "config.json").write_text('{"model_type": "bert"}'),
        "its config.json says model_type='bert'",
    ),
    "a configuration cut off": (lambda path: (path / "config.json").write_text("{"), "line 1"),
    "no weights": (lambda path: (path / "model.safetensors").unlink(), "model.safetensors"),
    "weights cut off": (
        lambda path: (path / "model.safetensors").write_bytes(b"\x08"), "",
    ),
    "a weight missing": (lose_a_weight, "(weights are missing: model.encoder.layers.1.fc1.bias)"),
    "no tokenizer": (lambda path: (path / "source.spm").unlink(), ""),
    "no vocabulary": (lambda path: (path / "vocab.json").unlink(), ""),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_a_folder_that_is_not_whole(case: str, folder: Path, tmp_path: Path) -> None:
    change, words = SPOILED[case]
    spoiled = tmp_path / "spoiled"
    shutil.copytree(folder, spoiled)
    change(spoiled)
    line = one_line_of_error("translate", "--marian", spoiled, "Hund")
    assert line.startswith(f"error: {spoiled} holds no whole MarianMT model with its tokenizer (")
    assert words in line
    assert line.endswith("save both there with save_pretrained, or fetch it again")


def test_a_tokenizer_of_another_model(folder: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(folder, spoiled)
    table = json.loads((spoiled / "vocab.json").read_text())
    (spoiled / "vocab.json").write_text(json.dumps(table | {"▁zzz": 500}))
    line = one_line_of_error("translate", "--marian", spoiled, "Hund")
    assert "do not belong together: there is a piece with the id 500, but the model has" in line


def test_no_network_is_one_line(tmp_path: Path) -> None:
    """The whole command, aimed at a port of this machine where nobody answers."""
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    result = subprocess.run(
        [COMMAND, "translate", "--marian", "Helsinki-NLP/opus-mt-de-en", "Hund"],
        capture_output=True, text=True, check=False, timeout=120, env=environment,
    )  # fmt: skip
    assert result.returncode == 1 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: there is no Marian model 'Helsinki-NLP/opus-mt-de-en'")
    assert "check the name and the network, or give the folder of a model that was fetched" in line


def test_without_the_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    line = one_line_of_error("translate", "--marian", "soup", "Hund")
    assert line.startswith("error: Marian models need the packages transformers and sentencepiece")
    assert line.endswith("pip install transformers sentencepiece")


def test_a_name_that_cannot_be_one() -> None:
    line = one_line_of_error("explain", "--marian", "no/such/folder", "Hund")
    assert line.startswith("error: there is no Marian model 'no/such/folder': it is no folder")


@pytest.mark.parametrize("both", [True, False])
def test_a_model_is_fetched_by_its_name(
    both: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is needed, and the weights once: safetensors where there are any."""
    hub, cache = tmp_path / "hub", tmp_path / "cache"
    shutil.copytree(folder, hub)
    cache.mkdir()
    torch.save(MarianMTModel.from_pretrained(folder).state_dict(), hub / "pytorch_model.bin")
    (hub / "README.md").write_text("a card")
    if not both:
        (hub / "model.safetensors").unlink()

    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        assert name == "somebody/model"
        for pattern in allow_patterns:
            for path in hub.glob(pattern):
                shutil.copy(path, cache)
        return str(cache)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    found = Translator(load_marian("somebody/model"))
    assert found(GERMAN[0]) == Translator(load_marian(folder))(GERMAN[0])
    assert found.task == {"name": "somebody/model"}
    weights = {"model.safetensors"} if both else {"pytorch_model.bin"}
    assert {"model.safetensors", "pytorch_model.bin"} & {p.name for p in cache.iterdir()} == weights
    assert not (cache / "README.md").exists()


def test_progress_bars_are_shown_again_where_they_were(folder: Path) -> None:
    assert logging.is_progress_bar_enabled()
    load_marian(folder)
    assert logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        load_marian(folder)
        assert not logging.is_progress_bar_enabled()
    finally:
        logging.enable_progress_bar()


def test_its_tokenizer_is_not_written_into_checkpoints(translator: Translator) -> None:
    with pytest.raises(ValueError, match="keep the folder that the model came from"):
        translator.source.to_json()


def test_a_damaged_folder_is_a_checkpoint_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no whole MarianMT model"):
        load_marian(tmp_path)
