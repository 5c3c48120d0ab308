"""ImageNet-1k and its ten easy classes."""

from sightline.catalog.card import Card, Figure, PublishedStatistics

_CUSTOM = PublishedStatistics(
    kind="mean_of_per_image_std", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
    origin="a random part of the ImageNet-1k training images after resize and crop; what published weights expect",
)  # fmt: skip
_PIXELS = PublishedStatistics(
    kind="per_pixel", mean=(0.4803, 0.4569, 0.4083), std=(0.2806, 0.2736, 0.2877),
    origin="ImageNet-1k training images, whole",
)  # fmt: skip

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
    layout="train/<wnid>/… and val/<wnid>/…; hub Parquet (columns image, label)",
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
        "the val images come in one flat folder: sort them into class folders first",
        "22 JPEGs are CMYK, one JPEG is a PNG, about 2 % are grey, a few carry an EXIF orientation",
        "val is public: where it chose the recipe, it is no longer a test",
        "two classes are called crane and two maillot: wnids are the keys, names are for people",
    ),
)
