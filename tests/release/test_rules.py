"""Rules of a release, without a network: who may see it, and what a repository may lose."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.card import release_notes
from psgimg.builder.card.release_notes import Release
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.errors import BuildError
from psgimg.builder.release import merge, plan
from psgimg.builder.release.hub import State, Stored
from psgimg.builder.release.visibility import Standing, Wish, decide, restricted_corpora

WRITTEN = "Letter of the NSRR to A. Author, 2026-03-01, ref. 123"


def values(recordings, recipe="a", policy="open", **fixed):
    """What `build.json` would say of (corpus, subject, recording, split) tuples."""
    corpora = sorted({corpus for corpus, *_ in recordings})
    settings = {"recipe": {"style": recipe, "montage": {"name": "aasm"}}, "seed": 0, **fixed}
    return {
        "corpora": {name: {"policy": policy} for name in corpora},
        "counts": {name: {} for name in corpora},
        "left_out": {name: {} for name in corpora},
        "recordings": [
            {"corpus": c, "subject": s, "kin": s, "recording": r, "split": split}
            for c, s, r, split in recordings
        ],
        "set_aside": [],
        "shards": [
            {"path": f"data/{c}/{r}", "corpus": c, "rows": 10, "sha256": f"{recipe}{r}"}
            for c, _, r, _ in recordings
        ],
        "recipe": settings["recipe"],
        "recipe_hash": recipe,
        "fixed": settings,
        "policy": policy,
        "folds": 0,
        "placements": {
            "splits": {
                name: {s: split for c, s, _, split in recordings if c == name} for name in corpora
            },
            "folds": {},
        },
        "parted": {},
        "command": "psgimg build --source " + " ".join(corpora),
    }


def released(local, before=None, tags=(), *, allow_loss=False):
    """A release of `local` into what holds `before`."""
    merged = merge.grow(local, before, allow_loss, "org/name")
    release = merge.next_release(merged, before, Release("org/name", False), tags)
    return {**merged, release_notes.KEY: release.to_dict()}


def last(held):
    return release_notes.of(held).revisions[-1]


@given(
    public=st.booleans(),
    secret=st.sets(st.sampled_from(["shhs", "mass"])),
    now_public=st.sampled_from([None, True, False]),
    held=st.sets(st.sampled_from(["shhs", "mass"])),
)
def test_no_restricted_picture_becomes_public_without_a_written_permission(
    public, secret, now_public, held
):
    standing = None if now_public is None else Standing(now_public, frozenset(held))
    try:
        found = decide("org/name", Wish(public), secret, standing)
    except BuildError:
        return
    ever = secret | (held if standing else set())
    assert not (found.public and ever)
    assert not (now_public and ever)
    assert found.gated == bool(ever)
    assert found.public == public


@pytest.mark.parametrize("standing", [None, Standing(False), Standing(True)])
def test_a_written_permission_makes_restricted_pictures_public_and_gated(standing):
    found = decide("org/name", Wish(True, WRITTEN), ["shhs"], standing)
    assert (found.public, found.gated, found.permission) == (True, True, WRITTEN)


def test_a_permission_given_once_covers_its_corpora_and_no_other():
    standing = Standing(True, frozenset({"shhs"}), WRITTEN, frozenset({"shhs"}))
    assert decide("org/name", Wish(True), ["shhs"], standing).permission == WRITTEN
    with pytest.raises(BuildError, match="mass"):
        decide("org/name", Wish(True), ["mass"], standing)


def test_a_public_repository_never_receives_restricted_pictures():
    with pytest.raises(BuildError, match="is public and shhs is restricted"):
        decide("org/name", Wish(), ["shhs"], Standing(True))


def test_what_a_repository_once_showed_keeps_it_private():
    held = released(values([("shhs", "1", "a", "train")], policy="restricted"))
    later = released(values([("demo", "1", "d", "train")]), held, allow_loss=True)
    assert restricted_corpora(later["corpora"]) == frozenset()
    standing = Standing(False, merge.ever_restricted(later))
    with pytest.raises(BuildError, match="--public is refused: the terms of shhs"):
        decide("org/name", Wish(True), restricted_corpora(later["corpora"]), standing)


@pytest.mark.parametrize("words", ["yes", "   ok     "])
def test_a_permission_is_more_than_a_yes(words):
    with pytest.raises(BuildError, match="state who permitted it"):
        Wish(True, words)


def test_a_permission_without_public_or_without_need_is_refused():
    with pytest.raises(BuildError, match="requires --public; give both"):
        Wish(False, WRITTEN)
    with pytest.raises(BuildError, match="nothing here is restricted"):
        decide("org/name", Wish(True, WRITTEN), [], None)


def test_a_public_repository_needs_a_confirmation():
    with pytest.raises(BuildError, match="add --public to confirm"):
        decide("org/name", Wish(), [], Standing(True))


def test_another_corpus_joins_and_nothing_is_lost():
    held = released(values([("shhs", "1", "a", "train")], policy="restricted"))
    grown = released(values([("demo", "1", "d", "test")]), held)
    assert list(grown["corpora"]) == ["demo", "shhs"]
    assert [fact["recording"] for fact in grown["recordings"]] == ["d", "a"]
    assert grown["policy"] == "restricted", "the strictest"
    assert grown["command"].splitlines() == [
        "psgimg build --source shhs",
        "psgimg build --source demo",
    ]
    assert last(grown).what == "1 recording of demo added"
    assert last(grown).tag == "recipe-a-2"


def test_the_same_pictures_make_no_new_revision():
    held = released(values([("demo", "1", "d", "test")]))
    again = released(values([("demo", "1", "d", "test")]), held, tags=["recipe-a"])
    assert again[release_notes.KEY] == held[release_notes.KEY]


def test_a_tag_that_is_taken_is_never_moved():
    first = released(values([("demo", "1", "d", "test")]), tags=["recipe-a", "recipe-a-2"])
    assert last(first).tag == "recipe-a-3"


@given(
    old=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(SPLITS), min_size=1),
    new=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(SPLITS), min_size=1),
    allow_loss=st.booleans(),
    recipe=st.sampled_from(["a", "b"]),
)
def test_nobody_changes_their_split_and_nothing_is_lost_without_replace(
    old, new, allow_loss, recipe
):
    held = released(values([("demo", who, who, split) for who, split in sorted(old.items())]))
    local = values([("demo", who, who, split) for who, split in sorted(new.items())], recipe)
    before = copy.deepcopy((held, local))
    moved = any(old[who] != split for who, split in new.items() if who in old)
    lost = set(old) - set(new)
    if moved or (lost and not allow_loss):
        with pytest.raises(BuildError, match="change their split" if moved else "--replace"):
            released(local, held, allow_loss=allow_loss)
    else:
        grown = released(local, held, allow_loss=allow_loss)
        assert {f["recording"] for f in grown["recordings"]} == set(new)
    assert (held, local) == before, "nothing is changed in place"


def test_a_relative_counts_like_the_subject():
    held = released(values([("cfs", "1", "a", "test")]))
    local = values([("cfs", "1", "a", "test"), ("cfs", "2", "b", "train")])
    local["recordings"][1]["kin"] = "1"
    with pytest.raises(BuildError, match="would change their split: cfs 1 is in test"):
        released(local, held)


def test_a_subject_keeps_the_split_where_a_family_is_named_later():
    """Its family's name decides from now on, but a test subject stays a test subject."""
    held = released(values([("cfs", "1", "a", "test")]))
    local = values([("cfs", "1", "a", "train")])
    local["recordings"][0]["kin"] = "family-715"
    with pytest.raises(BuildError, match="would change their split: cfs 1 is in test"):
        released(local, held)


def test_who_is_shown_no_more_comes_back_into_the_same_split_or_not_at_all():
    held = released(values([("cfs", "1", "a", "test"), ("cfs", "2", "b", "train")]))
    held = released(values([("cfs", "2", "b", "train")]), held, allow_loss=True)
    both = [("cfs", "1", "a", "train"), ("cfs", "2", "b", "train")]
    with pytest.raises(BuildError, match="would change their split: cfs 1 is in test"):
        released(values(both), held)
    back = released(values([("cfs", "1", "a", "test"), both[1]]), held)
    assert len(back["recordings"]) == 2


def test_a_new_recipe_is_a_new_revision_that_says_so():
    held = released(values([("demo", "1", "d", "test")]))
    grown = released(values([("demo", "1", "d", "test")], recipe="b"), held)
    assert last(grown).tag == "recipe-b"
    assert last(grown).what == "new recipe (style): every page redrawn"
    assert [r.tag for r in release_notes.of(grown).revisions] == ["recipe-a", "recipe-b"]


@pytest.mark.parametrize(
    ("change", "named"), [({"recipe": "b"}, "recipe: style"), ({"seed": 7}, "seed")]
)
def test_corpora_built_otherwise_do_not_meet(change, named):
    held = released(values([("shhs", "1", "a", "train")]))
    with pytest.raises(BuildError, match=f"holds shhs built with other settings .*{named}"):
        released(values([("demo", "1", "d", "test")], **change), held)
    grown = released(values([("demo", "1", "d", "test")], **change), held, allow_loss=True)
    assert list(grown["corpora"]) == ["demo"]
    assert "1 recording of shhs removed" in last(grown).what


def test_a_repository_that_states_less_than_it_showed_is_as_restricted_as_todays_table():
    held = released(values([("shhs", "s1", "n1", "train")]))
    revisions = held[release_notes.KEY]["revisions"]
    revisions[0]["restricted"] = []  # as an edited build.json may state
    held["corpora"] = {"demo": {"policy": "open"}}
    assert merge.ever_restricted(held) == {"shhs"}


def state():
    return State("0" * 40, True, "manual", {build_report.FILE: Stored(1, None, "")}, {}, 2)


@pytest.mark.parametrize("words", ["", "yes", " " * 40])
def test_corpora_are_permitted_only_by_words_that_state_the_permission(words):
    held = released(values([("shhs", "s1", "n1", "train")]))
    held[release_notes.KEY] |= {"permitted": ["shhs"], "permission": words, "public": True}
    assert plan.standing(state(), held).permitted == frozenset()
    held[release_notes.KEY] |= {"permission": WRITTEN}
    assert plan.standing(state(), held).permitted == {"shhs"}


def folded(recordings, n_folds, folds):
    """`values` with the folds of some subjects."""
    local = values(recordings)
    local["folds"] = n_folds
    local["placements"]["folds"] = folds
    return local


def test_folds_of_a_repository_grow_and_nobody_changes_theirs():
    held = released(folded([("a", s, s, "train") for s in "12"], 2, {"a": {"1": 0, "2": 1}}))
    other = folded([("b", s, s, "test") for s in "12"], 2, {"b": {"1": 1, "2": 0}})
    grown = released(other, held)
    assert grown["placements"]["folds"] == {"a": {"1": 0, "2": 1}, "b": {"1": 1, "2": 0}}
    assert grown["placements"]["splits"]["a"] == {"1": "train", "2": "train"}
    plain = values([("c", "1", "1", "test")])  # built without --folds
    grown = released(plain, held)
    assert grown["folds"] == 2
    assert grown["placements"]["folds"]["c"]["1"] in (0, 1)
    two = values([("c", s, s, "test") for s in "12"])
    replaced = released(two, held, allow_loss=True)  # --replace where nobody changes fold
    assert replaced["placements"]["folds"]["a"] == {"1": 0, "2": 1}
    moved = folded([("a", s, s, "train") for s in "12"], 2, {"a": {"1": 1, "2": 0}})
    with pytest.raises(
        BuildError, match="org/name has a 1 and others in other folds; build into a"
    ):
        released(moved, held)
    renumbered = folded([("b", s, s, "test") for s in "123"], 3, {"b": {"1": 0, "2": 1, "3": 2}})
    with pytest.raises(BuildError, match=r"org/name is in 2 folds, these pages in 3; .* --replace"):
        released(renumbered, held)
    assert released(moved, held, allow_loss=True)["placements"]["folds"]["a"] == {"1": 1, "2": 0}


def test_relatives_whom_a_published_split_parts_stand_for_themselves():
    people = [("cfs", "1", "a", "train"), ("cfs", "2", "b", "test")]
    local = values(people)
    for fact in local["recordings"]:
        fact["kin"] = "family-715"
    held = copy.deepcopy(released(local))
    assert release_notes.of(held).people == {"cfs": {"1": "train", "2": "test"}}
    assert held["parted"] == {"cfs": {"families": 1, "subjects": 2}}
    assert released(local, held)["parted"] == held["parted"]
    local["recordings"][0]["split"] = "test"
    with pytest.raises(BuildError, match="would change their split: cfs 1 is in train"):
        released(local, held)
