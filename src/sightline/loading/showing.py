"""`show`: an augmented batch as people see it, with what was drawn for each image written below."""

from __future__ import annotations

import base64
import io
import textwrap
import unicodedata
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from sightline.artifacts import write_bytes
from sightline.augmentation import Augmentation
from sightline.errors import DataError
from sightline.loading.batch import Batch
from sightline.loading.loader import Loader
from sightline.loading.pixels import NativePixels
from sightline.preprocessing import Preprocessing
from sightline.randomness import Draws, generator, hashes_of
from sightline.samples import SampleTable

CELL = 200
"""Pixels of the width of an image with its caption; smaller images are enlarged by whole factors, pixel by pixel."""
COLUMNS = 4
LETTERS = 30
"""In a line of a caption."""
LINE, SPACE = 16, 14
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc")
"""Fonts with more than English letters, where a system has them; else Pillow's own."""
INK, MUTED, PAPER = "#1d2024", "#5c626b", "#ffffff"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Images of a batch with captions; displays itself in a notebook, and `save` writes it as PNG."""

    title: str
    images: tuple[Image.Image, ...] = field(repr=False)
    """As the model is given them, normalization undone, enlarged where they are small."""
    captions: tuple[tuple[str, ...], ...]
    """Of each image: its class, and what was drawn for it, one line a transform."""

    def picture(self) -> Image.Image:
        """All images with their captions below, as one Pillow image."""
        font, strong = _font(12), _font(14)
        lines = [[part for line in caption for part in _wrapped(line)] for caption in self.captions]
        rows = [slice(i, i + COLUMNS) for i in range(0, len(self.images), COLUMNS)]
        heights = [
            max(i.height for i in self.images[r]) + LINE * max(map(len, lines[r])) + 2 * SPACE for r in rows
        ]
        width = min(len(self.images), COLUMNS) * (CELL + SPACE) + SPACE
        sheet = Image.new("RGB", (width, sum(heights) + 2 * SPACE + LINE), PAPER)
        pen = ImageDraw.Draw(sheet)
        pen.text((SPACE, SPACE), _drawable(self.title, strong), INK, strong)
        top = 2 * SPACE + LINE
        for row, height in zip(rows, heights, strict=True):
            tallest = max(i.height for i in self.images[row])
            for i, (image, words) in enumerate(zip(self.images[row], lines[row], strict=True)):
                left = SPACE + i * (CELL + SPACE)
                sheet.paste(image, (left, top))
                for j, line in enumerate(words):
                    place = (left, top + tallest + 4 + j * LINE)
                    pen.text(place, _drawable(line, font), MUTED if j else INK, font)
            top += height
        return sheet

    def save(self, path: str | Path) -> Path:
        """Path of the PNG written. Raises DataError for another ending."""
        target = Path(path)
        if target.suffix.lower() != ".png":
            raise DataError(f"The picture of a batch is a PNG, got {target.name!r}. Name it {target.stem}.png.")
        write_bytes(target, self._repr_png_())
        return target

    def _repr_png_(self) -> bytes:
        return _png(self.picture())

    def _repr_html_(self) -> str:
        cells = (
            f'<figure style="margin:0;width:{CELL}px"><img alt="{escape(words[0])}" width="{image.width}" '
            f'src="data:image/png;base64,{base64.b64encode(_png(image)).decode()}"><figcaption style="font-size:12px">'
            f"<b>{escape(words[0])}</b>{''.join(f'<br>{escape(w)}' for w in words[1:])}</figcaption></figure>"
            for image, words in zip(self.images, self.captions, strict=True)
        )
        return (f'<p>{escape(self.title)}</p><div style="display:flex;flex-wrap:wrap;gap:{SPACE}px">'
                f"{''.join(cells)}</div>")  # fmt: skip


def show(loader: Loader, epoch: int = 0, step: int = 0, count: int = 16) -> Shown:
    """The first `count` images of a batch as the model is given them, each with what was drawn for it.

    The batch is number `step` of `epoch`, or of the whole pass where the loader is for evaluation. The loader's
    state stays where it is. Raises DataError when there is no such batch, or none of its images can be read.
    """
    if not 0 <= step < len(loader) or count < 1:
        raise DataError(f"There is no batch {step} of {count} images: an epoch has the batches 0 … {len(loader) - 1}.")
    batch = loader.peek(epoch, step)
    if not len(batch):
        raise DataError(f"None of the images of batch {step} can be read ({batch.unreadable[0][1]}).")
    images = tuple(_enlarged(i) for i in denormalized(batch.images_bchw[:count], loader.preprocessing))
    names = [_classes(batch, i, loader.samples) for i in range(len(images))]
    drawn = _drawn(loader, batch, count, epoch)
    captions = tuple((name, *words) for name, words in zip(names, drawn, strict=True))
    return Shown(title=_title(loader, batch, epoch, step), images=images, captions=captions)


def _title(loader: Loader, batch: Batch, epoch: int, step: int) -> str:
    if not loader.is_training:
        return f"{loader.samples.name} · batch {step}, as evaluated"
    made = loader.augmentation or Augmentation()
    height, width = batch.images_bchw.shape[2:]
    mixture = made.mixture(generator(loader.seed, epoch, step), (height, width))
    mixed = f" · mixed: {mixture.describe()}" if mixture is not None else ""
    return f"{loader.samples.name} · epoch {epoch}, batch {step}{mixed}"


def denormalized(images_bchw: torch.Tensor, contract: Preprocessing) -> list[Image.Image]:
    """Pillow images (L or RGB, 8 bits) of normalized ones; what lies outside black and white is cut off."""
    mean, std = (torch.tensor(n).view(1, -1, 1, 1) for n in (contract.mean, contract.std))
    levels = (images_bchw.float().cpu() * std + mean).mul(255).round().clamp(0, 255).to(torch.uint8)
    arrays = levels.permute(0, 2, 3, 1).contiguous().numpy()
    return [Image.fromarray(a[:, :, 0] if a.shape[2] == 1 else a) for a in arrays]


def _enlarged(image: Image.Image) -> Image.Image:
    """At most `CELL` wide, small ones in whole factors so that every pixel of the model's input is seen."""
    factor = CELL // max(image.size)
    if factor > 1:
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    scale = min(1.0, CELL / image.width)
    return image.resize((round(image.width * scale), max(round(image.height * scale), 1)), Image.Resampling.LANCZOS)


def _classes(batch: Batch, i: int, samples: SampleTable) -> str:
    """Name of an image's class, or of the two that it was mixed from with their shares."""
    targets = batch.targets[i]
    if targets.ndim == 0:
        return samples.classes.names[int(targets)] if int(targets) >= 0 else "unlabelled"
    shares = sorted(((float(targets[k]), int(k)) for k in targets.nonzero()[:, 0]), reverse=True)
    names = [(samples.classes.names[k], share) for share, k in shares]
    return names[0][0] if len(names) == 1 else " + ".join(f"{share:.2f} {name}" for name, share in names)


def _drawn(loader: Loader, batch: Batch, count: int, epoch: int) -> list[list[str]]:
    """What was drawn for each of the first `count` images: drawn again, as functions of (seed, epoch, sample)."""
    made = loader.augmentation or Augmentation()
    samples = loader.samples.take(batch.positions[:count])
    native = NativePixels(samples, loader.preprocessing, 0).sizes(np.arange(len(samples)))
    fed = np.tile(np.array(batch.images_bchw.shape[2:]), (len(samples), 1))
    draws = Draws(loader.seed, epoch, hashes_of(samples.ids))
    lines: list[list[str]] = [[] for _ in range(len(samples))]
    for place, transform in enumerate(made.transforms):
        parameters = made.draw(draws, place, native if transform is made.view else fed)
        for words, row in zip(lines, parameters, strict=True):
            words += filter(None, [transform.describe(row)])
    return lines


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, LETTERS) or [""]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _drawable(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text in letters that the font has: Pillow's own knows the English ones."""
    if isinstance(font, ImageFont.FreeTypeFont) and font.getname()[0] != "Aileron":
        return text
    plain = text.replace("×", "x").replace("·", "-")
    return unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
