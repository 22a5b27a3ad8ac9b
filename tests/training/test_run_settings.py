"""Named values sorted into a run's settings, and everything wrong said in one sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cove.errors import SettingsError
from cove.quantization import QuantizerSettings
from cove.recommenders import RECOMMENDERS
from training.resolving import resolve
from training.run_settings import RunSettings, parse_code_sizes, parse_overrides, read_settings_file


def resolved(**values: object) -> RunSettings:
    return resolve("fans", "aotm", (500, 10), 0, {"form": "evolving"} | values)


def test_each_value_goes_to_the_group_that_knows_its_name() -> None:
    run = resolved(
        epochs=3, min_count=2, heads=4, commitment_weight=0.5, quantization_weight=0.25,
        curriculum_steps=2,
    )  # fmt: skip
    assert run.training.epochs == 3
    assert run.filter.min_count == 2
    assert (run.model["heads"], run.model["curriculum_steps"]) == (4, 2)
    assert run.quantizer is not None
    assert run.quantizer.commitment_weight == 0.5
    assert run.objective.quantization_weight == 0.25


def test_a_named_data_set_brings_its_filter_and_the_model_follows_its_lengths() -> None:
    run = resolved()
    assert (run.filter.min_length, run.filter.max_length) == (10, 60)
    assert (run.model["max_length"], run.model["min_slots"]) == (60, 5)
    longer = resolved(max_length=80, min_length=21)
    assert longer.filter.max_length == longer.model["max_length"] == 80
    assert longer.model["min_slots"] == 10
    assert resolved(min_slots=7).model["min_slots"] == 7


def test_without_code_sizes_the_recommender_is_plain() -> None:
    assert resolve("bert4rec", "aotm", None, 0, {}).quantizer is None
    assert resolved().quantizer is not None


@pytest.mark.parametrize("recommender", list(RECOMMENDERS))
def test_the_defaults_of_every_recommender_are_allowed(recommender: str) -> None:
    run = resolve(recommender, "mine.csv", (50, 5), 3, {})
    assert RECOMMENDERS[recommender].settings(**run.model).model_dump(mode="json") == run.model
    assert RunSettings.model_validate_json(run.model_dump_json()) == run


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "there is no setting named 'epoch': did you mean 'epochs'?"),
        ({"zzz": 3}, "there is no setting named 'zzz'; known are alpha, "),
        ({"code_sizes": [3]}, "code_sizes is set by --cove, like --cove 500,10"),
        ({"training": {"epochs": 1}}, "there is no setting named 'training'"),
        ({"epochs": 0}, "epochs: Input should be greater than or equal to 1 (got 0)"),
        ({"epochs": "many"}, "epochs: Input should be a valid integer"),
        ({"learning_rate": float("nan")}, "learning_rate: Input should be greater than 0"),
        ({"min_count": 0}, "min_count: Input should be greater than or equal to 1 (got 0)"),
        ({"min_length": 61}, "min_length must not exceed max_length: got min_length=61"),
        ({"heads": 3}, "heads"),
        ({"input_masking": 1.5}, "input_masking: Input should be less than or equal to 1"),
        ({"gradient": "none"}, "gradient: Input should be 'straight_through' or 'direct'"),
        ({"quantization_weight": -1}, "quantization_weight: Input should be greater than or"),
    ],
)
def test_a_wrong_name_or_value_gives_one_sentence(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolved(**values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sizes", [(10, 500), (10, 10), (0,), (-3,)])
def test_code_sizes_that_do_not_fall_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="code_sizes") as caught:
        resolve("fans", "aotm", sizes, 0, {})
    assert "\n" not in str(caught.value)


def test_an_unknown_recommender_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"must be one of .*bert4rec, fans.*: got 'gru'"):
        resolve("gru", "aotm", None, 0, {})


def test_a_setting_of_another_recommender_is_refused() -> None:
    with pytest.raises(SettingsError, match="there is no setting named 'curriculum_steps'"):
        resolve("bert4rec", "aotm", None, 0, {"curriculum_steps": 2})


def test_a_quantizer_setting_without_cove_is_refused() -> None:
    with pytest.raises(SettingsError, match="alpha belongs to COVE, which is off: add --cove"):
        resolve("fans", "aotm", None, 0, {"alpha": 0.5})


@pytest.mark.parametrize("recommender", ["fans", "deepfm", "bprmf"])
def test_cove_has_fixed_codes_from_cooccurrence_unless_another_form_is_asked_for(
    recommender: str,
) -> None:
    made = resolve(recommender, "aotm", (), 0, {}).quantizer
    assert made is not None
    assert (made.assignment, made.averaged_levels, made.alpha) == ("cooccurrence", 1, 1.0)
    assert (made.shrinkage > 0) == (made.update_interval > 1) == (recommender == "bprmf")
    evolving = resolve(recommender, "aotm", (9,), 0, {"form": "evolving"}).quantizer
    assert evolving == QuantizerSettings(code_sizes=(9,))
    assert resolve(recommender, "aotm", (9,), 0, {"assignment": "nearest"}).quantizer == evolving


def test_the_papers_form_is_its_text() -> None:
    run = resolve("fans", "aotm", (500, 10), 0, {"form": "paper", "alpha": 0.6})
    assert run.quantizer == QuantizerSettings(
        code_sizes=(500, 10), alpha=0.6, commitment_weight=1.0, gradient="straight_through",
        loss_reduction="sum", initialization="sample",
    )  # fmt: skip
    weights = run.objective.quantization_weight, run.objective.code_prediction_weight
    assert weights == (1.0, 1.0)


@pytest.mark.parametrize(
    ("sizes", "values", "message"),
    [
        ((9,), {"form": "papre"}, "form must be one of default, evolving, paper: got 'papre'"),
        (None, {"form": "paper"}, "form belongs to COVE, which is off: add --cove"),
        ((9,), {"form": "evolving", "averaged_levels": 1}, "averaged_levels is for fixed codes"),
    ],
)
def test_a_form_that_does_not_fit_is_refused(
    sizes: tuple[int, ...] | None, values: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve("fans", "aotm", sizes, 0, values)
    assert message in str(caught.value)


def test_auto_leaves_the_code_sizes_to_the_data() -> None:
    assert parse_code_sizes("auto") == ()


@pytest.mark.parametrize("text", ["", "a", "500;10", "500,", "1.5"])
def test_code_sizes_are_whole_numbers_with_commas(text: str) -> None:
    with pytest.raises(SettingsError, match="whole numbers with commas between"):
        parse_code_sizes(text)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=5))
def test_code_sizes_are_read_as_they_are_written(sizes: list[int]) -> None:
    assert parse_code_sizes(",".join(map(str, sizes))) == tuple(sizes)


def test_overrides_are_json_where_they_parse() -> None:
    given_texts = ["a=1", "b=0.5", "c=true", "d=drop", 'e="7"', "f=x=y", "a=2", "g="]
    assert parse_overrides(given_texts) == {
        "a": 2, "b": 0.5, "c": True, "d": "drop", "e": "7", "f": "x=y", "g": "",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["epochs", "=3", ""])
def test_an_override_without_a_name_or_value_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--set takes name=value: got"):
        parse_overrides([text])


def test_a_settings_file_is_toml(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('epochs = 3\ntoo_long = "drop"\n')
    assert resolved(**read_settings_file(file)).filter.too_long == "drop"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epochs: 3", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (None, "cannot read the settings file"),
    ],
)
def test_a_settings_file_that_is_none_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "run.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=message) as caught:
        read_settings_file(file)
    assert "\n" not in str(caught.value)


def test_the_fingerprint_changes_with_every_setting_and_with_the_data() -> None:
    runs = [
        resolved(), resolved(epochs=11), resolved(heads=1), resolved(min_count=9),
        resolved(alpha=0.7), resolved(code_prediction_weight=0.5),
        resolve("fans", "aotm", (500, 10), 1, {}), resolve("fans", "aotm", None, 0, {}),
        resolve("fans", "zhihu", (500, 10), 0, {}), resolve("bert4rec", "aotm", (500, 10), 0, {}),
    ]  # fmt: skip
    prints = [run.fingerprint("data") for run in runs]
    assert len(set(prints)) == len(runs)
    assert resolved().fingerprint("data") == prints[0]
    assert resolved().fingerprint("other data") != prints[0]


def test_the_fingerprint_does_not_know_how_tables_are_shared_out() -> None:
    here, there = resolved(), resolved(embedding_sharding="rows")
    assert there.training != here.training
    assert there.fingerprint("data") == here.fingerprint("data")


def test_the_fingerprint_knows_a_file_by_its_name_alone() -> None:
    near, far, other = (
        resolve("fans", name, None, 0, {}).fingerprint("data")
        for name in ("mine.csv", "/somewhere/mine.csv", "/somewhere/yours.csv")
    )
    assert near == far != other


def test_a_warm_up_must_end_before_the_run_does() -> None:
    values = {"form": "evolving", "warmup_epochs": 3, "epochs": 3}
    with pytest.raises(SettingsError, match=r"warmup_epochs must be below epochs \(3\)"):
        resolve("fans", "ml100k", (8, 2), 0, values)


def test_given_codes_need_the_model_that_gives_them() -> None:
    with pytest.raises(SettingsError, match="needs a trained model: name it with --codes-from"):
        resolve("fans", "aotm", (12, 4), 0, {"assignment": "given"})
    with pytest.raises(SettingsError, match="COVE, which is off: add --cove"):
        resolve("fans", "aotm", None, 0, {}, codes_from="fans-0123456789ab")
    taken = resolve("fans", "aotm", (12, 4), 0, {}, codes_from="fans-0123456789ab")
    assert taken.quantizer is not None
    assert (taken.quantizer.assignment, taken.codes_from) == ("given", "fans-0123456789ab")
