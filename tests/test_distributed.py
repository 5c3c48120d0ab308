from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from sightline import checkpoint, distributed
from sightline.distributed import SyncedBatchNorm, World, sync_batch_norm, world_of_environment
from sightline.errors import SightlineError
from sightline.training import train
from tests.training.material import divided, recipe, stripes

ROOT = Path(__file__).resolve().parents[1]


def _on_two_processes(code: str, folder: Path) -> list[dict[str, object]]:
    """What each of two processes, joined on 127.0.0.1, wrote with `done(value)`."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    head = (
        "import json, os, sys, torch\n"
        "from pathlib import Path\n"
        "torch.set_num_threads(1)\n"
        "rank = int(os.environ['RANK'])\n"
        f"folder = Path({str(folder)!r})\n"
        "def done(value): (folder / f'{rank}.json').write_text(json.dumps(value))\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", head + code],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(rank, port),
        )
        for rank in (0, 1)
    ]
    errors = [w.communicate(timeout=240)[1] for w in workers]
    assert [w.returncode for w in workers] == [0, 0], "\n".join(errors)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def _environment(rank: int, port: int) -> Mapping[str, str]:
    import os

    return {**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}  # fmt: skip


def test_alone_there_is_nothing_to_join(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with distributed.joined("cpu") as world:
        assert world == World(0, 1, 0)
        assert world.is_first
        assert distributed.summed([1, 2]) == [1, 2]
        weight = nn.Parameter(torch.ones(2))
        weight.grad = torch.ones(2)
        distributed.sum_gradients([weight])
        assert weight.grad.tolist() == [1, 1]
        distributed.wait()


@pytest.mark.parametrize(("rank", "size", "message"), [("2", "2", "wanted 0 … 1"), ("x", "2", "whole numbers")])
def test_a_strange_environment_is_a_message(
    rank: str, size: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(SightlineError, match=message):
        world_of_environment()


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_devices_by_name(name: str) -> None:
    assert distributed.choose_device(name).type in {"cpu", "cuda"}


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cpuu"])
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(SightlineError, match="device"):
        distributed.choose_device(name)


def test_sums_gradients_and_statistics_are_those_of_one_process(tmp_path: Path) -> None:
    """Uneven shares, spread apart: averages of averages would be wrong in every one of these."""
    code = """
from sightline import distributed
from sightline.distributed import sync_batch_norm
from torch import nn
torch.manual_seed(0)
model = sync_batch_norm(nn.Sequential(nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(27, 2)))
images = torch.randn(7, 1, 4, 4) + torch.arange(7.0)[:, None, None, None] * 5
labels = torch.tensor([0, 1, 1, 0, 1, 0, 0])
mine = slice(0, 2) if rank == 0 else slice(2, 7)
with distributed.joined("cpu"):
    sums = distributed.summed([len(labels[mine]), 10 ** 17 + rank]), distributed.summed([0.25, 1e-3 * rank])
    for _ in range(2):
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(images[mine]), labels[mine], reduction="sum")
        (loss / sums[0][0]).backward()
        distributed.sum_gradients(model.parameters())
    unused = nn.Parameter(torch.ones(1))
    if rank == 1: unused.grad = torch.full((1,), 4.0)
    distributed.sum_gradients([unused])
flat = lambda ts: [x for t in ts for x in t.reshape(-1).tolist()]
done({"sums": sums, "grads": flat(p.grad for p in model.parameters()),
      "buffers": flat(b.double() for b in model.buffers()), "unused": unused.grad.item()})
"""
    first, second = _on_two_processes(code, tmp_path)
    assert first == second
    assert first["sums"] == [[7, 2 * 10**17 + 1], [0.5, 1e-3]]
    assert first["unused"] == 4.0
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(27, 2))
    images = torch.randn(7, 1, 4, 4) + torch.arange(7.0)[:, None, None, None] * 5
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    for _ in range(2):
        model.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
    grads = [x for p in model.parameters() if p.grad is not None for x in p.grad.reshape(-1).tolist()]
    buffers = [x for b in model.buffers() for x in b.double().reshape(-1).tolist()]
    assert first["grads"] == pytest.approx(grads, abs=2e-5)
    assert first["buffers"] == pytest.approx(buffers, rel=1e-5)


def test_training_on_two_processes_is_training_on_one(tmp_path: Path) -> None:
    samples = stripes(tmp_path / "data")
    splits = divided(samples)
    code = """
from tests.training.material import divided, recipe, stripes
from sightline.training import train
from sightline.recipes import Model
samples = stripes(folder / "data")
r = recipe(model=Model(name="small_cnn", options={"width": 8, "dropout": 0.0}), batch_size=15)
run = train(r, samples, divided(samples), out=folder / "runs")
done(str(run.directory))
"""
    directories = _on_two_processes(code, tmp_path)
    assert directories[0] == directories[1]
    two = Path(str(directories[0]))
    alone = recipe(batch_size=15).with_set("model.options.dropout=0.0")
    one = train(alone, samples, splits, out=tmp_path / "alone")
    assert one.directory.name == two.name, "the number of processes is not part of a run's identity"
    mine, theirs = checkpoint.load(one.last).weights, checkpoint.load(two / "last.pt").weights
    for name, value in mine.items():
        assert torch.allclose(value.float(), theirs[name].float(), atol=2e-4), name
    logs = [[json.loads(x) for x in (d / "log.jsonl").read_text().splitlines()] for d in (one.directory, two)]
    for a, b in zip(*logs, strict=True):
        assert a["kind"] == b["kind"]
        assert a["step"] == b["step"]
        if a["kind"] == "epoch":
            assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-3)
            assert a["val_top1"] == pytest.approx(b["val_top1"], abs=1.5 / 18)
            assert (b["val_top1"] * 18) % 1 == pytest.approx(0, abs=1e-9), "whole samples: none lost, none twice"


def test_synced_batch_norm_is_a_batch_norm_when_it_evaluates() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm1d(2, affine=False)))
    names = list(model.state_dict())
    x = torch.randn(4, 3, 2, 2)
    expected = model.eval()[0](x)
    synced = sync_batch_norm(model)
    assert list(synced.state_dict()) == names
    assert isinstance(synced[0], SyncedBatchNorm)  # type: ignore[index]
    assert torch.equal(synced.eval()[0](x), expected)  # type: ignore[index]


def test_a_batch_norm_of_another_kind_is_refused() -> None:
    class Special(nn.BatchNorm2d):
        pass

    with pytest.raises(SightlineError, match="BatchNorm of its own kind"):
        sync_batch_norm(nn.Sequential(Special(3)))
