"""RecBole's side of `sequential_training.py`; it runs in RecBole's own environment.

    python recbole_worker.py JOB    (JSON: see `Job` there)

Trains with RecBole's own loader and loop, blocks of batches as the lines on standard input ask,
and answers each line with one line of JSON.
"""

import json
import logging
import random
import sys
import time

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

NAMES = {"sasrec": "SASRec", "gru4rec": "GRU4Rec", "bert4rec": "BERT4Rec"}


class Block:
    """The next batches of an endless run over the training rows, as one epoch of RecBole's loop."""

    def __init__(self, loader: object) -> None:
        self.loader, self.shuffle = loader, False
        self.batches, self.size = iter(loader), 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self):
        for _ in range(self.size):
            batch = next(self.batches, None)
            if batch is None:
                self.batches = iter(self.loader)
                batch = next(self.batches)
            yield batch


def settings(job: dict) -> dict:
    """RecBole's names for what both sides share."""
    dropout, layers = job["dropout"], job["layers"]
    both = {
        "data_path": job["folder"],
        "seed": job["seed"],
        "reproducibility": True,
        "use_gpu": False,
        "gpu_id": "",
        "state": "CRITICAL",
        "show_progress": False,
        "save_dataset": False,
        "checkpoint_dir": job["folder"],
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": job["length"],
        "train_neg_sample_args": None,
        "loss_type": "CE",
        "train_batch_size": job["batch"],
        "eval_batch_size": 2048,
        "learning_rate": job["learning_rate"],
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "metric_decimal_place": 5,
        "eval_args": {
            "split": {"LS": "valid_and_test"},
            "group_by": "user",
            "order": "TO",
            "mode": "full",
        },
    }
    if job["recommender"] == "gru4rec":
        sizes = {"embedding_size": 64, "hidden_size": 64, "num_layers": layers}
        return both | sizes | {"dropout_prob": dropout}
    sizes = {"n_layers": layers, "n_heads": 8, "hidden_size": 64, "inner_size": 256}
    dropouts = {"hidden_dropout_prob": dropout, "attn_dropout_prob": dropout}
    masks = {"mask_ratio": 0.2, "ft_ratio": 0.1} if job["recommender"] == "bert4rec" else {}
    return both | sizes | dropouts | masks


def main() -> None:
    """Answer until standard input ends."""
    job = json.loads(sys.argv[1])
    sys.argv = sys.argv[:1]  # RecBole reads it too
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    model_name = NAMES[job["recommender"]]
    config = Config(model=model_name, dataset="lists", config_dict=settings(job))
    init_seed(job["seed"], True)
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    init_seed(job["seed"], True)
    model = get_model(model_name)(config, train._dataset).to("cpu")
    if not job["as_shipped"]:  # importing any sequential model turns it on, by way of SINE's file
        torch.autograd.set_detect_anomaly(False)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    random.seed(job["seed"])
    np.random.seed(job["seed"])
    block, epoch = Block(train), 0
    print(json.dumps({"rows": len(train.dataset), "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "evaluate" in request:
            loader = {"valid": valid, "test": test}[request["evaluate"]]
            result = trainer.evaluate(loader, load_best_model=False, show_progress=False)
            print(json.dumps({"ndcg_at_10": float(result["ndcg@10"])}), flush=True)
            continue
        block.size = request["batches"]
        started = time.process_time()
        loss = trainer._train_epoch(block, epoch)
        seconds, epoch = time.process_time() - started, epoch + 1
        answer = {"seconds": seconds, "rows": block.size * job["batch"], "loss": loss / block.size}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
