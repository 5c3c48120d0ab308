"""The page about adopting one piece: its blocks run, in their order, and do what it says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import sightline as sl
from tests.conftest import save_photo

PAGE = Path(__file__).resolve().parents[1] / "docs" / "adopting.md"
BLOCKS = re.findall(r"^## (.+?)\n+```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_every_section_begins_with_a_block() -> None:
    assert [title for title, _ in BLOCKS] == [
        "The contract alone", "The Loader", "A Dataset for torch's DataLoader",
        "A transform for Hugging Face's datasets", "A transform of your own",
    ]  # fmt: skip


def test_the_blocks_run_and_give_equal_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(24):
        name = ("dark", "bright")[i % 2]
        save_photo(tmp_path / "photos" / name / f"{i // 2:03d}.jpg", i, size=(90, 80), level=130 * (i % 2))
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {}
    images: dict[str, torch.Tensor] = {}
    for title, code in BLOCKS:
        if "import datasets" in code and importlib.util.find_spec("datasets") is None:
            continue  # no extra of this project brings it
        exec(compile(code, title, "exec"), known)
        if title == "The contract alone":
            assert known["image_chw"].shape == (3, 64, 64)
        elif title == "The Loader":
            assert (tmp_path / "batch.png").stat().st_size > 10_000
            images["loader"] = torch.cat([b.images_bchw.clone() for b in known["loader"].epoch(1)])
        elif title.startswith("A Dataset"):
            images["dataset"] = torch.cat([b[0] for b in known["batches"]])
        elif title.startswith("A transform for"):
            order = [p for b in known["loader"].epoch(1) for p in b.positions.tolist()]
            images["transform"] = torch.stack([known["train"][p]["pixel_values"] for p in order])
        else:
            assert len(list(known["loader"].epoch(0))) == 3
    loaded = images.pop("loader")
    assert "dataset" in images
    assert all(torch.equal(loaded, others) for others in images.values())


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)", PAGE.read_text("utf-8")))
def test_links_lead_somewhere(link: str) -> None:
    assert (PAGE.parent / link).exists()


def test_public_names_of_the_page_exist() -> None:
    for name in set(re.findall(r"\bsl\.(\w+)", PAGE.read_text("utf-8"))):
        assert hasattr(sl, name)
