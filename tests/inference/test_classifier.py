"""Predictions are exact: every sample once, whatever the batch size and the number of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline import metrics
from sightline.distributed import World
from sightline.errors import ContractError, DataError
from sightline.inference.arithmetic import exact_arithmetic
from sightline.inference.classifier import _of_arrays, _of_table, _whole
from sightline.loading import Loader
from sightline.preprocessing import Preprocessing
from sightline.samples import Classes, SampleTable
from tests.conftest import save_photo
from tests.inference.material import Says, classifier_for, contract_for, small_net
from tests.training.material import stripes


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    """61 samples, of which numbers 7 and 40 lie beyond the end of their file."""
    return stripes(tmp_path_factory.mktemp("stripes"), n=61, unreadable=(7, 40))


@pytest.mark.parametrize("batch_size", [1, 7, 64, 60, 61])
def test_any_batch_size_gives_the_same(samples: SampleTable, batch_size: int) -> None:
    classifier = classifier_for(samples)
    whole, batched = classifier.predict(samples), classifier.predict(samples, batch_size=batch_size)
    np.testing.assert_allclose(batched.logits, whole.logits, atol=1e-6)
    assert batched.ids == samples.column("sample_id")
    assert batched.status.tolist() == whole.status.tolist()
    assert batched.predicted.tolist() == whole.predicted.tolist()
    assert metrics.top1(batched) == metrics.top1(whole)
    assert metrics.nll(batched).value == pytest.approx(metrics.nll(whole).value, abs=1e-6)


@pytest.mark.parametrize("n", [1, 15, 17])
def test_no_tail_is_lost(samples: SampleTable, n: int) -> None:
    """One sample, a batch less one, a batch and one."""
    assert len(classifier_for(samples).predict(samples.take(range(n)), batch_size=16)) == n


def test_twice_gives_the_same_bits(samples: SampleTable) -> None:
    assert classifier_for(samples).predict(samples).digest == classifier_for(samples).predict(samples).digest


@pytest.mark.parametrize("world", [1, 2, 3, 4])
@pytest.mark.parametrize("batch_size", [4, 64])
def test_ranks_divide_the_samples(samples: SampleTable, world: int, batch_size: int) -> None:
    """Ten samples on one to four ranks, the shares computed one after the other: nothing padded, nothing twice."""
    ten = samples.take(range(10))
    classifier = classifier_for(ten)
    parts = []
    with exact_arithmetic():
        for rank in range(world):
            loader = Loader(ten, preprocessing=classifier.preprocessing, batch_size=batch_size, shuffle=False,
                            rank=rank, world_size=world)  # fmt: skip
            parts.append(classifier._part(_of_table(loader), 10, World(rank, world)))
    logits, unreadable = _whole(parts, 10, 3)
    alone = classifier.predict(ten)
    np.testing.assert_allclose(logits, alone.logits, atol=1e-6)
    assert list(unreadable) == [7]
    assert sum(len(p.positions) + len(p.unreadable) for p in parts) == 10


def test_a_sample_predicted_twice_is_a_defect(samples: SampleTable) -> None:
    classifier = classifier_for(samples)
    loader = Loader(samples, preprocessing=classifier.preprocessing, batch_size=8, shuffle=False)
    with exact_arithmetic():
        part = classifier._part(_of_table(loader), len(samples), World())
    with pytest.raises(RuntimeError, match="61 of 61 samples were not predicted exactly once"):
        _whole([part, part], len(samples), 3)


PROCESS = """
import sys
from pathlib import Path
from sightline import metrics
from tests.inference.material import classifier_for
from tests.training.material import stripes
ten = stripes(Path(sys.argv[1]), n=61, unreadable=(7, 40)).take(range(10))
made = classifier_for(ten).predict(ten, batch_size=4)
print(len(made), metrics.top1(made), metrics.nll(made), made.predicted.tolist(), made.meta["environment"]["processes"])
"""


def test_real_processes_give_the_counts_of_one(samples: SampleTable, tmp_path: Path) -> None:
    world = 3
    port = str(29_600 + os.getpid() % 300 + world)
    torchrun = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    base = {**os.environ, **torchrun}
    processes = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path / str(rank))], text=True, stdout=subprocess.PIPE,
                         cwd=Path(__file__).parents[2], env={**base, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(world)
    ]  # fmt: skip
    said = [p.communicate(timeout=120)[0].strip() for p in processes]
    ten = samples.take(range(10))
    alone = classifier_for(ten).predict(ten)
    wanted = f"10 {metrics.top1(alone)} {metrics.nll(alone)} {alone.predicted.tolist()} {world}"
    assert said == [wanted] * world


def test_unreadable_samples_are_listed_not_replaced(samples: SampleTable) -> None:
    made = classifier_for(samples).predict(samples, batch_size=8)
    assert np.flatnonzero(made.status == "unreadable").tolist() == [7, 40]
    assert all(r for r in made.table["reason"].to_pylist()[7::33])
    assert np.isfinite(made.logits[8]).all()
    assert metrics.top1(made).n == 61


def test_all_unreadable(tmp_path: Path) -> None:
    broken = stripes(tmp_path, n=5, unreadable=tuple(range(5)))
    made = classifier_for(broken).predict(broken)
    assert set(made.status) == {"unreadable"}
    assert metrics.top1(made).value == 0


def test_nan_logits_are_invalid(samples: SampleTable) -> None:
    made = classifier_for(samples, Says([0.0, float("nan"), 0.0])).predict(samples)
    assert (made.status == "invalid").sum() == 59
    assert metrics.top1(made).value == 0


def test_evaluation_mode_and_no_gradient(samples: SampleTable) -> None:
    """Dropout and batch statistics must not reach a prediction, nor a prediction the norm's statistics."""
    net = small_net(3).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    first, again = (classifier_for(samples, net).predict(samples, batch_size=5) for _ in range(2))
    assert first.digest == again.digest
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_what_it_ran_on_is_recorded(samples: SampleTable) -> None:
    matmul = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.benchmark = True
    try:
        made = classifier_for(samples, weights="ab").predict(samples)
        flags = made.meta["environment"]
        assert (flags["dtype"], flags["deterministic"], flags["device"]) == ("float32", True, "cpu")
        assert (flags["cudnn_benchmark"], flags["cudnn_allow_tf32"]) == (False, False)
        assert flags["float32_matmul_precision"] == "highest"
        assert flags["threads"] == torch.get_num_threads()
        assert flags["loading"]["jpeg"].startswith("simplejpeg ")
        assert flags["loading"]["resize"].startswith("torch ")
        assert made.meta["digests"] == {
            "weights": "ab", "samples": samples.digest, "preprocessing": contract_for(samples).digest,
        }  # fmt: skip
        # Put back as they were: the setting belongs to the person.
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cudnn.benchmark
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.benchmark = False


def test_autocast_around_it_changes_nothing(samples: SampleTable) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        inside = classifier_for(samples).predict(samples)
    assert inside.digest == classifier_for(samples).predict(samples).digest


def test_other_classes_are_refused(samples: SampleTable) -> None:
    other = SampleTable(samples.table, Classes(("across", "down", "upside"), ("a", "b", "c")), "others", samples.roots)
    with pytest.raises(ContractError, match=r"'upside'.*'slanted'"):
        classifier_for(samples).predict(other)


def test_missing_class_does_not_shift_labels(samples: SampleTable) -> None:
    """The class map is the table's, so a split without class 0 keeps the ids of the others."""
    part = samples.take(samples.labels != 0)
    made = classifier_for(samples, Says([0.0, 9.0, 0.0])).predict(part)
    assert set(made.labels.tolist()) == {1, 2}
    assert metrics.per_class(made)[1].value == pytest.approx(
        1 - ((made.status == "unreadable") & (made.labels == 1)).sum() / (made.labels == 1).sum()
    )
    assert metrics.per_class(made)[0].n == 0


def test_wrong_shape_of_logits_is_refused(samples: SampleTable) -> None:
    with pytest.raises(ContractError, match=r"logits of shape \(59, 3\)|logits of shape \(61, 3\)"):
        classifier_for(samples, Says([0.0, 1.0])).predict(samples)


def photo_classifier(size: tuple[int, int] = (16, 16)) -> tuple[SampleTable, Preprocessing]:
    space = Classes(("bright", "dark"), ("bright", "dark"))
    return space, Preprocessing(  # type: ignore[return-value]
        size=size, resize_to=min(size), mean=(0.5,) * 3, std=(0.25,) * 3, classes=space.ids
    )


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    for i, level in enumerate((0, 130)):
        save_photo(tmp_path / f"{i}.jpg", i, level=level)
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "0.jpg").read_bytes()[:200])
    (tmp_path / "text.jpg").write_text("no image")
    return [tmp_path / n for n in ("0.jpg", "broken.jpg", "1.jpg", "text.jpg", "absent.jpg")]


def test_files_by_path(photos: list[Path]) -> None:
    from sightline.inference import Classifier

    space, contract = photo_classifier()
    made = Classifier(module=small_net(2, 3), preprocessing=contract, classes=space).predict(photos)  # type: ignore[arg-type]
    assert made.keys == [str(p) for p in photos]
    assert made.status.tolist() == ["ok", "unreadable", "ok", "unreadable", "unreadable"]
    assert "not an image" in made.table["reason"].to_pylist()[3]
    assert "missing" in made.table["reason"].to_pylist()[4]
    assert not made.is_labelled.any()
    assert {g.name for g in made.top(2)[0]} == {"bright", "dark"}


def test_arrays_files_and_tables_agree(tmp_path: Path) -> None:
    """The same pixels by every way in: a PNG, an array of bytes, floats in [0, 1]."""
    from sightline.inference import Classifier

    space, contract = photo_classifier()
    classifier = Classifier(module=small_net(2, 3), preprocessing=contract, classes=space)  # type: ignore[arg-type]
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    of_file = classifier.predict(str(tmp_path / "a.png")).logits
    np.testing.assert_allclose(classifier.predict(pixels).logits, of_file, atol=1e-6)
    np.testing.assert_allclose(classifier.predict([pixels / 255]).logits, of_file, atol=1e-5)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.full((16, 16, 3), 65535, np.uint16), "array 1 is stored with 16 bits"),
        (np.full((16, 16, 3), 200.0), "array 1 has floats from 200"),
        (np.zeros((16, 16), np.uint8), "array 1 has the shape"),
        (np.zeros((3, 16, 16), np.uint8), "transpose"),
        (np.full((16, 16, 3), np.nan), "array 1 has floats from nan"),
    ],
)
def test_pixels_outside_the_contract_are_refused(array: np.ndarray, said: str) -> None:
    from sightline.inference import Classifier

    space, contract = photo_classifier()
    classifier = Classifier(module=small_net(2, 3), preprocessing=contract, classes=space)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=said):
        classifier.predict([np.zeros((16, 16, 3), np.uint8), array])


def test_a_16_bit_file_meets_an_8_bit_contract(tmp_path: Path, samples: SampleTable) -> None:
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "scan.png")
    with pytest.raises(ContractError, match=r"scan\.png.*16 bits"):
        classifier_for(samples).predict([tmp_path / "scan.png"])


def test_nothing_and_strange_things_are_refused(samples: SampleTable, tmp_path: Path) -> None:
    classifier = classifier_for(samples)
    with pytest.raises(DataError, match="list is empty"):
        classifier.predict([])
    with pytest.raises(DataError, match="got int"):
        classifier.predict([3])  # type: ignore[list-item]
    with pytest.raises(DataError, match="got both"):
        classifier.predict([np.zeros((8, 8), np.uint8), "a.png"])
    with pytest.raises(DataError, match="more than once"):
        classifier.predict(["a.png", "a.png"])


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_ranks_divide_arrays(samples: SampleTable, world: int) -> None:
    arrays = [np.full((8, 8), i, np.uint8) for i in range(10)]
    shares = [_of_arrays(arrays, contract_for(samples), 2, World(rank, world)) for rank in range(world)]
    assert sorted(i for share in shares for mine, _, _ in share for i in mine.tolist()) == list(range(10))
