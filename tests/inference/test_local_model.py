"""Local model: batches that do not fit are halved, and pages prepared by processes are the same."""

import os
import signal
from collections import namedtuple

import pytest
from psgimg.builder.errors import BuildError

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from psgimg.finetune.inference import devices, preparing  # noqa: E402
from psgimg.finetune.inference.local_model import LocalModel  # noqa: E402

TASKS = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


class Model:
    """Answers a page by its number; more pages than fit are too many, also in each later batch."""

    def __init__(self, fits=100):
        self.fits, self.seen, self.n_ready = fits, [], 0

    def ready(self):
        assert self.n_ready or not self.seen, "before the first batch"
        self.n_ready += 1
        if not self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def __call__(self, encoded):
        pages = encoded["pages"].tolist()
        self.seen.append(len(pages))
        if len(pages) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [f"page {page}" for page in pages]


def encode(rows):
    return {"pages": torch.tensor(rows), "longest": max(rows)}


def predict(model, loaders=0, read=list, constant=False):
    notes = []
    local = LocalModel(
        torch.device("cpu"),
        encode,
        lambda row: None,
        model,
        loaders,
        notes.append,
        model.ready,
        constant=constant,
    )
    return list(local(read, TASKS)), notes


WHOLE = [[f"page {page}" for page in task] for task in TASKS]


@pytest.mark.parametrize("loaders", [0, 2])
def test_a_model_gets_ready_once_while_the_first_batch_is_prepared(loaders):
    model = Model()
    found, _ = predict(model, loaders)
    assert found == WHOLE
    assert model.n_ready == 1


@pytest.mark.parametrize("loaders", [0, 2])
def test_what_does_not_fit_is_halved_and_stays_halved(loaders):
    model = Model(fits=2)
    found, notes = predict(model, loaders)
    assert found == WHOLE
    assert model.seen == [4, 2, 2, 2, 2, 2], "only the first batch was tried whole"
    assert notes == [
        "4 pages don't fit into the memory of cpu: going on with 2 at a time (--batch-size 2)"
    ]


def test_a_page_that_does_not_fit_ends_the_command_with_the_remedy():
    with pytest.raises(BuildError, match="cpu has not enough memory for one page; use a larger"):
        predict(Model(fits=0))


def test_batches_of_a_compiled_model_all_have_the_same_size():
    model = Model()
    found, _ = predict(model, constant=True)
    assert found == WHOLE
    assert model.seen == [4, 4, 4]


def unreadable(task):
    if 6 in task:
        raise BuildError("page 6 can't be decoded; build the dataset again")
    return task


def deadly(task):
    if 6 in task:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


@pytest.mark.parametrize("loaders", [0, 1])
def test_a_page_that_can_not_be_read_is_one_line(loaders):
    with pytest.raises(BuildError) as caught:
        predict(Model(), loaders, unreadable)
    assert str(caught.value) == "page 6 can't be decoded; build the dataset again"


def test_a_process_that_is_killed_is_one_line_with_the_remedy():
    with pytest.raises(BuildError, match=r"a process that prepares pages has died .*--loaders"):
        predict(Model(), 1, deadly)


def test_where_shared_memory_is_small_there_are_fewer_processes(monkeypatch):
    usage = namedtuple("usage", "total used free")
    n_bytes = 4 * 8
    free = 2 * preparing.QUEUED * n_bytes
    monkeypatch.setattr(preparing.shutil, "disk_usage", lambda path: usage(0, 0, free))
    found, notes = predict(Model(), 2)
    assert found == WHOLE
    assert notes == [
        "/dev/shm has room for 1 of 2 processes that prepare pages; in a container, start it with "
        "--shm-size=8g"
    ]


def test_few_pages_and_models_on_a_cpu_take_a_thread(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(16))
    assert preparing.n_loaders(10_000, 1, on_card=False) == 0
    assert preparing.n_loaders(preparing.FEW_PAGES, 1, on_card=True) == 0
    assert preparing.n_loaders(10_000, 1, on_card=True) == 14
    assert preparing.n_loaders(10_000, 4, on_card=True) == 3


Card = namedtuple("Card", "name total_memory major minor")
H100 = Card("NVIDIA H100 80GB HBM3", 85_000_000_000, 9, 0)
T4 = Card("Tesla T4", 15_800_000_000, 7, 5)


@pytest.fixture
def cards(monkeypatch):
    """Cards that torch reports to be here."""
    here = []
    accelerator, cuda = torch.accelerator, torch.cuda
    monkeypatch.setattr(accelerator, "is_available", lambda: bool(here))
    monkeypatch.setattr(accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(accelerator, "device_count", lambda: len(here))
    monkeypatch.setattr(cuda, "get_device_properties", lambda i: here[i])
    monkeypatch.setattr(cuda, "get_device_name", lambda i: here[i].name)
    return here


def test_without_a_wish_all_equal_cards_are_used_and_else_the_cpu(cards):
    notes = []
    assert devices.chosen(None, notes.append) == ("cpu",)
    cards += [H100, H100]
    assert devices.chosen(None, notes.append) == ("cuda:0", "cuda:1")
    assert not notes
    cards += [T4]
    assert devices.chosen(None, notes.append) == ("cuda:0", "cuda:1")
    assert notes == ["cuda:2: not used, as cuda:0 is another card; choose with --device"]


@pytest.mark.parametrize(
    ("here", "wanted", "said"),
    [
        ([], "gpu", "--device gpu: use cpu, cuda, cuda:1 or, for several, cuda:0,cuda:1"),
        ([], "cuda", "--device cuda: torch .* built without CUDA; install one with it"),
        ([H100], "cuda:1", "--device cuda:1: there are 1 here, from cuda:0 to cuda:0"),
        ([H100], "mps", "--device mps: torch sees no such device here"),
        (
            [H100, T4],
            "cuda:0,cuda:1",
            "cuda:0 is NVIDIA H100 80GB HBM3 and cuda:1 is Tesla T4; use",
        ),
        ([H100], "cpu,cuda", "use devices of one kind, for equal results"),
    ],
)
def test_devices_that_are_not_to_be_had_are_refused_in_one_line(cards, here, wanted, said):
    cards += here
    with pytest.raises(BuildError, match=said) as caught:
        devices.chosen(wanted, lambda line: None)
    assert "\n" not in str(caught.value)


def test_precision_and_batch_suit_the_card(cards):
    notes = []
    cards += [H100, T4]
    assert devices.dtype("auto", "cpu", notes.append) == "float32"
    assert devices.dtype("auto", "cuda:0", notes.append) == "bfloat16"
    assert devices.dtype("float16", "cuda:0", notes.append) == "float16"
    assert not notes
    assert devices.dtype("auto", "cuda:1", notes.append) == "float32"
    assert notes == [
        "Tesla T4 does not compute in bfloat16: float32 is used; --dtype float16 may be faster"
    ]
    with pytest.raises(BuildError, match="--dtype bfloat16: Tesla T4 does not compute in it; use"):
        devices.dtype("bfloat16", "cuda:1", notes.append)
    assert [devices.batch_size(name) for name in ("cpu", "cuda:0", "cuda:1")] == [16, 64, 32]


def test_further_cards_are_used_if_there_is_enough_for_them_to_do(cards):
    cards += [H100] * 4
    for wanted, n_pages, n_cards in (
        (None, 60, 1),
        (None, 64 * 8, 2),
        (None, 64 * 400, 4),
        ("cuda:0,cuda:1", 65, 2),
        ("cuda:0,cuda:1", 64, 1),
    ):
        size, names = devices.for_pages(wanted, None, n_pages, lambda line: None)
        assert (size, len(names)) == (64, n_cards)
