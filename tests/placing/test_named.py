"""Named splits: what is shipped is what was published."""

from collections import Counter
from pathlib import Path

import pytest
from psgimg.builder.corpora import registry
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.name_forms import is_id
from psgimg.builder.dataset.splits import SplitPolicy
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.named import NAMED
from psgimg.builder.placing.people import Person

N_PEOPLE = {
    "usleep": {"train": 11_127, "validation": 256, "test": 680},
    "phan-shhs1": {"train": 4_065, "validation": 100, "test": 1_639},
}


@pytest.mark.parametrize("name", NAMED)
def test_everyone_has_a_split_and_a_name_as_the_corpus_gives_it(name):
    table = NAMED[name].table
    assert Counter(table.values()) == N_PEOPLE[name]
    assert set(NAMED[name].corpora) <= set(registry.CORPORA)
    assert all(is_id(registry.CORPORA[corpus], subject) for corpus, subject in table)
    assert NAMED[name].licence == "MIT"
    assert NAMED[name].url.startswith("https://")


def test_a_named_split_is_kept_as_published_even_where_it_parts_relatives():
    everyone = [
        Person("cfs", "800002", "family-1"),  # train
        Person("cfs", "800024", "family-1"),  # test
        Person("cfs", "999999", "family-1"),
    ]
    placed = SplitPolicy(named=NAMED["usleep"]).place(everyone)
    assert placed == {("cfs", "800002"): "train", ("cfs", "800024"): "test"}


def test_a_corpus_of_which_a_named_split_has_nobody_is_refused_before_the_build(tmp_path):
    with pytest.raises(BuildError, match="usleep assigns nobody of hmc, only of cfs, dcsm"):
        BuildConfig(("shhs", "hmc"), out=tmp_path, split_file=Path("usleep"))
