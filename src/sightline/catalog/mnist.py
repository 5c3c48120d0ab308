"""MNIST and the dataset that copies its files' names."""

from sightline.catalog.card import Card, Figure, PublishedStatistics

MNIST = Card(
    name="mnist",
    title="MNIST",
    num_samples={"train": 60_000, "test": 10_000},
    num_classes=10,
    class_ids=tuple("0123456789"),
    first_labels=(5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5, 3, 6, 1, 7, 2, 8, 6, 9),
    resolution="28 × 28, grey, 8-bit",
    licence="no licence file; used freely",
    access="open",
    homepage="yann.lecun.com/exdb/mnist",
    layout="four IDX files, gzipped or not, in one folder (also MNIST/raw as torchvision keeps them)",
    folders=("mnist", "MNIST", "MNIST/raw"),
    groups="writers are not named; train and test have different writers",
    augmentation="small shifts, rotations and scales; no flips (a mirrored 2 is no digit), no half turns (6, 9)",
    statistics=(
        PublishedStatistics(kind="per_pixel", mean=(0.1306605,), std=(0.3081078,), origin="the 60,000 training images"),
        PublishedStatistics(kind="per_pixel", mean=(0.1325,), std=(0.3105,), origin="the 10,000 test images"),
    ),
    figures=(
        Figure(top1=0.9905, model="LeNet-5, no distortions", source="LeCun, Bottou, Bengio, Haffner 1998"),
    ),
    quirks=("Fashion-MNIST has the same four file names; the labels tell which one it is",),
)

FASHION_MNIST = Card(
    name="fashion-mnist",
    title="Fashion-MNIST",
    num_samples={"train": 60_000, "test": 10_000},
    num_classes=10,
    class_ids=(
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    first_labels=(9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
    resolution="28 × 28, grey, 8-bit",
    licence="MIT",
    access="open",
    homepage="github.com/zalandoresearch/fashion-mnist",
    layout="four IDX files with MNIST's names, gzipped or not (also FashionMNIST/raw)",
    folders=("fashion-mnist", "fashion_mnist", "FashionMNIST", "FashionMNIST/raw"),
    groups="none known",
    augmentation="horizontal flips and small shifts",
    statistics=(
        PublishedStatistics(kind="per_pixel", mean=(0.2860,), std=(0.3530,), origin="training images, as circulated"),
    ),
    quirks=("the same four file names as MNIST: keep it in a folder of its own",),
)  # fmt: skip
