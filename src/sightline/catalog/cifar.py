"""CIFAR-10, CIFAR-100, and the sets that test what was learnt from CIFAR-10."""

from sightline.catalog.card import Card, Figure, PublishedFile, PublishedStatistics

COARSE = (
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices",
    "household_furniture", "insects", "large_carnivores", "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes", "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates",
    "people", "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
)  # fmt: skip
"""CIFAR-100's coarse classes, in official order."""

_HOME = "https://www.cs.toronto.edu/~kriz/"
_CONSENT = "collected from web search without asking anybody"
_REMOVED = (
    "none; 80 Million Tiny Images, from which these were chosen, was withdrawn in 2020 for offensive labels, which are "
    "not among these classes"
)
_BIASES = "what English web search returned in the 2000s; no survey of it is published"

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
    layout="binary or python batches, unpacked or as tar.gz; hub Parquet (columns img, label)",
    folders=("cifar10", "cifar-10", "CIFAR10", "cifar-10-batches-bin", "cifar-10-batches-py"),
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
        "the python batches are pickles: only their arrays are read, any other class in them is refused",
        "CIFAR-10N and CIFAR-10H are further labels: see with_labels; CIFAR-10N's *_ordered file is in another order",
    ),
    annotation="students paid to label; checked by the authors, who excluded duplicates as they saw them",
    consent=_CONSENT, removals=_REMOVED, biases=_BIASES,
    files=(
        PublishedFile(
            name="cifar-10-binary.tar.gz", address=_HOME + "cifar-10-binary.tar.gz", form="binary",
            num_bytes=170_052_171, sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
        PublishedFile(
            name="cifar-10-python.tar.gz", address=_HOME + "cifar-10-python.tar.gz", form="python",
            md5="c58f30108f718f92721af3b95e74349a",
        ),
    ),
)  # fmt: skip

CIFAR100 = Card(
    name="cifar100",
    title="CIFAR-100",
    num_samples={"train": 50_000, "test": 10_000},
    num_classes=100,
    class_ids=(
        "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
        "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
        "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
        "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
        "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
        "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
        "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
        "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
        "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
        "willow_tree", "wolf", "woman", "worm",
    ),
    first_labels=(19, 29, 0, 11, 1, 86, 90, 28, 23, 31),
    resolution="32 × 32, RGB, 8-bit",
    licence="no licence file; research use",
    access="open",
    homepage="www.cs.toronto.edu/~kriz/cifar.html",
    layout="binary or python files, unpacked or as tar.gz; hub Parquet (columns img, fine_label, coarse_label)",
    folders=("cifar100", "cifar-100", "CIFAR100", "cifar-100-binary", "cifar-100-python"),
    groups="near-duplicates, within and across the official splits (ciFAIR lists about 10 % of the test images)",
    augmentation="horizontal flips, crops after padding by 4",
    statistics=(
        PublishedStatistics(kind="per_pixel", mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762),
                            origin="training images, as circulated"),
    ),
    figures=(
        Figure(top1=0.8075, model="WRN-28-10, flips and padded crops", source="Zagoruyko, Komodakis 2016"),
    ),
    quirks=(
        "labels are the 100 fine classes; the 20 coarse ones are the further label space `coarse`",
        "records of the binary form begin with the coarse label, then the fine one",
    ),
    annotation="as CIFAR-10; every image has a fine and a coarse class",
    consent=_CONSENT, removals=_REMOVED, biases=_BIASES,
    files=(
        PublishedFile(
            name="cifar-100-binary.tar.gz", address=_HOME + "cifar-100-binary.tar.gz", form="binary",
            num_bytes=168_513_733, sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
        PublishedFile(
            name="cifar-100-python.tar.gz", address=_HOME + "cifar-100-python.tar.gz", form="python",
            md5="eb9058c3a382ffc7106e4002c42a8d85",
        ),
    ),
)  # fmt: skip

_V = "https://github.com/modestyachts/CIFAR-10.1/raw/master/datasets/cifar10.1_"

CIFAR10_1 = Card(
    name="cifar10.1",
    title="CIFAR-10.1",
    num_samples={"test": 2_000},
    num_classes=10,
    class_ids=CIFAR10.class_ids,
    resolution="32 × 32, RGB, 8-bit",
    licence="no licence for the images; research use",
    access="open",
    homepage="github.com/modestyachts/CIFAR-10.1",
    layout="cifar10.1_v6_data.npy and cifar10.1_v6_labels.npy in one folder (or v4; give the data file where both lie)",
    folders=("cifar10.1", "CIFAR-10.1"),
    groups="none known; the versions share images",
    augmentation="none: it is a test set",
    quirks=(
        "v6 has 200 images of each class and is what its authors recommend; v4 is not balanced",
        "made to repeat CIFAR-10's own collection: accuracy is lower than on its test, mostly not by overfitting",
    ),
    annotation="as CIFAR-10, by the authors",
    use="testing only",
    counts={"images of version v6": 2_000, "images of version v4": 2_021},
    consent=_CONSENT, removals=_REMOVED, biases=_BIASES,
    files=(
        PublishedFile(name="cifar10.1_v6_data.npy", address=_V + "v6_data.npy", form="v6", num_bytes=6_144_128,
                      sha256="2997188e5816f5bd545dc77771b6227828c28146049fcecf3fa10775474cacc6"),
        PublishedFile(name="cifar10.1_v6_labels.npy", address=_V + "v6_labels.npy", form="v6", num_bytes=8_128,
                      sha256="ae40beda001693674edc94d925ee8268cfe68905f8f9aff800c8dcdfcd6c9448"),
        PublishedFile(name="cifar10.1_v4_data.npy", address=_V + "v4_data.npy", form="v4", num_bytes=6_208_640,
                      sha256="5aaedc268df8f4cffca2ac0cf9e608ae1897a8cddb630c7a850a2ea8f6558e75"),
        PublishedFile(name="cifar10.1_v4_labels.npy", address=_V + "v4_labels.npy", form="v4", num_bytes=8_212,
                      sha256="1f9544300ded199539b6662364ce7fe6c2e1ea9f87408f06db4b1a6184cffb18"),
    ),
)  # fmt: skip

CIFAR10_C = Card(
    name="cifar10-c",
    title="CIFAR-10-C",
    num_samples={"test": 950_000},
    num_classes=10,
    class_ids=CIFAR10.class_ids,
    resolution="32 × 32, RGB, 8-bit",
    licence="as its record says; the images are CIFAR-10's",
    access="open",
    homepage="zenodo.org/record/2535967",
    layout="<corruption>.npy and labels.npy in one folder, or CIFAR-10-C.tar as it is; some of the corruptions suffice",
    folders=("cifar10-c", "CIFAR-10-C"),
    groups="the test image of CIFAR-10: each is here 95 times",
    augmentation="none: it is a test set, and training on its corruptions defeats it",
    quirks=(
        "each array holds five severities, one after the other, and labels.npy serves all of them",
        "15 corruptions make the benchmark; gaussian_blur, saturate, spatter and speckle_noise are extra",
    ),
    annotation="CIFAR-10's test labels",
    use="testing only",
    counts={"images of the 15 benchmark corruptions": 750_000, "images with the 4 extra corruptions": 950_000,
            "different photographs": 10_000},
    consent=_CONSENT, removals=_REMOVED, biases=_BIASES,
    files=(
        PublishedFile(
            name="CIFAR-10-C.tar", address="https://zenodo.org/record/2535967/files/CIFAR-10-C.tar",
            num_bytes=2_918_471_680, sha256="c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
        ),
    ),
)  # fmt: skip
