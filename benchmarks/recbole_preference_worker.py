"""RecBole's side of `preference_training.py`; it runs in RecBole's own environment.

    python recbole_preference_worker.py JOB    (JSON: see `Job` there)

Trains with RecBole's own loader and loop, blocks of batches as the lines on standard input ask,
and answers each line with one line of JSON.
"""

import math
from itertools import islice

import torch
from recbole_worker import answer_requests, build, read_job, shared_settings

NAMES = {"bprmf": "BPR", "neumf": "NeuMF", "cfkg": "CFKG", "lightgcn": "LightGCN"}
SETTINGS = {
    "bprmf": {"embedding_size": 64},
    "neumf": {
        "mf_embedding_size": 64,
        "mlp_embedding_size": 64,
        "mlp_hidden_size": [128, 64],
        "dropout_prob": 0.1,
    },
    "cfkg": {"embedding_size": 64, "loss_function": "transe", "margin": 1.0},
    "lightgcn": {"embedding_size": 64, "n_layers": 3, "reg_weight": 1e-4, "require_pow": True},
}


class Block:
    """The first batches of a new epoch, in the place of RecBole's loader."""

    def __init__(self, loader: object, rows_an_interaction: int) -> None:
        self.loader, self.rows_an_interaction = loader, rows_an_interaction
        self.size, self.rows = 0, 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self):
        for batch in islice(iter(self.loader), self.size):
            self.rows += len(batch["user_id"]) // self.rows_an_interaction
            yield batch

    def set_mode(self, state: object) -> None:
        """What RecBole's trainer for graphs asks of a loader."""
        self.loader.set_mode(state)


def settings(job: dict, rows_an_interaction: int) -> dict:
    """RecBole's names for what both sides share."""
    both = shared_settings(job) | {
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False},
        "train_batch_size": job["batch"] * rows_an_interaction,
        "eval_batch_size": 1 << 18,
        "metric_decimal_place": 6,
        "eval_args": {"group_by": "user", "order": "RO", "mode": "full"},
    }
    if job["recommender"] == "cfkg":
        both["load_col"] |= {
            "kg": ["head_id", "relation_id", "tail_id"],
            "link": ["item_id", "entity_id"],
        }
    return both | SETTINGS[job["recommender"]]


def main() -> None:
    """Answer until standard input ends."""
    job = read_job()
    times = 2 if job["recommender"] == "neumf" else 1  # it has a row for each negative
    name = NAMES[job["recommender"]]
    trainer, loaders = build(job, name, "preferences", settings(job, times))
    torch.autograd.set_detect_anomaly(False)
    rows = len(loaders[0]._dataset)
    about = {
        "rows": rows,
        "batches": math.ceil(rows / job["batch"]),
        "parameters": sum(each.numel() for each in trainer.model.parameters()),
    }
    answer_requests(trainer, Block(loaders[0], times), loaders, about)


if __name__ == "__main__":
    main()
