"""CinC 2018 and CAP, each on nights in the official layout."""

import re
import struct

import pytest
from builds import rows, run
from psgimg.builder.corpora import cap, cinc2018
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.montage import MONTAGES, find
from psgimg.builder.recordings.open_signal import open_signal
from psgimg.builder.stages import Stage
from tiny_open import CAP_LABELS, CINC_LABELS, MIDNIGHT, write_cap, write_cinc


def one(corpus, root):
    (recording,) = corpus.CORPUS.recordings(root)
    return recording, corpus.read_hypnogram(recording, "")


def test_stages_of_cinc_begin_with_their_first_note_and_last_to_the_end(tmp_path):
    truth = write_cinc(tmp_path, begin_s=60)
    recording, hypnogram = one(cinc2018, tmp_path)
    assert hypnogram.scores == truth
    assert hypnogram.onsets_s[0] == 60
    assert hypnogram.onsets_s[-1] + 30 == open_signal(recording.signal).duration_s


@pytest.mark.parametrize("word", ["N4", "S1", "?", "Stage 5", "wake"])
def test_an_unknown_stage_of_cinc_is_refused_by_name(tmp_path, word):
    write_cinc(tmp_path, extra=[(150.0, word)])
    (recording,) = cinc2018.CORPUS.recordings(tmp_path)
    with pytest.raises(
        RecordingError, match=rf"tr03-0005\.arousal has '{re.escape(word)}', not one of W"
    ):
        cinc2018.read_hypnogram(recording, "")


def test_notes_of_cinc_apart_from_the_header_count_at_the_rate_of_the_signal(tmp_path):
    truth = write_cinc(tmp_path)
    (notes,) = tmp_path.glob("training/*/*.arousal")
    (tmp_path / "notes").mkdir()
    notes.rename(tmp_path / "notes" / notes.name)
    assert one(cinc2018, tmp_path)[1].scores == truth


def test_a_record_of_cinc_without_stages_is_set_aside(tmp_path):
    write_cinc(tmp_path)
    (tmp_path / "training/tr03-0005/tr03-0005.arousal").unlink()
    (recording,) = cinc2018.CORPUS.recordings(tmp_path)
    with pytest.raises(RecordingError, match="no scoring file"):
        cinc2018.read_hypnogram(recording, "")


def test_signals_in_wfdb_are_read_in_microvolts(tmp_path):
    write_cinc(tmp_path)
    file = open_signal(tmp_path / "training/tr03-0005/tr03-0005.mat")
    assert file.labels == CINC_LABELS
    assert float(file.sfreqs_hz[0]) == 200
    assert 39 < file.read_uv(0).std() < 41  # 400 steps of 0.1 µV
    assert file.fault(CINC_LABELS.index("SaO2")) is not None


def cut_short(path):
    path.write_bytes(path.read_bytes()[:500_000])


def without_header(path):
    path.with_suffix(".hea").unlink()


def of_another(path):
    text = path.with_suffix(".hea").read_text()
    path.with_suffix(".hea").write_text(text.replace("tr03-0005.mat", "tr03-0006.mat"))


def shortened(path):
    text = path.with_suffix(".hea").read_text()
    path.with_suffix(".hea").write_text(text.replace("120000", "60000"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            cut_short,
            r"wrong length: tr03-0005\.mat has 500000 bytes, but its header states 2640024",
        ),
        (
            shortened,
            r"wrong length: tr03-0005\.mat has 2640024 bytes, but its header states 1320024",
        ),
        (without_header, r"unreadable file: tr03-0005\.hea: No such file"),
        (of_another, r"another name: tr03-0005\.hea names tr03-0006\.mat .*, not tr03-0005\.mat"),
    ],
)
def test_a_header_and_samples_that_do_not_belong_together_are_refused(tmp_path, damage, message):
    write_cinc(tmp_path)
    path = tmp_path / "training/tr03-0005/tr03-0005.mat"
    damage(path)
    with pytest.raises(RecordingError, match=message):
        open_signal(path)


def test_samples_without_the_checksum_of_their_header_are_refused(tmp_path):
    write_cinc(tmp_path)
    path = tmp_path / "training/tr03-0005/tr03-0005.mat"
    with path.open("r+b") as file:
        file.seek(24 + 2 * len(CINC_LABELS) * 1000)  # the first channel's sample 1000
        (old,) = struct.unpack("<h", file.read(2))
        file.seek(-2, 1)
        file.write(struct.pack("<h", old ^ 4))
    file = open_signal(path)
    with pytest.raises(
        RecordingError, match=r"wrong checksum: tr03-0005\.mat, channel F3-M2: .*\.hea"
    ):
        file.read_uv(0)
    assert len(file.read_uv(1)) == 120_000


@pytest.mark.parametrize("sign", [0, 65_536, -65_536])
def test_a_checksum_counts_with_any_sign_and_needs_not_be_stated(sign, tmp_path):
    write_cinc(tmp_path)
    path = tmp_path / "training/tr03-0005/tr03-0005.mat"
    header = path.with_suffix(".hea")
    first, line, *others = header.read_text().splitlines()
    name, form, gain, bits, zero, initial, checksum, block, label = line.split()
    stated = f"{name} {form} {gain} {bits} {zero} {initial} {int(checksum) + sign} {block} {label}"
    header.write_text("\n".join([first, stated if sign else f"{name} {form} {gain}", *others]))
    assert 39 < open_signal(path).read_uv(0).std() < 41


@pytest.mark.parametrize("gain", ["0", "0/uV", "0.0(0)/uV"])
def test_a_channel_in_wfdb_without_a_gain_is_not_read_as_microvolts(tmp_path, gain):
    write_cinc(tmp_path)
    path = tmp_path / "training/tr03-0005/tr03-0005.mat"
    header = path.with_suffix(".hea")
    header.write_text(header.read_text().replace(" 10/uV", f" {gain}", 1))
    file = open_signal(path)
    assert file.fault(0).reason == "channel without range"
    assert file.fault(1) is None


def test_cinc_is_built(tmp_path):
    write_cinc(tmp_path / "cinc")
    report, _ = run(tmp_path / "out", tmp_path / "cinc", "cinc2018", trim_min=None)
    (fact,) = report.values["recordings"]
    assert fact["lanes"] == ["F4-M1", "C4-M1", "O2-M1", "E1-M2", None, "Chin1-Chin2"]
    assert len(rows(tmp_path / "out")) == 18


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"position": False},
        {"dots": True},
        {"spaced": True},
        {"start": MIDNIGHT},
        {"later_s": 0},
    ],
)
def test_scorings_of_cap_are_read_in_every_form(tmp_path, odd):
    truth = write_cap(tmp_path, **odd)
    _, hypnogram = one(cap, tmp_path)
    assert hypnogram.scores == truth
    assert hypnogram.onsets_s[0] == odd.get("later_s", 45)
    assert all(hypnogram.contiguous(i) for i in range(1, len(truth)))


def changed_rows(tmp_path, change):
    """Write a night of CAP, and change the rows of its epochs."""
    truth = write_cap(tmp_path, start=MIDNIGHT)
    path = tmp_path / "n1.txt"
    head, rows = path.read_text().split("Location\n")
    rows = [row for row in rows.splitlines() if "SLEEP-" in row]
    path.write_text(head + "Location\n" + "\n".join(change(rows)) + "\n")
    return truth


@pytest.mark.parametrize("first", [3, 8, 12])  # before, at and after midnight
def test_a_row_of_cap_that_is_out_of_order_does_not_begin_a_day(tmp_path, first):
    def swapped(rows):
        return [*rows[:first], rows[first + 1], rows[first], *rows[first + 2 :]]

    truth = changed_rows(tmp_path, swapped)
    _, hypnogram = one(cap, tmp_path)
    assert hypnogram.scores == truth
    assert hypnogram.onsets_s == tuple(45.0 + 30 * i for i in range(len(truth)))


@pytest.mark.parametrize("time", ["24:00:00", "23:60:00", "99:01:02", "midnight"])
def test_what_is_no_time_of_day_is_refused(tmp_path, time):
    changed_rows(tmp_path, lambda rows: [re.sub(r"\d\d:\d\d:\d\d", time, row) for row in rows])
    with pytest.raises(RecordingError, match=f"has '{time}', not a time of day"):
        one(cap, tmp_path)


def test_an_unknown_stage_of_cap_is_refused_by_name(tmp_path):
    write_cap(tmp_path)
    path = tmp_path / "n1.txt"
    path.write_text(path.read_text().replace("SLEEP-S2", "SLEEP-S7", 1).replace("SLEEP-S7\n", ""))
    path.write_text(path.read_text() + "S7\tUnknown Position\t23:59:00\tSLEEP-S7\t30\tROC-LOC\n")
    (recording,) = cap.CORPUS.recordings(tmp_path)
    with pytest.raises(RecordingError, match="SLEEP-S7"):
        cap.read_hypnogram(recording, "")


@pytest.mark.parametrize(
    ("labels", "lane"),
    [
        (["ROC-LOC", "C4-A1"], "E1-E2"),
        (["LOC", "ROC", "C3A2"], "E1-E2"),
        (["EOG sin", "EOG dx", "C4A1"], "E1-E2"),
        (["LOC-A1", "ROC-A2", "C4A1"], "E1-M1"),
    ],
)
def test_every_night_of_cap_shows_its_eyes(labels, lane):
    corpus = cap.CORPUS
    found = find(MONTAGES[corpus.montage], labels, corpus.channels)
    assert [one and one.name for one in found.derivations][1] == lane


def test_cap_is_built(tmp_path):
    truth = write_cap(tmp_path / "cap")
    report, _ = run(tmp_path / "out", tmp_path / "cap", "cap", trim_min=None)
    (fact,) = report.values["recordings"]
    assert {"C4-A1", "ROC-LOC", "EMG1-EMG2"} <= set(CAP_LABELS)
    assert fact["lanes"] == ["C4-M1", "E1-E2", "Chin1-Chin2"]
    assert len(rows(tmp_path / "out")) == sum(isinstance(score, Stage) for score in truth)
