"""The WSDM 2020 format, one `listId itemId` a line: AotM, Zhihu, Spotify, Goodreads."""

from pathlib import Path

from training.datasets.files import RawFiles, read_text_table
from training.datasets.grouping import group_lists
from training.datasets.tables import Dataset, ListData, ListFilter

SOURCE = "github.com/heyunh2015/ListContinuation_WSDM2020"


def pair_lines(name: str, stem: str, description: str, terms: str, rule: ListFilter) -> Dataset:
    """Describe a data set whose one file is `<stem>.txt`, plain or as .txt.zip, .txt.gz or .zip."""
    files = (f"{stem}.txt.zip", f"{stem}.txt.gz", f"{stem}.txt", f"{stem}.zip")

    def load(directory: Path) -> ListData:
        raw = RawFiles(name, directory)
        path = raw.need(*files)
        content = raw.read(path)
        separator = "\t" if b"\t" in content[:4096] else " "
        table = read_text_table(content, path, separator=separator, columns=("list_id", "item_id"))
        lists, list_ids = group_lists(table, path)
        return ListData(name, lists, list_ids, None, None, raw.sha256)

    return Dataset(name, description, terms, load, files, rule)


AOTM = pair_lines(
    "aotm",
    "AotM",
    "Art of the Mix playlists (McFee and Lanckriet 2012)",
    f"{SOURCE}, data/AotM.txt.zip; welcome to use, cite the paper",
    ListFilter(max_length=60),
)
ZHIHU = pair_lines(
    "zhihu",
    "Zhihu",
    "Zhihu answer collections",
    f"{SOURCE}; cite the paper",
    ListFilter(max_length=200),
)
SPOTIFY = pair_lines(
    "spotify",
    "Spotify",
    "Spotify playlists, the large version of Table 1",
    f"{SOURCE}; cite the paper",
    ListFilter(min_length=20, max_length=300),
)
GOODREADS = pair_lines(
    "goodreads",
    "Goodreads",
    "Goodreads book lists",
    f"{SOURCE}; cite the paper",
    ListFilter(min_length=20, max_length=300),
)
