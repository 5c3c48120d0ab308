"""The adapters give the Loader's bytes: in any process, for any way of starting it, and when epochs change."""

from __future__ import annotations

import copy
import io
import pickle
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader

import sightline as sl
from sightline import adapters
from sightline.augmentation import (
    Augmentation,
    ColorJitter,
    MixUp,
    PadCrop,
    RandAugment,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    none,
)
from sightline.errors import ContractError, DataError, RecipeError, SightlineError
from sightline.loading import Loader
from sightline.loading.given import hash_of_key, pixels_of
from sightline.preprocessing import Preprocessing
from sightline.randomness import hashes_of
from tests.conftest import save_photo
from tests.loading.tables import table_of_arrays, table_of_files
from tests.sources import ODD_BUT_READABLE, TRUNCATED, exif_jpeg, jpeg, picture, write_files

N = 24
PHOTO = Preprocessing(size=(24, 20), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=26)
TINY = Preprocessing(size=(12, 10), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=10)


def speckled(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A transform of one's own."""
    return np.where(rng.random(image.shape[:2])[..., None] < 0.1, np.uint8(255), image)


CASES: dict[str, tuple[str, Augmentation | None]] = {
    "evaluation": ("files", None),
    "photographs": ("files", Augmentation(transforms=(RandomResizedCrop(), RandomHorizontalFlip(), ColorJitter(),
                                                      RandAugment(), RandomErasing(p=0.5, value="random")))),
    "framed, one's own": ("files", Augmentation(transforms=(RandomHorizontalFlip(), speckled))),  # type: ignore[arg-type]
    "tiny": ("arrays", Augmentation(transforms=(PadCrop(padding=2), RandomHorizontalFlip()))),
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, sl.SampleTable]:
    folder = tmp_path_factory.mktemp("files")
    for i in range(N):
        save_photo(folder / f"{i:02d}.jpg", i, size=(30 + i % 7, 41 - i % 5))
    values = np.random.default_rng(0).integers(0, 256, (N, 12, 10, 3), dtype=np.uint8)
    return {
        "files": table_of_files(folder, [f"{i:02d}.jpg" for i in range(N)]),
        "arrays": table_of_arrays(tmp_path_factory.mktemp("arrays"), values),
    }


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, sources: dict[str, sl.SampleTable]) -> tuple[sl.SampleTable, dict[str, Any]]:
    kind, augmentation = CASES[request.param]
    contract = PHOTO if kind == "files" else TINY
    return sources[kind], {"preprocessing": contract, "augmentation": augmentation, "seed": 3}


def of_loader(samples: sl.SampleTable, settings: dict[str, Any], epoch: int, batch_size: int = 8) -> list[Any]:
    loader = Loader(samples, **settings, batch_size=batch_size, threads=0)
    batches = loader.epoch(epoch) if loader.is_training else iter(loader)
    return [(b.images_bchw.clone(), b.labels_b.clone()) for b in batches]


def same(mine: Iterable[Any], theirs: Iterable[Any]) -> bool:
    pairs = list(zip(mine, theirs, strict=True))
    return all(torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in pairs)


def fed(dataset: adapters.SampleDataset, **change: Any) -> DataLoader[Any]:
    facts = {"batch_size": 8, "sampler": dataset.sampler(), "drop_last": dataset.augmentation is not None,
             "worker_init_fn": dataset.worker_init_fn, "generator": dataset.generator()}  # fmt: skip
    return DataLoader(dataset, **{**facts, **change})


def test_batches_of_a_data_loader_are_the_loaders(case: tuple[sl.SampleTable, dict[str, Any]]) -> None:
    samples, facts = case
    dataset = adapters.dataset(samples, **facts)
    for epoch in (0, 5, 1):
        dataset.set_epoch(epoch)
        assert same(fed(dataset), of_loader(samples, facts, epoch))


@pytest.mark.parametrize(("name", "way"), [("photographs", "fork"), ("tiny", "fork"), ("photographs", "spawn")])
def test_workers_give_the_same_bytes_and_hear_of_new_epochs(
    name: str, way: str, sources: dict[str, sl.SampleTable]
) -> None:
    """Persistent workers began in epoch 4 and are asked for 5 and again for 4."""
    kind, augmentation = CASES[name]
    facts = {"preprocessing": PHOTO if kind == "files" else TINY, "augmentation": augmentation, "seed": 3}
    dataset = adapters.dataset(sources[kind], **facts)
    dataset[0]  # what is open here stays here
    batches = fed(dataset, num_workers=2, persistent_workers=True, multiprocessing_context=way)
    wanted = {epoch: of_loader(sources[kind], facts, epoch) for epoch in (4, 5)}
    assert not same(wanted[4], wanted[5])
    for epoch in (4, 5, 4):
        dataset.set_epoch(epoch)
        assert same(batches, wanted[epoch])
    dataset.set_epoch(5)
    next(iter(batches))  # an epoch that is left early
    dataset.set_epoch(4)
    assert same(batches, wanted[4])


def test_a_worker_starts_where_it_forks(sources: dict[str, sl.SampleTable]) -> None:
    """What fork hands down of open files and locks is not used: a held lock would hang the worker."""
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=none(), seed=3)
    dataset[0]
    assert dataset._tiles is not None
    with dataset._tiles._native._lock:
        batches = fed(dataset, num_workers=1, multiprocessing_context="fork", timeout=60)
        wanted = of_loader(sources["files"], {"preprocessing": PHOTO, "augmentation": none(), "seed": 3}, 0)
        assert same(batches, wanted)


@given(
    epoch=st.integers(0, 99), seed=st.integers(0, 2**40), world_size=st.sampled_from((1, 2, 4, 5, 7)),
    share=st.integers(1, 7),
)  # fmt: skip
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ranks_share_the_loaders_order(
    epoch: int, seed: int, world_size: int, share: int, sources: dict[str, sl.SampleTable]
) -> None:
    assume(share * world_size <= N)  # a smaller set is one batch for the Loader, whose shares differ in length
    samples = sources["arrays"]
    dataset = adapters.dataset(samples, preprocessing=TINY, augmentation=none(), seed=seed)
    dataset.set_epoch(epoch)
    facts = {"preprocessing": TINY, "augmentation": none(), "seed": seed, "threads": 0}
    for rank in range(world_size):
        order = list(dataset.sampler(rank, world_size))
        assert len(order) == len(dataset.sampler(rank, world_size)) == N // world_size
        loader = Loader(samples, **facts, batch_size=share * world_size, rank=rank, world_size=world_size)
        batches = [b.positions.tolist() for b in loader.epoch(epoch)]
        whole = [order[i : i + share] for i in range(0, len(order) - share + 1, share)]
        assert whole == [b for b in batches if len(b) == share]


@given(world_size=st.integers(1, 7))
@settings(max_examples=7, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_evaluation_each_sample_is_on_one_rank(world_size: int, sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["arrays"], preprocessing=TINY)
    rows = [row for rank in range(world_size) for row in dataset.sampler(rank, world_size)]
    assert sorted(rows) == list(range(N))
    assert list(dataset.sampler()) == list(range(N))


def test_the_samplers_epoch_is_the_datasets(sources: dict[str, sl.SampleTable]) -> None:
    """Trainers that know distributed samplers call set_epoch on them."""
    dataset = adapters.dataset(sources["arrays"], preprocessing=TINY, augmentation=none())
    sampler: Any = dataset.sampler()
    before = list(sampler)
    sampler.set_epoch(7)
    assert dataset.epoch == 7
    assert list(sampler) != before
    with pytest.raises(RecipeError, match=r"0 … 1"):
        dataset.sampler(2, 2)


def test_the_order_of_asking_changes_no_item(sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=CASES["photographs"][1], seed=3)
    together = dataset.__getitems__(list(range(N)))
    for i in (5, 0, -1, 11):
        image, label = dataset[i]
        assert torch.equal(image, together[i][0])
        assert label == together[i][1] == int(sources["files"].labels[i])
    assert image.shape == (3, 24, 20)
    assert image.dtype == torch.float32
    for out in (N, -N - 1):
        with pytest.raises(IndexError):
            dataset[out]
    assert len(list(dataset)) == len(dataset) == N


def test_loading_leaves_the_global_generators_alone(sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=CASES["photographs"][1])
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    list(fed(dataset))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()
    assert torch.equal(dataset.generator().get_state(), dataset.generator().get_state())


class Drawing(torch.utils.data.Dataset[tuple[float, float, float]]):
    """Items that come from the three global generators, as careless code draws them."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(()))


def test_the_generators_of_workers_are_functions_of_seed_epoch_and_worker(sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["arrays"], preprocessing=TINY, augmentation=none(), seed=3)

    def drawn(epoch: int) -> list[tuple[float, ...]]:
        dataset.set_epoch(epoch)
        torch.manual_seed(random.randrange(1000))  # whatever the process did before
        batches = DataLoader(Drawing(), batch_size=2, num_workers=2, worker_init_fn=dataset.worker_init_fn)
        return [tuple(torch.stack(b, 1).flatten().tolist()) for b in batches]

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert first == again
    assert len({*first, *other}) == 4  # two workers in two epochs


@pytest.mark.parametrize("way", [copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))], ids=["copied", "pickled"])
def test_copies_give_the_same_items(way: Callable[[Any], Any], sources: dict[str, sl.SampleTable]) -> None:
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=CASES["photographs"][1], seed=3)
    dataset.set_epoch(2)
    dataset[0]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(way(dataset), dataset, strict=True))


def test_what_cannot_be_read_is_told(sources: dict[str, sl.SampleTable], tmp_path: Path) -> None:
    write_files(tmp_path, {"good.jpg": jpeg(), "gone.jpg": jpeg(1), "half.jpg": TRUNCATED["half.jpg"]})
    samples = table_of_files(tmp_path, ["good.jpg", "gone.jpg", "half.jpg"])
    (tmp_path / "gone.jpg").unlink()
    dataset = adapters.dataset(samples, preprocessing=TINY)
    dataset[0]
    for i, reason in ((1, "gone.jpg .*missing"), (2, "half.jpg .*damaged")):
        with pytest.raises(DataError, match=reason):
            dataset[i]
        with pytest.raises(DataError, match=reason):
            _raised_in_a_worker(dataset, i)
    read = samples.hashed()
    with pytest.raises(DataError, match=r"2 of 3 samples .*samples\.take\(samples\.is_ok\)"):
        adapters.dataset(read, preprocessing=TINY)
    assert len(adapters.dataset(read.take(read.is_ok), preprocessing=TINY)) == 1


def _raised_in_a_worker(dataset: adapters.SampleDataset, index: int) -> None:
    """As a DataLoader brings a worker's exception over; a real worker that failed takes torch five seconds to stop."""
    try:
        dataset[index]
    except DataError:
        ExceptionWrapper(where="in a worker").reraise()


def test_labels(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.jpg": jpeg(), "b.jpg": jpeg(1)})
    samples = table_of_files(tmp_path, ["a.jpg", "b.jpg"], [1, None])
    assert [label for _, label in adapters.dataset(samples, preprocessing=TINY)] == [1, -1]
    with pytest.raises(DataError, match="no label"):
        adapters.dataset(samples, preprocessing=TINY, augmentation=none())
    with pytest.raises(ContractError, match="classes"):
        adapters.dataset(samples, preprocessing=TINY.with_classes(("x", "y", "z")))


def test_mixing_is_refused(sources: dict[str, sl.SampleTable]) -> None:
    mixed = Augmentation(transforms=(), mixing=(MixUp(),))
    with pytest.raises(RecipeError, match="mixing"):
        adapters.dataset(sources["arrays"], preprocessing=TINY, augmentation=mixed)
    with pytest.raises(RecipeError, match="mixing"):
        adapters.transform(TINY, mixed)


# Hugging Face


def rows_of(samples: sl.SampleTable, form: str = "bytes") -> dict[str, list[Any]]:
    """The samples as a batch of rows: images as Pillow's, as bytes, as a struct with bytes or with a path alone."""
    reader = samples.reader()
    data = [reader.payload(i) for i in range(len(samples))]
    paths = [str(reader.path(i)) for i in range(len(samples))]
    forms: dict[str, list[Any]] = {
        "bytes": data,
        "struct": [{"bytes": d, "path": None} for d in data],
        "path": [{"bytes": None, "path": p} for p in paths],
        "Pillow": [Image.open(io.BytesIO(d)) for d in data],
    }
    return {"image": forms[form], "label": samples.column("label"), "sample_id": samples.column("sample_id"),
            "file": samples.column("key"), "more": ["text"] * len(samples)}  # fmt: skip


FILES = {name: augmentation for name, (kind, augmentation) in CASES.items() if kind == "files"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("key", ["sample_id", "file"])
@pytest.mark.parametrize("form", ["bytes", "struct", "path", "Pillow"])
def test_rows_known_by_key_have_the_datasets_bytes(
    name: str, key: str, form: str, sources: dict[str, sl.SampleTable]
) -> None:
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=FILES[name], seed=3)
    made = adapters.transform(PHOTO, FILES[name], key=key, seed=3)
    for epoch in (0, 4):
        dataset.set_epoch(epoch)
        made.set_epoch(epoch)  # type: ignore[attr-defined]
        out = made(rows_of(sources["files"], form))
        assert set(out) == {"pixel_values", "label"}
        assert out["label"] == sources["files"].column("label")
        assert torch.equal(out["pixel_values"], torch.stack([image for image, _ in dataset]))


def test_rows_without_a_key_are_known_by_their_pixels(sources: dict[str, sl.SampleTable]) -> None:
    made = adapters.transform(PHOTO, FILES["photographs"], seed=3)
    together = made(rows_of(sources["files"]))["pixel_values"]
    backwards = made({n: v[::-1] for n, v in rows_of(sources["files"], "Pillow").items()})["pixel_values"]
    assert torch.equal(together, backwards.flip(0))
    other = adapters.transform(PHOTO, FILES["photographs"], seed=4)(rows_of(sources["files"]))["pixel_values"]
    assert not torch.equal(together, other)


def test_kinds_of_images_go_through_the_contract() -> None:
    wide = Preprocessing(size=(12, 16), mean=(0.5,) * 3, std=(0.5,) * 3, resize="squash", resize_to=(12, 16),
                         bits=(8, 16))  # fmt: skip
    data = [v[0] for v in ODD_BUT_READABLE.values()]
    made = adapters.transform(wide, exact=True, label=None)
    values = made({"image": data})["pixel_values"]
    assert torch.equal(values, made({"image": [Image.open(io.BytesIO(d)) for d in data]})["pixel_values"])
    wanted = [wide(pixels_of(d, "")) for d in data]
    assert torch.equal(values, torch.from_numpy(np.stack(wanted)))


def test_orientation_is_the_contracts(sources: dict[str, sl.SampleTable]) -> None:
    turned = {"image": [exif_jpeg(6)]}
    square = Preprocessing(size=(12, 12), mean=(0.5,) * 3, std=(0.5,) * 3, resize="squash", resize_to=(12, 12))
    flat = Preprocessing(size=(12, 12), mean=(0.5,) * 3, std=(0.5,) * 3, resize="squash", resize_to=(12, 12),
                         orientation="ignore")  # fmt: skip
    upright, stored = (adapters.transform(c, label=None)(turned)["pixel_values"] for c in (square, flat))
    assert torch.allclose(upright, stored.rot90(-1, (2, 3)), atol=0.05)
    assert not torch.allclose(upright, stored, atol=0.5)


MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "column": ({"img": [jpeg()], "label": [0]}, {}, r"no column 'image'.* Did you mean 'img'"),
    "label": ({"image": [jpeg()], "labels": [0]}, {}, r"no column 'label'.*label=None"),
    "key": ({"image": [jpeg()], "label": [0]}, {"key": "id"}, "no column 'id'"),
    "kind of key": ({"image": [jpeg()], "label": [0], "id": [1.5]}, {"key": "id"}, r"16 bytes.* got 1\.5"),
    "array": ({"image": [picture()], "label": [0]}, {}, "row 0 .*ndarray"),
    "nothing": ({"image": [None], "label": [0]}, {}, "NoneType"),
    "no bytes": ({"image": [{"bytes": None, "path": None}], "label": [0]}, {}, "row 0 .*no bytes"),
    "no file": ({"image": [{"bytes": None, "path": "gone.jpg"}], "label": [0]}, {}, r"gone\.jpg"),
    "half": ({"image": [jpeg(), TRUNCATED["half.jpg"]], "label": [0, 1]}, {}, "row 1 .*damaged jpeg"),
    "16 bits": ({"image": [ODD_BUT_READABLE["sixteen.png"][0]], "label": [0]}, {}, "16 bits"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_the_row_or_the_column(name: str) -> None:
    batch, change, said = MISTAKES[name]
    with pytest.raises(SightlineError, match=said):
        adapters.transform(TINY, **change)(batch)


def test_keys_are_those_of_the_table(sources: dict[str, sl.SampleTable]) -> None:
    samples = sources["files"]
    wanted = hashes_of(samples.ids).tolist()
    assert [hash_of_key(k) for k in samples.column("sample_id")] == wanted
    assert [hash_of_key(k) for k in samples.column("key")] == wanted
    numbered = table_of_arrays(Path(samples.roots["data"]), np.zeros((3, 2, 2, 3), np.uint8))
    assert [hash_of_key(i) for i in range(3)] == hashes_of(numbered.ids).tolist()


@pytest.fixture(scope="module")
def rows(sources: dict[str, sl.SampleTable]) -> Any:
    """The files as a dataset of Hugging Face's library, whose `image` column is of its Image type."""
    datasets = pytest.importorskip("datasets")
    table = rows_of(sources["files"], "struct")
    made = datasets.Dataset.from_dict(table)
    return made.cast_column("image", datasets.Image())


@pytest.mark.parametrize("is_decoded", [True, False], ids=["Pillow", "bytes"])
def test_with_transform_of_a_dataset(is_decoded: bool, rows: Any, sources: dict[str, sl.SampleTable]) -> None:
    import datasets

    source = rows.cast_column("image", datasets.Image(decode=is_decoded))
    made = adapters.transform(PHOTO, FILES["photographs"], key="sample_id", seed=3)
    given_rows = source.with_transform(made)
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=FILES["photographs"], seed=3)
    for epoch in (0, 2):
        made.set_epoch(epoch)  # type: ignore[attr-defined]
        dataset.set_epoch(epoch)
        assert torch.equal(given_rows[3]["pixel_values"], dataset[3][0])
        assert given_rows[3]["label"] == dataset[3][1]
        batch = given_rows[4:9]
        assert torch.equal(batch["pixel_values"], torch.stack([dataset[i][0] for i in range(4, 9)]))


@pytest.mark.parametrize(("num_workers", "way"), [(0, None), (2, "fork"), (1, "spawn")])
def test_workers_over_a_shuffled_dataset_hear_of_new_epochs(
    num_workers: int, way: str | None, rows: Any, sources: dict[str, sl.SampleTable]
) -> None:
    """Shuffling copies a dataset with its transform; the copy's epoch is still that of the one in hand."""
    made = adapters.transform(PHOTO, FILES["photographs"], key="sample_id", seed=3)
    shuffled = rows.with_transform(made).shuffle(seed=0).select(range(16))
    order = [rows[int(i)]["file"] for i in shuffled._indices.column(0).to_pylist()]
    dataset = adapters.dataset(sources["files"], preprocessing=PHOTO, augmentation=FILES["photographs"], seed=3)
    batches = DataLoader(shuffled, batch_size=8, num_workers=num_workers, multiprocessing_context=way,
                         persistent_workers=num_workers > 0)  # fmt: skip
    for epoch in (0, 3):
        made.set_epoch(epoch)  # type: ignore[attr-defined]
        dataset.set_epoch(epoch)
        images = torch.cat([b["pixel_values"] for b in batches])
        wanted = torch.stack([dataset[sources["files"].column("key").index(name)][0] for name in order])
        assert torch.equal(images, wanted)
