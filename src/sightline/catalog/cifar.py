"""CIFAR-10."""

from sightline.catalog.card import Card, Figure, PublishedStatistics

CIFAR10 = Card(
    name="cifar10",
    title="CIFAR-10",
    num_samples={"train": 50_000, "test": 10_000},
    num_classes=10,
    class_ids=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    first_labels=(6, 9, 9, 4, 1, 1, 2, 7, 8, 3),
    resolution="32 × 32, RGB, 8-bit",
    licence="no licence file; research use",
    access="open",
    homepage="www.cs.toronto.edu/~kriz/cifar.html",
    layout="hub Parquet (columns img, label)",
    folders=("cifar10", "cifar-10", "CIFAR10"),
    groups="near-duplicates, within and across the official splits (ciFAIR lists about 3 % of the test images)",
    augmentation="horizontal flips, crops after padding by 4",
    statistics=(
        PublishedStatistics(
            kind="per_pixel", mean=(0.49139968, 0.48215841, 0.44653091), std=(0.24703223, 0.24348513, 0.26158784),
            origin="the 50,000 training images, before any re-compression",
        ),
        PublishedStatistics(
            kind="mean_of_per_image_std", mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010),
            origin="circulates in many repositories; its std is not the pixels' std",
        ),
    ),
    figures=(
        Figure(top1=0.9600, model="WRN-28-10, flips and padded crops", source="Zagoruyko, Komodakis 2016"),
    ),
    quirks=(
        "copies re-compressed as JPEG circulate: statistics shift by about 0.7 % and exact hashes find no duplicates",
        "test images with a near-duplicate in train flatter the test accuracy; audit lists exact ones",
    ),
)  # fmt: skip
