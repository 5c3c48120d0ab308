"""Sets that test models trained on ImageNet-1k: never to be trained on."""

from sightline.catalog.card import Card, PublishedFile
from sightline.catalog.imagenet import CONSENT

_USE = "testing only"
_AUGMENTATION = "none: nothing is trained on it; test-time transforms as on ImageNet-1k's val"
_HENDRYCKS = "https://people.eecs.berkeley.edu/~hendrycks/"
_HUB = "https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main/"

IMAGENET_V2 = Card(
    name="imagenet-v2",
    title="ImageNet-V2 (three variants of 10,000)",
    num_samples={"test": 10_000},
    num_classes=1_000,
    resolution="photographs",
    licence="MIT for the code; the photographs are their makers'",
    access="open",
    homepage="github.com/modestyachts/ImageNetV2",
    layout="unpacked: folders 0 … 999 below a folder with imagenetv2 in its name",
    folders=("imagenet-v2", "imagenetv2", "imagenetv2-matched-frequency-format-val"),
    groups="the variants share images: files of equal names are one group",
    augmentation=_AUGMENTATION,
    quirks=(
        "a folder's number is the position of the sorted wnid; read as text (0, 1, 10, …) accuracy falls to chance",
        "the variant is part of the result: matched-frequency is the hardest, top-images the easiest",
        "published as .tar.gz: unpack it",
    ),
    annotation="as ImageNet-1k's val, repeated years later: chosen by how often people selected an image for its class",
    use=_USE,
    consent="none asked: photographs of Flickr",
    removals="none known",
    biases="as ImageNet-1k's, by intention",
    counts={"images of all variants": 30_000},
    files=(
        PublishedFile(name="imagenetv2-matched-frequency.tar.gz", address=_HUB + "imagenetv2-matched-frequency.tar.gz",
                      form="matched-frequency", num_bytes=1_264_079_360,
                      sha256="f0c37fdf925916b19ea1323cd9a2208cdb6959ba2c32eef2a7fc393835c9ca7c"),
        PublishedFile(name="imagenetv2-threshold0.7.tar.gz", address=_HUB + "imagenetv2-threshold0.7.tar.gz",
                      form="threshold-0.7", num_bytes=1_249_906_176,
                      sha256="32142bfe998f9cfa4141be691f6a80eeb1e27b24bd532a668eb08c26d98897a2"),
        PublishedFile(name="imagenetv2-top-images.tar.gz", address=_HUB + "imagenetv2-top-images.tar.gz",
                      form="top-images", num_bytes=1_245_927_936,
                      sha256="85e4ace30f3f0d660152062254b8759dda66267b27f7ec0fd8d5768f1073a04b"),
    ),
)  # fmt: skip

IMAGENET_A = Card(
    name="imagenet-a",
    title="ImageNet-A",
    num_samples={"test": 7_500},
    num_classes=1_000,
    resolution="photographs",
    licence="MIT for the code; the photographs are their makers'",
    access="open",
    homepage="github.com/hendrycks/natural-adv-examples",
    layout="imagenet-a.tar, or its class folders: 200 wnids",
    folders=("imagenet-a",),
    groups="none known",
    augmentation=_AUGMENTATION,
    quirks=(
        "200 of the 1,000 classes, numbered as in ImageNet-1k; label_map('imagenet-1k', 'imagenet-a') restricts logits",
        "ImageNet-R has another 200 classes",
        "chosen because a ResNet-50 was wrong: its accuracy is near 0 by construction, and no measure of other models",
    ),
    annotation="found on iNaturalist, Flickr and elsewhere, checked by the authors, kept where a ResNet-50 was wrong",
    use=_USE,
    consent="none asked",
    removals="none known",
    biases="the mistakes of one network of 2015",
    counts={"images as the paper counts them": 7_500, "classes that have images": 200},
    files=(
        PublishedFile(name="imagenet-a.tar", address=_HENDRYCKS + "imagenet-a.tar", num_bytes=687_552_512,
                      md5="c3e55429088dc681f30d81f4726b6595",
                      sha256="3bb3632277e6ba6392ea64c02ddbf4dd2266c9caffd6bc09c9656d28f012589e"),
    ),
)  # fmt: skip

IMAGENET_R = Card(
    name="imagenet-r",
    title="ImageNet-R(endition)",
    num_samples={"test": 30_000},
    num_classes=1_000,
    resolution="pictures of any kind and size",
    licence="MIT for the code; the pictures are their makers'",
    access="open",
    homepage="github.com/hendrycks/imagenet-r",
    layout="imagenet-r.tar, or its class folders: 200 wnids, files named <style>_<number>.jpg",
    folders=("imagenet-r",),
    groups="none published",
    augmentation=_AUGMENTATION,
    quirks=(
        "200 of the 1,000 classes, numbered as in ImageNet-1k; label_map('imagenet-1k', 'imagenet-r') restricts logits",
        "ImageNet-A has another 200 classes",
        "the style (art, cartoon, toy, …) is in the column extra: results differ much between styles",
    ),
    annotation="found on Flickr by class and style, kept where paid people and the authors saw the class",
    use=_USE,
    consent="none asked",
    removals="none known",
    biases="what people like to draw",
    counts={"classes that have images": 200},
    files=(
        PublishedFile(name="imagenet-r.tar", address=_HENDRYCKS + "imagenet-r.tar", num_bytes=2_191_079_936,
                      md5="a61312130a589d0ca1a8fca1f2bd3337",
                      sha256="18c6bf493b39a0d975d48e587437f562caab9c52ae6327dcfa9dd8eb54aa1b52"),
    ),
)  # fmt: skip

IMAGENET_SKETCH = Card(
    name="imagenet-sketch",
    title="ImageNet-Sketch",
    num_samples={"test": 50_889},
    num_classes=1_000,
    resolution="drawings of any size, mostly grey",
    licence="MIT for the code; the drawings are their makers'",
    access="by hand",
    homepage="github.com/HaohanWang/ImageNet-Sketch",
    layout="ImageNet-Sketch.zip, or its class folders: 1,000 wnids, files named sketch_<number>.JPEG",
    folders=("imagenet-sketch", "sketch"),
    groups="none published; flipped and rotated copies fill up some classes: audit lists them as near-duplicates",
    augmentation=_AUGMENTATION,
    quirks=(
        "classes with few drawings were filled with flipped and rotated copies: samples are not independent",
        "its description says 50,000 images; the archive holds 50,889",
    ),
    annotation="found by search engines as 'sketch of' the class, cleaned by the authors",
    use=_USE,
    consent="none asked",
    removals="none known",
    biases="what people like to draw",
    files=(
        PublishedFile(name="ImageNet-Sketch.zip", num_bytes=7_593_573_012,
                      sha256="4d3ce6b82a7c48aabf14aeac105eb533e75707f152cc858f55bfc022031a72ed"),
    ),
    gate="download ImageNet-Sketch.zip by the link in github.com/HaohanWang/ImageNet-Sketch (a page asks first)",
)  # fmt: skip


def _zenodo(name: str, num_bytes: int, md5: str) -> PublishedFile:
    return PublishedFile(name=name, address=f"https://zenodo.org/records/2235448/files/{name}", num_bytes=num_bytes,
                         md5=md5)  # fmt: skip


IMAGENET_C = Card(
    name="imagenet-c",
    title="ImageNet-C(orruption)",
    num_samples={"test": 4_750_000},
    num_classes=1_000,
    resolution="224 × 224",
    licence="CC BY 4.0 for the record; the photographs are ImageNet's",
    access="open",
    homepage="zenodo.org/records/2235448",
    layout="the tars, or <corruption>/<severity>/<wnid>/…, from any of these folders on",
    folders=("imagenet-c",),
    groups="val image: each occurs up to 95 times",
    augmentation=_AUGMENTATION,
    quirks=(
        "95 versions of one photograph are no 95 samples: intervals are taken over photographs",
        "already cropped to 224 × 224: do not resize and crop again",
        "15 corruptions are the benchmark, 4 more (the archive extra) are for tuning",
        "versions that other software generates anew have other pixels",
    ),
    annotation="ImageNet-1k's val labels; the corruptions are computed",
    use=_USE,
    consent=CONSENT,
    removals="none known",
    biases="ImageNet-1k's; corruptions are simulated",
    counts={"images of the benchmark's 15 corruptions": 3_750_000},
    files=(
        _zenodo("noise.tar", 22_565_673_785, "e80562d7f6c3f8834afb1ecf27252745"),
        _zenodo("blur.tar", 7_112_704_951, "2d8e81fdd8e07fef67b9334fa635e45c"),
        _zenodo("weather.tar", 12_797_438_995, "33ffea4db4d93fe4a428c40a6ce0c25d"),
        _zenodo("digital.tar", 7_757_510_705, "89157860d7b10d5797849337ca2e5c03"),
        _zenodo("extra.tar", 15_789_490_144, "d492dfba5fc162d8ec2c3cd8ee672984"),
    ),
)

OBJECTNET = Card(
    name="objectnet",
    title="ObjectNet",
    num_samples={"test": 50_000},
    num_classes=313,
    resolution="PNG photographs with a red border",
    licence="CC BY 4.0, with a clause: no parameter may be updated on these images",
    access="password published on its page",
    homepage="objectnet.dev",
    layout="objectnet-1.0.zip with its password in SIGHTLINE_ZIP_PASSWORD, or unpacked; #imagenet-1k takes its classes",
    folders=("objectnet", "objectnet-1.0"),
    groups="none published: the same object may be in several photographs",
    augmentation=_AUGMENTATION,
    quirks=(
        "113 of its classes are in ImageNet-1k, some as several classes: any of them counts as right",
        "the red border of every image is cut off by the crop of 2 pixels a side; its page speaks of 1",
        "the extra labels in the space imagenet-1k are what a model of ImageNet-1k is scored by",
    ),
    annotation="people photographed objects in their homes as told: what, from where, how turned, in which room",
    use="testing only",
    consent="taken by paid people for this purpose",
    removals="none known",
    biases="objects, rotations and rooms were drawn at random to break what usually goes together",
    counts={
        "images as the paper counts them": 50_000, "classes that ImageNet-1k has too": 113,
        "classes of ImageNet-1k that these are": 125,
    },
    files=(PublishedFile(name="objectnet-1.0.zip"),),
    gate="download it from objectnet.dev, where the password stands with the terms",
)

REAL = Card(
    name="imagenet-real",
    title="ImageNet ReaL: labels of the val images, reassessed",
    num_samples={"val": 50_000},
    num_classes=1_000,
    task="several labels",
    resolution="labels for ImageNet-1k's val images; no images of its own",
    licence="Apache-2.0",
    access="open; the labels come with the package",
    homepage="github.com/google-research/reassessed-imagenet",
    layout="nothing to lay out: index ImageNet-1k, then catalog.real_labels.with_real_labels(samples)",
    folders=("imagenet-real",),
    groups="as ImageNet-1k's val",
    augmentation=_AUGMENTATION,
    quirks=(
        "3,163 images have no label: raters did not agree on any; they are left out of ReaL accuracy",
        "the original label is among the new ones for 42,164 images",
        "the names in the README's example are computed wrongly: entry i is image i + 1",
    ),
    annotation="five raters for each proposal of several models",
    use=_USE,
    consent=CONSENT,
    removals="none known",
    biases="proposals came from models of 2020: what none of them saw was not asked",
    counts={"images with at least one label": 46_837},
    files=(
        PublishedFile(
            name="real.json", num_bytes=388_478,
            address="https://raw.githubusercontent.com/google-research/reassessed-imagenet/master/real.json",
            sha256="d83e9bff374c631aae8439eb064c7019acc56e1b3bc3f56b8380c2a710b0220b",
        ),
    ),
)  # fmt: skip
