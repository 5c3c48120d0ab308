"""The handwritten digits that ship inside scikit-learn."""

from sightline.catalog.card import Card, Figure, PublishedStatistics

DIGITS = Card(
    name="digits",
    title="Digits (UCI optical recognition of handwritten digits, test part)",
    num_samples={"all": 1_797},
    num_classes=10,
    class_ids=tuple("0123456789"),
    resolution="8 × 8, grey, 17 levels",
    licence="CC BY 4.0",
    access="inside the scikit-learn package",
    homepage="archive.ics.uci.edu/dataset/80",
    layout="scikit-learn's own file; nothing to fetch",
    groups="13 writers, not named in the file: the same writers are in train and in test, which flatters the result",
    augmentation="shifts by a pixel; no flips",
    statistics=(
        PublishedStatistics(kind="per_pixel", mean=(0.3053,), std=(0.3760,), origin="all 1,797 images, values / 16"),
    ),
    figures=(Figure(top1=0.97, model="support vector machine, second half as test", source="scikit-learn's example"),),
    quirks=("no official split",),
    annotation="by the writers: each was told what to write",
    consent="volunteers wrote for the collection",
    removals="none",
    biases="13 writers",
)
