"""Train every kind of model in two processes; `test_distributed` compares what they wrote.

    python two_processes.py FOLDER

Each process writes its weights and losses after the last step to FOLDER/KIND.RANK.safetensors, with
the number of the kind, and the seed of that step to FOLDER/seed.RANK.
"""

import sys
from pathlib import Path

import torch
from every_model import KINDS, SOURCE_VOCAB, TARGET_VOCAB, build
from safetensors.torch import save_file
from several import train_together

from transformer_lite.data.batching import Example
from transformer_lite.runs import distributed
from transformer_lite.runs.trainer import SharedTrainer
from transformer_lite.training import TrainingConfig

# Some batches are one row, so that one process has none of its own.
CONFIG = TrainingConfig(steps=6, batch_tokens=20, warmup=2, peak_rate=0.01, label_smoothing=0.1)


def examples() -> list[Example]:
    """Pairs of many lengths, one of which fills a batch."""
    generator = torch.Generator().manual_seed(0)

    def ids(vocab: int, length: int) -> list[int]:
        return torch.randint(4, vocab, (length,), generator=generator).tolist()

    lengths = [(1, 2), (2, 1), (1, 1), (3, 3), (1, 4), (5, 2), (4, 4), (2, 6), (6, 5), (15, 12)]
    return [Example([*ids(SOURCE_VOCAB, one), 2], ids(TARGET_VOCAB, two)) for one, two in lengths]


def outcome(kind: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Final weights by name, and the loss and the number of target tokens of every step."""
    trainer = SharedTrainer(build(kind, seed), examples(), CONFIG)
    results = [trainer.step() for _ in range(CONFIG.steps)]
    return {
        **{name: parameter.detach() for name, parameter in trainer.model.named_parameters()},
        "losses": torch.tensor([result.loss for result in results], dtype=torch.float64),
        "tokens": torch.tensor([result.target_tokens for result in results]),
    }


def main() -> None:
    folder = Path(sys.argv[1])

    def work(rank: int) -> None:
        with distributed.processes(distributed.own_device("cpu")):
            for number, kind in enumerate(KINDS):
                # Another start in each process: all have to take the first one's.
                tensors = outcome(kind, seed=rank)
                save_file(tensors, folder / f"{number}.{rank}.safetensors")
        (folder / f"seed.{rank}").write_text(str(torch.initial_seed()))

    ends = train_together(2, work)
    sys.exit(max(ends, key=abs))


if __name__ == "__main__":
    main()
