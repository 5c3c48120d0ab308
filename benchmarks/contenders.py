"""Who takes part in which job, and what was set: the literal list of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.jobs import ORDER_SAMPLES


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One row of a table."""

    name: str
    job: str
    title: str
    peer: str
    """Module in benchmarks/peers."""
    environment: str = "own"
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: str = ""
    """What was set, for readers."""
    stored: str = ""
    """Contenders with the same word share what one of them prepared; by default each has its own."""
    note: str = ""
    """Why a row is not quite like the others."""

    @property
    def is_own(self) -> bool:
        """Whether it is Sightline."""
        return self.peer.startswith("sightline")


TENSOR = "decode_image and transforms v2 in the workers"


def _torch(job: str, pixels: str, workers: int) -> Contender:
    data = "arrays in memory" if job == "cifar10" else "ImageFolder"
    kind = "Pillow" if pixels == "pillow" else "v2 tensors"
    count = f"{workers} workers" if workers else "no workers"
    how = "persistent workers" if workers else "torch's threads as they are"
    return Contender(
        name=f"{job}-torch-{pixels}-{workers}", job=job, peer="torch_dataloader", title=f"DataLoader, {kind}, {count}",
        options={"workers": workers, "pixels": pixels}, settings=f"{data}, {how}, prefetch_factor as it comes",
    )  # fmt: skip


def _own(job: str, kind: str, title: str, settings: str, **options: Any) -> Contender:
    return Contender(
        name=f"{job}-sightline-{kind}", job=job, peer="sightline_loader", title=f"Sightline, {title}", options=options,
        settings=settings, stored="packed" if options.get("source") == "packed" else "",
    )  # fmt: skip


def _peer(name: str, title: str, peer: str, environment: str, settings: str, **more: Any) -> Contender:
    return Contender(
        name=name, job=more.pop("job", "train"), title=title, peer=peer, environment=environment, settings=settings,
        **more,
    )  # fmt: skip


LOSSY = "JPEG again, quality 90, at most 500 px: other pixels"
FFCV = "2 threads, os_cache, random order, NormalizeImage on the CPU, channels_last"

CONTENDERS = (
    _own("train", "files", "untouched files", "nothing kept (cache_bytes=0)"),
    _own("train", "packed", "packed shards", "nothing kept (cache_bytes=0)", source="packed"),
    _own("train", "cached", "decoded images kept", "cache_bytes as it comes (4 GiB)", is_cached=True),
    _torch("train", "pillow", 0),
    _torch("train", "pillow", 2),
    _torch("train", "tensor", 0),
    _torch("train", "tensor", 2),
    Contender(
        name="train-timm", job="train", title="timm create_loader", peer="timm_loader",
        settings="2 persistent workers, prefetcher on the CPU (uint8 from the workers), Pillow transforms",
    ),
    _peer("train-webdataset", "webdataset", "webdataset_shards", "webdataset",
          f"8 tar shards, 2 persistent workers, shuffle buffer of 1000, batched in the workers; {TENSOR}"),
    _peer("train-litdata", "litdata", "litdata_streaming", "litdata",
          f"64 MB chunks on the local disk, 2 persistent workers; {TENSOR}"),
    _peer("train-streaming", "MosaicML streaming", "mosaic_streaming", "streaming",
          f"local MDS shards, 2 persistent workers; {TENSOR}"),
    _peer("train-datasets", "Hugging Face datasets", "huggingface_datasets", "datasets",
          f"Parquet, with_transform, 2 persistent workers, rows of a batch in one call; {TENSOR}"),
    _peer("train-grain", "grain", "grain_threads", "grain",
          "MapDataset of files, 2 reading threads with 128 elements ahead; decode_image and transforms v2"),
    _peer("train-spdl", "SPDL", "spdl_threads", "spdl",
          "files, 2 threads, FFmpeg decodes, crops, scales and mirrors; numpy normalizes"),
    _peer("train-dali", "DALI on the CPU", "dali_cpu", "dali",
          "files, 2 threads, decoders.image_random_crop, resize with antialias, crop_mirror_normalize; no copy out"),
    _peer("train-ffcv-jpeg", "FFCV, JPEG 500 px", "ffcv_beton", "ffcv", FFCV, options={"mode": "jpg"}, note=LOSSY),
    _peer("train-ffcv-raw", "FFCV, raw 500 px", "ffcv_beton", "ffcv", FFCV, options={"mode": "raw"},
          note="raw pixels, at most 500 px; resized by area"),
    _own("eval", "fast", "untouched files", "resized by torch"),
    _own("eval", "exact", "exact", "resized by Pillow", is_exact=True),
    _own("eval", "packed", "packed shards", "resized by torch", source="packed"),
    _torch("eval", "pillow", 0),
    _torch("eval", "pillow", 2),
    _torch("eval", "tensor", 0),
    _torch("eval", "tensor", 2),
    Contender(
        name="eval-timm", job="eval", title="timm create_loader", peer="timm_loader",
        settings="2 persistent workers, prefetcher on the CPU (uint8 from the workers), Pillow transforms",
    ),
    _own("cifar10", "arrays", "decoded once", "from Parquet; cache_bytes as it comes", is_cached=True),
    _torch("cifar10", "pillow", 0),
    _torch("cifar10", "pillow", 2),
    _torch("cifar10", "tensor", 0),
    _torch("cifar10", "tensor", 2),
    _peer("cifar10-ffcv", "FFCV, raw", "ffcv_beton", "ffcv", FFCV, job="cifar10", options={"mode": "raw"}),
    _own("growth", "files", "untouched files", "nothing kept (cache_bytes=0)"),
    _own("growth", "packed", "packed shards", "nothing kept (cache_bytes=0)", source="packed"),
    _own("growth", "cached", "decoded images kept", "cache_bytes as it comes (4 GiB)", is_cached=True),
    _torch("growth", "pillow", 2),
    Contender(
        name="order-sightline", job="order", title="Sightline's Loader", peer="sightline_order",
        options={"count": ORDER_SAMPLES}, settings="world_size=8",
    ),
    Contender(
        name="order-torch", job="order", title="DataLoader with DistributedSampler", peer="torch_order",
        options={"count": ORDER_SAMPLES}, settings="num_replicas=8, no workers",
    ),
)  # fmt: skip


def chosen(only: str) -> tuple[Contender, ...]:
    """The contenders whose name, job or environment is in a comma-separated list; all of them for an empty one.

    Raises ValueError for a word that fits none.
    """
    words = [w.strip() for w in only.split(",") if w.strip()]
    for word in words:
        if not any(word in (c.name, c.job, c.environment) for c in CONTENDERS):
            known = ", ".join(dict.fromkeys(w for c in CONTENDERS for w in (c.job, c.environment, c.name)))
            raise ValueError(f"--only got {word!r}, which is no job, environment or contender. There are: {known}.")
    return tuple(c for c in CONTENDERS if not words or {c.name, c.job, c.environment} & set(words))
