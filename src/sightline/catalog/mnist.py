"""MNIST and its relatives in the same layout."""

from sightline.catalog.card import Card, Figure, PublishedFile, PublishedStatistics


def _files(address: str, *published: tuple[str, int, str], form: str = "") -> tuple[PublishedFile, ...]:
    return tuple(PublishedFile(name=name, address=address + name, num_bytes=n, sha256=digest, form=form)
                 for name, n, digest in published)  # fmt: skip


_FILES = _files(
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ("train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    ("train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    ("t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    ("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    form="digits",
)
_QMNIST = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/qmnist-"

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
    groups="writers, where QMNIST's labels lie beside it (--form writers); train and test have different writers",
    augmentation="small shifts, rotations and scales; no flips (a mirrored 2 is no digit), no half turns (6, 9)",
    statistics=(
        PublishedStatistics(kind="per_pixel", mean=(0.1306605,), std=(0.3081078,), origin="the 60,000 training images"),
        PublishedStatistics(kind="per_pixel", mean=(0.1325,), std=(0.3105,), origin="the 10,000 test images"),
    ),
    figures=(
        Figure(top1=0.9905, model="LeNet-5, no distortions", source="LeCun, Bottou, Bengio, Haffner 1998"),
    ),
    quirks=(
        "Fashion-MNIST and others have the same four file names; the labels tell which one it is",
        "copies gzipped anew circulate: their checksums differ, their content does not",
    ),
    annotation="by the writers: each was told what to write",
    counts={"test digits published": 10_000, "test digits in QMNIST, which found the lost 50,000": 60_000},
    consent="writers of census forms and in schools took part in NIST's collection",
    removals="none",
    biases="American handwriting of the 1980s and 1990s; half the writers are employees, half high-school students",
    files=(
        *_FILES,
        PublishedFile(name="qmnist-train-labels-idx2-int.gz", address=_QMNIST + "train-labels-idx2-int.gz",
                      form="writers", md5="0058f8dd561b90ffdd0f734c6a30e5e4"),
        PublishedFile(name="qmnist-test-labels-idx2-int.gz", address=_QMNIST + "test-labels-idx2-int.gz",
                      form="writers", md5="5b5b05890a5e13444e108efe57b788aa"),
    ),
)  # fmt: skip

QMNIST = Card(
    name="qmnist",
    title="QMNIST",
    num_samples={"train": 60_000, "test": 60_000},
    num_classes=10,
    class_ids=tuple("0123456789"),
    first_labels=MNIST.first_labels,
    resolution=MNIST.resolution,
    licence="BSD-style",
    access="open",
    homepage="github.com/facebookresearch/qmnist",
    layout="IDX files qmnist-train-… and qmnist-test-…, labels as idx2-int (with writers) or idx1-ubyte",
    folders=("qmnist", "QMNIST", "QMNIST/raw"),
    groups="writers, in the labels of eight columns",
    augmentation=MNIST.augmentation,
    quirks=(
        "its train and its first 10,000 test digits are MNIST's, made anew: pixels differ by up to 3 levels of 255",
        "147 of its training digits are shifted by a pixel against MNIST's",
    ),
    annotation=MNIST.annotation, consent=MNIST.consent, removals="none", biases=MNIST.biases,
    counts={"test digits that are MNIST's": 10_000, "test digits that MNIST lost": 50_000},
    files=tuple(
        PublishedFile(name=f"qmnist-{name}", address=_QMNIST + name, md5=md5)
        for name, md5 in (
            ("train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            ("train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
            ("test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            ("test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        )
    ),
)  # fmt: skip

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
    annotation="the shop's own categories of its products",
    consent="product photographs of the company that publishes them",
    removals="none",
    biases="one shop's assortment; products without people",
    files=_files(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ("train-images-idx3-ubyte.gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        ("train-labels-idx1-ubyte.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        ("t10k-images-idx3-ubyte.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        ("t10k-labels-idx1-ubyte.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
)  # fmt: skip
