"""ImageNet-1k, what it is a part of, and what was made by choosing from it or shrinking it."""

from sightline.catalog.card import Card, Figure, PublishedFile, PublishedStatistics

_CUSTOM = PublishedStatistics(
    kind="mean_of_per_image_std", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
    origin="a random part of the ImageNet-1k training images after resize and crop; what published weights expect",
)  # fmt: skip
_PIXELS = PublishedStatistics(
    kind="per_pixel", mean=(0.4803, 0.4569, 0.4083), std=(0.2806, 0.2736, 0.2877),
    origin="ImageNet-1k training images, whole",
)  # fmt: skip

_GATE = "register at image-net.org with an address of a university or company, accept the terms, and download by hand"
CONSENT = "none asked: the photographs were found by search engines; people in them were not asked either"
REMOVED = (
    "1k: nothing officially; faces are blurred in a version of 2021. 21k: most classes of people left the distribution "
    "in 2019, so that copies differ in their classes"
)
BIASES = (
    "photographs from the web of the 2000s, mostly North America and Europe; 118 of the 1,000 classes are dogs; "
    "objects are central and large; one label for scenes with several objects"
)
ANNOTATION = "search by WordNet's words, then several paid people said of each image whether it shows the class"


def _s3(form: str, name: str, num_bytes: int, sha256: str) -> PublishedFile:
    return PublishedFile(name=name, address=f"https://s3.amazonaws.com/fast-ai-imageclas/{name}", num_bytes=num_bytes,
                         sha256=sha256, form=form)  # fmt: skip


IMAGENETTE = Card(
    name="imagenette",
    title="Imagenette",
    num_samples={"train": 9_469, "val": 3_925},
    num_classes=10,
    class_ids=(
        "n01440764", "n02102040", "n02979186", "n03000684", "n03028079",
        "n03394916", "n03417042", "n03425413", "n03445777", "n03888257",
    ),
    class_names={
        "n01440764": "tench", "n02102040": "English springer", "n02979186": "cassette player",
        "n03000684": "chain saw", "n03028079": "church", "n03394916": "French horn", "n03417042": "garbage truck",
        "n03425413": "gas pump", "n03445777": "golf ball", "n03888257": "parachute",
    },
    resolution="photographs; also published with the shorter side at 320 and 160 pixels",
    licence="Apache-2.0 for the selection; the images are ImageNet's",
    access="open",
    homepage="github.com/fastai/imagenette",
    layout="train/<wnid>/… and val/<wnid>/…",
    folders=("imagenette", "imagenette2", "imagenette2-320", "imagenette2-160"),
    groups="none known",
    augmentation="random resized crops and horizontal flips",
    statistics=(_CUSTOM,),
    quirks=(
        "weights pretrained on ImageNet-1k have seen these images: from scratch or not is part of the result",
        "no public test split: val becomes the sealed test, and a val is carved from train",
        "noisy_imagenette.csv beside the folders holds wrong labels on purpose",
        "published as .tgz: unpack it",
    ),
    annotation=f"ImageNet's: {ANNOTATION}",
    consent=CONSENT,
    removals="none known",
    biases="ten classes that are easy to tell apart: results do not carry over to harder ones",
    files=(
        _s3("320", "imagenette2-320.tgz", 341_663_724,
            "569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c"),
        _s3("160", "imagenette2-160.tgz", 99_003_388,
            "64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5"),
        _s3("full", "imagenette2.tgz", 1_557_161_267,
            "6cbfac238434d89fe99e651496f0812ebc7a10fa62bd42d6874042bf01de4efd"),
    ),
)  # fmt: skip

IMAGENET_1K = Card(
    name="imagenet-1k",
    title="ImageNet-1k (ILSVRC 2012)",
    num_samples={"train": 1_281_167, "val": 50_000},
    num_classes=1_000,
    resolution="photographs, on average 110 kB and about 470 × 400",
    licence="non-commercial research and education",
    access="registration and terms",
    homepage="image-net.org",
    layout=(
        "the archives as they are (train: a tar of tars; val: a flat tar; read in place), with or without the "
        "development kit; ILSVRC/Data/CLS-LOC with its tables or XML; train/<wnid>/… with val flat or in class "
        "folders; hub Parquet, TFRecord (labels 0 … 999 or 1 … 1000), WebDataset or tar with ImageNet's own file names"
    ),
    folders=("imagenet-1k", "imagenet", "ILSVRC/Data/CLS-LOC"),
    groups="none published; some photographs occur more than once",
    augmentation="random resized crops and horizontal flips",
    statistics=(_CUSTOM, _PIXELS),
    figures=(
        Figure(top1=0.7613, model="ResNet-50, one crop at 224 on val", source="torchvision's IMAGENET1K_V1 weights"),
        Figure(top1=0.8086, model="ResNet-50, one crop at 224 on val", source="torchvision's IMAGENET1K_V2 weights"),
    ),
    quirks=(
        "class index = position of the sorted wnid; the devkit numbers classes 1 … 1000 in another order",
        "the val images come in one flat folder; their labels are known by number, so nothing has to be sorted",
        "val archive: its members are not in the order of their names",
        "TFRecords count from 1, with 0 as background; downsampled versions count from 1 in the devkit's order",
        "a class's synonyms are no keys either: 18 of them stand for two classes",
        "22 JPEGs are CMYK, one JPEG is a PNG, about 2 % are grey, a few carry an EXIF orientation",
        "val is public: where it chose the recipe, it is no longer a test",
        "two classes are called crane and two maillot: wnids are the keys, names are for people",
        "boxes: in files of dog classes the breed stands in place of the wnid; some boxes are empty or leave the image",
        "of the val images 1,762 have bad boxes (the devkit's blacklist); for classification they count",
    ),
    annotation=ANNOTATION,
    scope="single-object localization: boxes are read, detectors are not trained",
    consent=CONSENT,
    removals=REMOVED,
    biases=BIASES,
    counts={"test images whose labels were never published": 100_000},
    files=(
        PublishedFile(name="ILSVRC2012_img_train.tar", num_bytes=147_897_477_120,
                      md5="1d675b47d978889d74fa0da5fadfb00e",
                      sha256="b08200a27a8e34218a0e58fde36b0fe8f73bc377f4acea2d91602057c3ca45bb"),
        PublishedFile(name="ILSVRC2012_img_val.tar", num_bytes=6_744_924_160, md5="29b22e2961454d5413ddabcf34fc5622",
                      sha256="c7e06a6c0baccf06d8dbeb6577d71efff84673a5dbdd50633ab44f8ea0456ae0"),
        PublishedFile(name="ILSVRC2012_img_test_v10102019.tar", md5="e1b8681fff3d63731c599df9b4b6fc02"),
        PublishedFile(name="ILSVRC2012_devkit_t12.tar.gz", md5="fa75699e90414af021442c21a62c3abf"),
        PublishedFile(name="ILSVRC2012_bbox_train_v2.tar.gz", md5="9271167e2176350e65cfe4e546f14b17"),
    ),
    gate=_GATE,
)  # fmt: skip

IMAGENET_21K = Card(
    name="imagenet-21k",
    title="ImageNet-21k",
    num_samples={"all": 14_197_122},
    num_classes=21_841,
    resolution="photographs of any size",
    licence="non-commercial research and education",
    access="registration and terms",
    homepage="image-net.org",
    layout="a tar of tars, a folder with a tar for each class, or class folders; more than 1,000 wnids",
    folders=("imagenet-21k", "imagenet21k", "imagenet-22k", "winter21_whole"),
    groups="none published; images of ImageNet-1k are among them",
    augmentation="random resized crops and horizontal flips",
    statistics=(_CUSTOM,),
    quirks=(
        "no official split: people set 40 or 50 images of each class aside, each their own",
        "4,548 classes are parents of others: one label is not the whole truth; ancestors are in WordNet",
        "the number of classes does not tell the list: 21,841, 21,842 and 21,843 circulate, in different orders",
        "none of the lists of 21,841 and 21,843 has the class teddy (n04399382) of ImageNet-1k",
        "the whole archive of winter 2021 is gzipped: decompress it to a tar, whose images are then read in place",
        "525 lemmas are shared by 1,128 classes: wnids are the keys",
    ),
    annotation=ANNOTATION,
    consent=CONSENT,
    removals=REMOVED,
    biases="photographs from the web of the 2000s, mostly North America and Europe; classes are as fine as WordNet's",
    counts={"classes of fall 2011": 21_841, "classes of winter 2021": 19_167},
    files=(PublishedFile(name="winter21_whole.tar.gz", md5="ab313ce03179fd803a401b02c651c0a2"),),
    gate=_GATE,
)

TINY_IMAGENET = Card(
    name="tiny-imagenet",
    title="Tiny ImageNet (200 classes)",
    num_samples={"train": 100_000, "val": 10_000, "test": 10_000},
    num_classes=200,
    resolution="64 × 64 JPEG, mostly RGB",
    licence="ImageNet's terms",
    access="open",
    homepage="cs231n.stanford.edu",
    layout="tiny-imagenet-200.zip, or unpacked: wnids.txt, train/<wnid>/images, val/images, val/val_annotations.txt",
    folders=("tiny-imagenet", "tiny-imagenet-200"),
    groups="none known",
    augmentation="horizontal flips, crops after padding by 8",
    quirks=(
        "the test images have no labels: val becomes the sealed test, and a val is carved from train",
        "wnids.txt is not sorted: class index = position of the sorted wnid; some code uses the file's order",
        "a reader that takes the lowest folder for the class finds one class called images",
        "1,821 train and 168 val images are grey",
    ),
    annotation=f"ImageNet's: {ANNOTATION}",
    scope="boxes are read, detectors are not trained",
    consent=CONSENT,
    removals="none known",
    biases=BIASES,
    files=(
        PublishedFile(name="tiny-imagenet-200.zip", address="https://cs231n.stanford.edu/tiny-imagenet-200.zip",
                      num_bytes=248_100_043, md5="90528d7ca1a48142e341f4ef8d21d0de"),
    ),
)  # fmt: skip

DOWNSAMPLED = Card(
    name="imagenet-downsampled",
    title="Downsampled ImageNet-1k",
    num_samples={"train": 1_281_167, "val": 50_000},
    num_classes=1_000,
    resolution="8 × 8, 16 × 16, 32 × 32 or 64 × 64, RGB",
    licence="non-commercial research and education",
    access="registration and terms",
    homepage="image-net.org",
    layout="unzipped: train_data_batch_1.npz … and val_data.npz in one folder",
    folders=("imagenet-downsampled", "imagenet32", "imagenet64", "imagenet16", "imagenet8"),
    groups="none published; some photographs occur more than once",
    augmentation="horizontal flips, crops after padding by an eighth",
    quirks=(
        "labels count from 1 in the order of the development kit, not of the sorted wnids",
        "pixels lie plane by plane: red, green, blue",
        "64 × 64 comes in two halves of train",
        "file names of the images are lost; a key is the position in the files",
    ),
    annotation=f"ImageNet's: {ANNOTATION}",
    consent=CONSENT,
    removals=REMOVED,
    biases=BIASES,
    files=(
        PublishedFile(name="Imagenet32_train_npz.zip", num_bytes=3_580_435_279,
                      sha256="94226337ecc1b0309d9fcd0167127aaadc931587035fbcb53925235edbaec4fc"),
        PublishedFile(name="Imagenet32_val_npz.zip", num_bytes=139_697_668,
                      sha256="013990e6dec1237dcd1f9beadbab81ead6604cc119af5cacbfb59ae28148377a"),
        PublishedFile(name="Imagenet64_train_part1_npz.zip", num_bytes=6_783_426_789,
                      sha256="9422dc1dc5d092e9814a70a1cb7fc74880d2db5d88a0cb8a34ee363b12bde3f1"),
        PublishedFile(name="Imagenet64_train_part2_npz.zip", num_bytes=6_780_506_068,
                      sha256="9fafc115afb7e6c301e66dc16b2d737152b427bd5dab26e1293487a6819c7f30"),
        PublishedFile(name="Imagenet64_val_npz.zip", num_bytes=529_522_927,
                      sha256="e1e75133158a1924135a9c6f97a80d2d237b158945e0b34074e58e6c8430eeb8"),
        PublishedFile(name="Imagenet16_train_npz.zip", num_bytes=931_837_742,
                      sha256="dea57cdc1d4e252a9e4b76d3b0783486c13b572b883b25fae9283f19695e63b9"),
        PublishedFile(name="Imagenet16_val_npz.zip", num_bytes=36_354_395,
                      sha256="6dda90de8f6fd43b204422578b4be05d3f658d7792b344de4da768a71c02c4c4"),
        PublishedFile(name="Imagenet8_train_npz.zip", num_bytes=239_296_243,
                      sha256="b18b72ca559afee05ad3325d12222db345fc2c557f23129d47fa439bddb4ee69"),
        PublishedFile(name="Imagenet8_val_npz.zip", num_bytes=9_327_124,
                      sha256="001df303a5524b85045a4f6f43c79e097497cd64847cdcf5f17dd0fa416a2c23"),
    ),
    gate=_GATE,
)  # fmt: skip
