"""ILSVRC's detection tasks, read as classification with several classes an image."""

from sightline.catalog.card import Card
from sightline.catalog.imagenet import BIASES, CONSENT

_SCOPE = "detection: boxes are read, detectors are not trained"
_GATE = "register at image-net.org, accept the terms, and download the archives and the development kit by hand"

ILSVRC_DET = Card(
    name="ilsvrc-det",
    title="ILSVRC DET (object detection)",
    num_samples={"train": 456_567, "val": 20_121, "test": 51_294},
    num_classes=200,
    task="several labels",
    resolution="photographs",
    licence="non-commercial research and education",
    access="registration and terms",
    homepage="image-net.org",
    layout="Data/DET, ImageSets/DET and Annotations/DET, in ILSVRC or not, with map_det.txt of the development kit",
    folders=("ilsvrc-det", "ILSVRC2017_DET"),
    groups="none within; images taken from ImageNet-1k's train bear its names",
    augmentation="random resized crops and horizontal flips; a crop may lose an object",
    quirks=(
        "train: a class is present (1), partly there (0) or verified absent (-1); where nobody looked nothing is said",
        "val: people looked for every class; what is not listed is absent",
        "the numbers of the lists are explained by the development kit alone",
        "267,770 train and 15,522 val images are also in ImageNet-1k's: weights pretrained there have seen them",
    ),
    annotation="paid people: hierarchical questions for what is there, then boxes",
    scope=_SCOPE,
    consent=CONSENT,
    removals="none known",
    biases=BIASES.partition(";")[0],
    counts={"test images of the first edition": 40_152, "test images added later": 11_142},
    gate=_GATE,
)

ILSVRC_VID = Card(
    name="ilsvrc-vid",
    title="ILSVRC VID (object detection from video)",
    num_samples={"train": 1_122_397, "val": 176_126},
    num_classes=30,
    task="several labels",
    resolution="frames of videos",
    licence="non-commercial research and education",
    access="registration and terms",
    homepage="image-net.org",
    layout="Data/VID and Annotations/VID, in ILSVRC or not; #every-10 takes every tenth frame",
    folders=("ilsvrc-vid", "ILSVRC2015_VID", "ILSVRC2017_VID"),
    groups="video: several snippets may be cut from one",
    augmentation="random resized crops and horizontal flips; a crop may lose an object",
    quirks=(
        "neighbouring frames are almost the same: #every-10 loses little, and intervals are taken over videos",
        "a snippet's name is the video's five digits and three of its own: snippets of one video are not independent",
        "boxes that were interpolated bear a flag; the benchmark ignores them",
        "class index = position of the sorted wnid",
    ),
    annotation="paid people drew boxes and followed objects; boxes between were interpolated",
    scope=_SCOPE,
    consent="none asked: videos from the web",
    removals="none known",
    biases="30 classes, animals and vehicles",
    counts={"snippets in train": 3_862, "snippets in val": 555, "snippets in test": 937},
    gate=_GATE,
)
