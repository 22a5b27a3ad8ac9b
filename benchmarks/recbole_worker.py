"""RecBole's side of `training.py`; it runs in RecBole's own environment.

    python recbole_worker.py JOB    (JSON: see `Job` in training_jobs.py)

Trains with RecBole's own loader and loop, blocks of batches as the lines on standard input ask,
and answers each line with one line of JSON.
"""

import json
import logging
import math
import random
import resource
import sys
import time
from itertools import islice

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

NAMES = {
    "caser": "Caser", "gru4rec": "GRU4Rec", "sasrec": "SASRec", "bert4rec": "BERT4Rec",
    "bprmf": "BPR", "neumf": "NeuMF", "cfkg": "CFKG", "lightgcn": "LightGCN",
    "deepfm": "DeepFM", "dcn": "DCN",
}  # fmt: skip
RANKING = {"group_by": "user", "mode": "full"}


def of_lists(job: dict) -> dict:
    """Settings of the sequential models: leave the last two items of each list out."""
    transformer = {
        "n_layers": 3, "n_heads": 8, "hidden_size": 64, "inner_size": 256,
        "hidden_dropout_prob": job["dropout"], "attn_dropout_prob": job["dropout"],
    }  # fmt: skip
    own = {
        "caser": {"embedding_size": 64, "nh": 16, "nv": 4, "reg_weight": 0.0},
        "gru4rec": {"embedding_size": 64, "hidden_size": 64, "num_layers": 3},
        "sasrec": transformer,
        "bert4rec": transformer | {"mask_ratio": 0.2, "ft_ratio": 0.1},
    }
    return own[job["recommender"]] | {
        "dropout_prob": job["dropout"],
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": job["length"],
        "train_neg_sample_args": None,
        "loss_type": "CE",
        "eval_args": RANKING | {"split": {"LS": "valid_and_test"}, "order": "TO"},
    }


def of_clicks(job: dict) -> dict:
    """Settings of the click-through models."""
    return {
        "embedding_size": 64,
        "mlp_hidden_size": [1000] * 3,
        "dropout_prob": job["dropout"],
        "cross_layer_num": 3,
        "reg_weight": 0,
        "load_col": {"inter": ["user_id", "item_id", "label"]},
        "benchmark_filename": ["train", "valid", "test"],
        "train_neg_sample_args": None,
        "eval_args": {"group_by": None, "order": "RO", "mode": "labeled"},
        "metrics": ["AUC"],
        "valid_metric": "AUC",
    }


def of_preferences(job: dict) -> dict:
    """Settings of the models of users and items."""
    networks = {"mf_embedding_size": 64, "mlp_embedding_size": 64, "mlp_hidden_size": [128, 64]}
    own = {
        "bprmf": {"embedding_size": 64},
        "neumf": networks | {"dropout_prob": job["dropout"]},
        "cfkg": {"embedding_size": 64, "loss_function": "transe", "margin": 1.0},
        "lightgcn": {
            "embedding_size": 64, "n_layers": 3, "reg_weight": 1e-4, "require_pow": True,
        },
    }  # fmt: skip
    graph = {"kg": ["head_id", "relation_id", "tail_id"], "link": ["item_id", "entity_id"]}
    return own[job["recommender"]] | {
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]}
        | (graph if job["recommender"] == "cfkg" else {}),
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False},
        "eval_args": RANKING | {"order": "RO"},
    }


TASKS = {
    "list_completion": of_lists,
    "click_through": of_clicks,
    "collaborative_filtering": of_preferences,
}


class Block:
    """The next batches, as one epoch of RecBole's loop; counts its rows and predicted items.

    rows_a_sample: NeuMF has a row for each negative.
    """

    def __init__(self, loader: object, rows_a_sample: int) -> None:
        self.loader, self.rows_a_sample = loader, rows_a_sample
        self.size, self.rows, self.terms = 0, 0, 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self):
        for batch in islice(self._endless(), self.size):
            rows = len(batch) // self.rows_a_sample
            masked = "MASK_INDEX" in batch.columns
            self.rows += rows
            self.terms += int((batch["MASK_INDEX"] > 0).sum()) if masked else rows
            yield batch

    def _endless(self):
        while True:
            yield from self.loader

    def set_mode(self, state: object) -> None:
        """What RecBole's trainer for graphs asks of a loader."""
        self.loader.set_mode(state)


def settings(job: dict, rows_a_sample: int) -> dict:
    """RecBole's names for what both sides share."""
    return {
        "data_path": job["folder"],
        "seed": job["seed"],
        "reproducibility": True,
        "use_gpu": False,
        "gpu_id": "",
        "state": "CRITICAL",
        "show_progress": False,
        "save_dataset": False,
        "checkpoint_dir": job["folder"],
        "learning_rate": job["learning_rate"],
        "train_batch_size": job["batch"] * rows_a_sample,
        "eval_batch_size": 1 << 18 if job["task"] == "collaborative_filtering" else 2048,
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "metric_decimal_place": 6,
    } | TASKS[job["task"]](job)


class Trainer:
    """RecBole's trainer with a new model, in blocks of batches."""

    def __init__(self, job: dict) -> None:
        times = 2 if job["recommender"] == "neumf" else 1
        name = NAMES[job["recommender"]]
        config = Config(model=name, dataset=job["task"], config_dict=settings(job, times))
        init_seed(job["seed"], True)
        self.train, self.valid, self.test = data_preparation(config, create_dataset(config))
        init_seed(job["seed"], True)
        model = get_model(name)(config, self.train._dataset).to("cpu")
        self.trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
        random.seed(job["seed"])
        np.random.seed(job["seed"])
        # Importing any sequential model turns it on, by way of SINE's file.
        torch.autograd.set_detect_anomaly(False)
        self.data, self.epoch = Block(self.train, times), 0
        rows = len(self.train._dataset)
        self.about = {"rows": rows, "batches": math.ceil(rows / job["batch"])}

    def block(self, batches: int) -> dict:
        """Train on so many batches."""
        self.data.size, self.data.rows, self.data.terms = batches, 0, 0
        started = time.process_time()
        loss = self.trainer._train_epoch(self.data, self.epoch)
        seconds, self.epoch = time.process_time() - started, self.epoch + 1
        loss = sum(loss) if isinstance(loss, tuple) else loss
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        counts = {"rows": self.data.rows, "terms": self.data.terms}
        return {"seconds": seconds, "loss": float(loss) / batches, "peak": peak} | counts

    def evaluate(self, split: str) -> dict:
        """The score of a split, and the CPU seconds that it took."""
        loader = {"valid": self.valid, "test": self.test}[split]
        started = time.process_time()
        result = self.trainer.evaluate(loader, load_best_model=False, show_progress=False)
        return {
            "score": float(next(iter(result.values()))),
            "seconds": time.process_time() - started,
        }


def main() -> None:
    """Answer until standard input ends."""
    job = json.loads(sys.argv[1])
    sys.argv = sys.argv[:1]  # RecBole reads it too
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    trainer = Trainer(job)
    print(json.dumps(trainer.about), flush=True)
    for line in sys.stdin:
        ((name, value),) = json.loads(line).items()
        print(json.dumps(getattr(trainer, name)(value)), flush=True)


if __name__ == "__main__":
    main()
