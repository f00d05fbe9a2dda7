"""Which names are published as they are, and which as numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from psgimg.builder.corpora import registry
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset import name_forms, public_names
from psgimg.builder.dataset.public_names import PublicNames
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Recording

IDS = (
    *("P001", "S1", "sn_12", "sub-001", "200001", "subject07", "PATIENT-3", "aa0001", "7"),
    *("P2024", "sub-1950", "subject120350", "sn200001"),
)
PEOPLE = (
    *(
        "Maria",
        "Maria-Silva-1950",
        "Silva1950",
        "MariaSilva1950",
        "Ana1950",
        "j.smith",
        "M.S.",
        "MS",
    ),
    *("MS1950", "ms-2003", "MS120350", "MS_500312", "Ana031250"),
    *("12345678", "0012345", "MRN1234567", "P01234567"),
    *("1950-03-12", "19500312", "12031950", "P19500312", "010150-1234", "0101501234", "P001x"),
    *("m\u00fcller1", "\u0627\u062d\u0645\u062f", "P\u0661", "\u212a1", "P001 Maria", "Maria1", ""),
)


@pytest.mark.parametrize("name", IDS)
def test_letters_and_a_number_are_published(name):
    assert name_forms.odd_names(None, name, name, name) == {}


@pytest.mark.parametrize("name", PEOPLE)
def test_anything_that_could_be_a_person_or_a_date_is_not(name):
    assert set(name_forms.odd_names(None, name, name, name)) == {"subject", "recording"}
    assert "family" in name_forms.odd_names(None, "P001", "P001", f"family-{name}")


@pytest.mark.parametrize(
    "night", ["P001", "P001-night1", "P001_2", "P001N1", "P001-PSG", "P001b", "r12"]
)
def test_a_recording_is_its_subject_and_a_number(night):
    assert name_forms.odd_names(None, "P001", night, "P001") == {}


@pytest.mark.parametrize(
    "night", ["P001-Maria", "P001-2019-05-12", "P001-20190512", "Maria-P001", "P001-1-2"]
)
def test_a_recording_with_anything_else_is_not_published(night):
    assert name_forms.odd_names(None, "P001", night, "P001") == {"recording": night}


FORMS = {
    "demo": ("demo-01", "demo-01"),
    "demo-varied": ("varied-01", "varied-01"),
    "sleep-edf": ("SC400", "SC4001"),
    "shhs": ("200001", "shhs1-200001"),
    "mesa": ("0001", "mesa-sleep-0001"),
    "mros": ("aa0001", "mros-visit1-aa0001"),
    "cfs": ("800002", "cfs-visit5-800002"),
    "wsc": ("10119", "wsc-visit1-10119"),
    "ccshs": ("1800005", "ccshs-trec-1800005"),
    "chat": ("300673", "chat-baseline-nonrandomized-300673"),
    "sof": ("09131", "sof-visit-8-09131"),
    "abc": ("900001", "abc-month09-900001"),
    "homepap": ("1600001", "homepap-lab-full-1600001"),
    "hsp": ("sub-S0001111189359", "sub-S0001111189359_ses-1"),
    "isruc": ("II-003", "II-003-1"),
    "mass": ("01-05-0001", "01-05-0001"),
    "hmc": ("SN001", "SN001"),
    "cinc2018": ("tr03-0005", "tr03-0005"),
    "cap": ("n1", "n1"),
    "dod-h": ("095d6e40-5f19-55b6-a0ec-6e0ad3793da0",) * 2,
    "dod-o": ("03341d0d-5927-5838-8a5f-1b8ef39d8f57",) * 2,
    "dcsm": ("tp8cbd54f0_4751_4e2c_8a3b_0123456789ab",) * 2,
    "bids": ("sub-I001", "sub-I001-ses-night1-task-sleep-acq-psg-run-1"),
    "boas": ("pid-12", "sub-12"),
}


def test_every_corpus_of_psgimg_states_the_form_of_its_names():
    assert set(FORMS) == set(registry.CORPORA)
    for name, (subject, recording) in FORMS.items():
        corpus = registry.CORPORA[name]
        assert name_forms.odd_names(corpus, subject, recording, subject) == {}, name
        assert name_forms.odd_names(corpus, "Maria", f"{recording}-Maria", "Maria"), name


@pytest.mark.parametrize(
    ("corpus", "subject", "recording"),
    [
        ("dcsm", "tp_maria_silva", "tp_maria_silva"),
        ("demo", "demo-maria", "demo-maria"),
        ("isruc", "astray-1", "astray-Maria Silva-1"),
    ],
)
def test_odd_files_among_those_of_a_corpus_are_numbers(corpus, subject, recording):
    assert "recording" in name_forms.odd_names(
        registry.CORPORA[corpus], subject, recording, subject
    )


def nights(*names):
    return [Recording("hmc", name, name, Path(f"{name}.edf"), {}) for name in names]


def public(names, *given, known=()):
    return [one.recording for one in names.publish(registry.CORPORA["hmc"], nights(*given), known)]


def test_a_number_is_given_once_and_never_to_another():
    names = PublicNames()
    assert public(names, "Maria", "SN001", "Anna") == ["r0002", "SN001", "r0001"]
    assert public(names, "Berta", "Maria", "Anna") == ["r0003", "r0002", "r0001"]


def test_a_file_with_the_name_of_a_number_does_not_become_another_persons_night():
    names = PublicNames()
    assert public(names, "r0001", "Anna") == ["r0001", "r0002"]
    assert public(names, "r0002", "Anna", "r0001") == ["r0003", "r0002", "r0001"]


def test_relatives_keep_one_family():
    family = [
        Recording("hmc", name, name, Path(f"{name}.edf"), {}, kin="family-Silva")
        for name in ("Maria", "Jo")
    ]
    both = PublicNames().publish(registry.CORPORA["hmc"], family)
    assert {one.split_key for one in both} == {"family-f0001"}
    assert [one.own for one in both] == family


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "7", "[" * 100_000, '{"hmc": 1}', '{"hmc": {"subject": []}}', "\udcff"),
        *(
            f'{{"hmc": {{"recording": {{"Maria": {n}}}}}}}'
            for n in ('"../../x"', '"SN001"', "1", "null")
        ),
    ],
)
def test_a_damaged_or_forged_file_of_names_is_refused_in_one_line(text, tmp_path):
    path = tmp_path / public_names.FILE
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(BuildError, match=r"psgimg-names\.json is damaged") as caught:
        PublicNames.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_odd_names_gets_no_file(tmp_path):
    class Fixed:
        name, names = "hmc", r"SN\d{3}"

        def recordings(self, _):
            return iter(nights("SN001", "SN002"))

    public_names.assign([Source(Fixed(), tmp_path)], tmp_path, (), save=True)
    assert list(tmp_path.iterdir()) == []


def test_the_split_of_another_dataset_is_read_by_the_names_behind_its_numbers():
    """Another folder numbers people in its own order: s0001 there may be somebody else here."""
    names = PublicNames({"lab": {"subject": {"Maria": "s0001"}, "recording": {}, "family": {}}})
    split = {("lab", "s0001"): "test", ("lab", "P002"): "train"}
    assert names.originals(split, "it") == {("lab", "Maria"): "test", ("lab", "P002"): "train"}
    with pytest.raises(BuildError, match="it: the name of its subject s0002 is in"):
        names.originals({("lab", "s0002"): "test"}, "it")
