"""What is said of each table and figure: its rows, its metrics, how it differs from the paper."""

from dataclasses import replace

from cove.recommenders import CLICKS, PREFERENCES
from training.evaluation import thirds
from training.paper import category_rows, click_rows, paper_figures, preference_rows
from training.paper.list_tables import FIGURE_4, TABLE_2, TABLE_5
from training.paper.table import DEFAULT_FORM, RARE, MetricTable, Table, by_thirds

_CLICK_METRICS = (
    MetricTable(
        "Table A: ranking within a user",
        {
            "ndcg_at_1": "NDCG@1",
            "ndcg_at_5": "NDCG@5",
            "ndcg_at_10": "NDCG@10",
            "hit_at_5": "HR@5",
            "hit_at_10": "HR@10",
            "user_auc": "AUC within a user",
        },
        "Test samples of each user, then the mean over users; mean ± standard deviation over the "
        "seeds. A user without a click in the test samples is left out, for the AUC also one with "
        "clicks alone. Ties count as the mean over their orders.",
    ),
    MetricTable(
        "Table B: over all samples",
        {
            "auc": "AUC",
            "log_loss": "log loss (less is better)",
            "calibration_error": "calibration error, 15 bins",
        },
        "All test samples together; mean ± standard deviation over the seeds.",
    ),
    MetricTable(
        "Table C: AUC within a user by thirds of the items",
        {f"user_auc_of_{name}": name.replace("_", " ") for name in thirds.OF_ITEMS},
        "As in Table A, among the user's test samples in each third of the items by their clicks "
        "in training; equal numbers share the lower third.",
    ),
)
_CLICK_DIFFERENCES = (
    DEFAULT_FORM,
    "The paper gives no rule for its test samples, its splits or which candidates a user's ranking "
    "is over. Here a user's test samples are ranked among themselves, and samples are split "
    "8 : 1 : 1 by the seed, or by time where `split` says so, and then alike for all seeds. Most "
    "of a user's few test samples on MovieLens are clicks, so NDCG and hit rate stand near 1 "
    "whatever the model, above the paper's figures: AUC tells more.",
    "Vocabularies come from the training samples; a test sample with a user or item that training "
    "does not know is scored by the average embedding.",
    "Section 4.1: D = 64, 3 layers of 1,000, dropout 0.1, Adam at 0.001. Its batch is 5,000; here "
    "1,000, for ML-100K has but 11 such batches. `mind_small_sample` is 5,000 impressions of "
    "MIND-small, the paper has all of it.",
    "In MIND a user's history counts as clicks of the training set. An impression repeats what "
    "other impressions show, so that a pair of user and item may be in training and in test. Half "
    "of the training samples of `mind_small_sample` are clicks by this, and one in 25 of the test "
    "samples: there log loss and calibration error say little.",
    "Weights are those of the epoch with the best AUC on the validation samples.",
)

TABLE_4 = Table(
    name="table4",
    title="Table 4",
    task=CLICKS,
    rows=click_rows.table_rows,
    is_main=click_rows.is_main,
    units="users",
    units_note="A user is drawn for all seeds or for none.",
    selected=("auc", "AUC"),
    compared={
        "user_auc": "AUC within a user",
        "user_auc_of_rare_items": "AUC within a user, rare items",
        "ndcg_at_5": "NDCG@5",
        "ndcg_at_10": "NDCG@10",
    },
    plotted=("auc", "AUC"),
    metric_tables=_CLICK_METRICS,
    differences=_CLICK_DIFFERENCES,
    paper_title="The paper's own Table 4",
    paper_note="Its splits and candidates are not known: for reference only.",
    paper_head=paper_figures.CLICK_MODELS,
    paper=paper_figures.TABLE_4,
    paper_metrics={
        "ndcg_at_1": "N@1",
        "ndcg_at_5": "N@5",
        "ndcg_at_10": "N@10",
        "hit_at_5": "HR@5",
        "hit_at_10": "HR@10",
    },
)

FIGURE_3 = Table(
    name="figure3",
    title="Figure 3",
    task=CLICKS,
    rows=click_rows.figure_rows,
    is_main=lambda row: True,
    units=TABLE_4.units,
    units_note=TABLE_4.units_note,
    selected=TABLE_4.selected,
    compared=TABLE_4.compared,
    plotted=TABLE_4.plotted,
    metric_tables=_CLICK_METRICS,
    differences=(
        "The paper draws its Figure 3 without giving the figures behind it; it says that both "
        "user and item COVE help each of the four networks.",
        *_CLICK_DIFFERENCES,
    ),
)

_HELD_OUT_NOTE = (
    "Test users, each with one held-out item; mean ± standard deviation over the seeds. A held-out "
    "item that training does not know is a miss. Ties count as the mean over their orders."
)

TABLE_3 = Table(
    name="table3",
    title="Table 3",
    task=PREFERENCES,
    rows=preference_rows.table_rows,
    is_main=preference_rows.is_main,
    units="users",
    units_note=TABLE_4.units_note,
    selected=("ndcg_at_10", "full NDCG@10"),
    compared={
        "ndcg_at_10": "NDCG@10 among all items",
        RARE: "NDCG@10 of rare items among all items",
        "sampled_99_ndcg_at_10": "NDCG@10 among 99 sampled items",
    },
    plotted=("ndcg_at_10", "NDCG@10 among all items"),
    metric_tables=(
        MetricTable(
            "Table A: ranked among all items",
            {
                "ndcg_at_5": "NDCG@5",
                "ndcg_at_10": "NDCG@10",
                "hit_at_5": "HR@5",
                "hit_at_10": "HR@10",
            },
            _HELD_OUT_NOTE,
        ),
        MetricTable(
            "Table B: ranked among 99 sampled items, the paper's form",
            {
                "sampled_99_ndcg_at_5": "sampled NDCG@5",
                "sampled_99_ndcg_at_10": "sampled NDCG@10",
                "sampled_99_hit_at_5": "sampled HR@5",
                "sampled_99_hit_at_10": "sampled HR@10",
            },
            _HELD_OUT_NOTE + " The 99 are the same for every row of a seed, and none that the user "
            "has. Not to be compared with Table A.",
        ),
        by_thirds("histories", "that of the item to be found, among all items"),
    ),
    differences=(
        "The paper's figures have the form of 99 sampled items (Table B). How it splits, which "
        "items it samples and how its data sets were filtered it does not say; `toys` has 167,597 "
        "interactions here and 623,023 in its Table 1.",
        "The last interaction of each user is tested on, the last but one validates; where the "
        "data have an order the split is one for all seeds, and a seed is another start, other "
        "negatives and other samples of 99.",
        "The paper uses interactions alone, so that its CFKG has no other relation; here CFKG has "
        "the facts that come with the data, where some do.",
        "Section 4.1: D = 64, batches of 1,024, 3 layers of LightGCN, Adam at 0.001; here at "
        "0.003, which needs fewer epochs.",
        DEFAULT_FORM + " `shrinkage` takes Eq. 6's place.",
        "`loss=softmax` is no recommender of the paper: the same scores as cosines, and a softmax "
        "among all negatives of the batch in place of one negative.",
        "What was tuned was tuned in validation. Weights are those of the epoch with the best "
        "NDCG@10 among all items in validation (NeuMF: on 3,000 users).",
    ),
    paper_title="The paper's own Table 3",
    paper_note="Its filters and splits are not known: for reference beside Table B only.",
    paper_head=paper_figures.PREFERENCE_MODELS,
    paper=paper_figures.TABLE_3,
    paper_metrics={
        "sampled_99_ndcg_at_5": "N@5",
        "sampled_99_ndcg_at_10": "N@10",
        "sampled_99_hit_at_5": "HR@5",
        "sampled_99_hit_at_10": "HR@10",
    },
)

FIGURE_5 = replace(
    TABLE_3,
    name="figure5",
    title="Figure 5",
    rows=category_rows.figure_rows,
    is_main=lambda row: True,
)
"""Its runs are Table 3's; what is said of them is in `training.paper.categories_page`."""

TABLES = {
    table.name: table
    for table in (TABLE_2, TABLE_3, TABLE_4, TABLE_5, FIGURE_3, FIGURE_4, FIGURE_5)
}
