"""COVE's forms: how codes come about and what they weigh, under one name.

`default`: an entity's code is fixed before training, by k-means in who occurs with whom in the
training data (`training.cooccurrence`); its vector e is trained by the recommender alone, and is
what entities with few interactions have in common with others like them:

    z_c = z + α e_code,    α = 1

Coarser levels are there to browse, and made after training from the embeddings that it gave:
averaged into z̄ as well they changed nothing that one seed can tell (FANS on `aotm`, validation N@10
.0731 with 1,000 codes and .0690 with 1,000 and 100, but .0683 and .0703 with 1,044 and with 1,044,
104 and 10).

`evolving`: nearest codes that move with the embeddings (Eq. 1 to 6), by k-means after two epochs.
`paper`: the same to the letter of the text: α = β = ω_q = ω_c = 1 (Section 4.6), straight-through
(Eq. 5), the sum of Eq. 6, codes from a random start.
"""

from typing import Any

from cove.errors import SettingsError

DEFAULT = "default"
FORMS: dict[str, dict[str, Any]] = {
    DEFAULT: {"assignment": "cooccurrence", "averaged_levels": 1, "alpha": 1.0},
    "evolving": {},
    "paper": {
        "alpha": 1.0,
        "commitment_weight": 1.0,
        "quantization_weight": 1.0,
        "code_prediction_weight": 1.0,
        "gradient": "straight_through",
        "loss_reduction": "sum",
        "initialization": "sample",
    },
}
"""Settings of quantizers and of COVE's losses; what a form leaves out has its own default."""

_SHRINKAGE = {"bprmf": 0.04, "neumf": 0.001, "cfkg": 0.01, "lightgcn": 0.001}
"""λ of `default` where a loss has norms to hold down; of those tried, what validation on `toys`
preferred. LightGCN averages over neighbours anyway: there, seed 0, 0 has N@10 .0373, 0.0003 .0372,
0.001 .0368, 0.003 .0364, 0.01 .0343, 0.03 .0301, and 0.001, an earlier choice, stayed."""

_UPDATE_INTERVAL = 32
"""K of `default` where a step is little else than Adam's pass over the tables."""


def settings_of_form(name: str, recommender: str) -> dict[str, Any]:
    """What a form sets for a recommender.

    Raises:
        SettingsError: there is no such form.
    """
    if not isinstance(name, str) or name not in FORMS:
        raise SettingsError(f"form must be one of {', '.join(FORMS)}: got {name!r}")
    if name != DEFAULT or recommender not in _SHRINKAGE:
        return FORMS[name]
    own = {"shrinkage": _SHRINKAGE[recommender], "update_interval": _UPDATE_INTERVAL}
    return FORMS[name] | own
