"""What is known about COCO."""

from sightline.catalog.card import Card, PublishedFile

_NAMES = """
1 person, 2 bicycle, 3 car, 4 motorcycle, 5 airplane, 6 bus, 7 train, 8 truck, 9 boat, 10 traffic light,
11 fire hydrant, 13 stop sign, 14 parking meter, 15 bench, 16 bird, 17 cat, 18 dog, 19 horse, 20 sheep, 21 cow,
22 elephant, 23 bear, 24 zebra, 25 giraffe, 27 backpack, 28 umbrella, 31 handbag, 32 tie, 33 suitcase, 34 frisbee,
35 skis, 36 snowboard, 37 sports ball, 38 kite, 39 baseball bat, 40 baseball glove, 41 skateboard, 42 surfboard,
43 tennis racket, 44 bottle, 46 wine glass, 47 cup, 48 fork, 49 knife, 50 spoon, 51 bowl, 52 banana, 53 apple,
54 sandwich, 55 orange, 56 broccoli, 57 carrot, 58 hot dog, 59 pizza, 60 donut, 61 cake, 62 chair, 63 couch,
64 potted plant, 65 bed, 67 dining table, 70 toilet, 72 tv, 73 laptop, 74 mouse, 75 remote, 76 keyboard,
77 cell phone, 78 microwave, 79 oven, 80 toaster, 81 sink, 82 refrigerator, 84 book, 85 clock, 86 vase, 87 scissors,
88 teddy bear, 89 hair drier, 90 toothbrush
"""
_CLASSES = [entry.split(maxsplit=1) for entry in _NAMES.replace("\n", " ").split(",")]

_ADDRESS = "https://s3.amazonaws.com/images.cocodataset.org"  # the publisher's bucket by the name its certificate has


def _file(name: str, num_bytes: int, sha256: str) -> PublishedFile:
    folder = "annotations" if name.startswith(("annotations", "image_info")) else "zips"
    return PublishedFile(name=name, address=f"{_ADDRESS}/{folder}/{name}", num_bytes=num_bytes, sha256=sha256)


COCO = Card(
    name="coco",
    title="COCO (Common Objects in Context), instances and captions",
    num_samples={"train": 118_287, "val": 5_000, "test": 40_670},
    num_classes=80,
    class_ids=tuple(i for i, _ in _CLASSES),
    class_names={i: name.strip() for i, name in _CLASSES},
    task="several labels an image; one label a box",
    resolution="photographs, the longer side mostly 640",
    licence="annotations CC BY 4.0; each photograph has its author's own licence, about 70 % of them non-commercial",
    access="open",
    homepage="cocodataset.org",
    layout="annotations/instances_, captions_ and image_info_*.json beside train2017/, val2017/ …, or "
    "the zips as they are downloaded",
    folders=("coco", "COCO", "coco2017", "coco2014"),
    groups="the photograph, under the same id in the sets of 2014 and of 2017: all boxes of one stay together",
    augmentation="horizontal flips, resized crops (a crop may lose a class that the label names)",
    annotation="crowd workers: classes present, then every instance outlined, groups of many as one crowd",
    scope="detection, outlines, keypoints and captions: boxes and captions are read, none of these is trained",
    consent="photographs from Flickr under their authors' licences; the people in them were not asked",
    removals="none published; photographs that left Flickr since are still in the files",
    biases="scenes with several everyday objects, as English-speaking users of Flickr photograph them; person is by "
    "far the most frequent class, and men outnumber women",
    counts={
        "images of train and val, in 2014 as in 2017: the labelled ones": 123_287,
        "images of train2017 that have an instance": 117_266,
        "images of val2017 that have an instance": 4_952,
        "images of unlabeled2017, which have no annotation": 123_403,
        "images in all, unlabelled and every test image included, about": 330_000,
        "instances in train2017, crowds included": 860_001,
        "instances in val2017, crowds included": 36_781,
    },
    quirks=(
        "80 classes with ids 1 … 90 and ten gaps: the id is no index",
        "1,021 images of train and 48 of val show none of the classes; they are samples, with every class absent",
        "one box of a crowd holds many objects: a class is present by it, but it is no sample of its own",
        "boxes are x, y, width, height in fractions of pixels; some have no area",
        "the sets of 2014 are the photographs of 2017 in other splits: a model trained on train2017 has seen most of "
        "val2014, and so the images of VQA's val and many of EMOTIC's",
        "boxes of one photograph are no independent samples: intervals have to be taken over photographs",
    ),
    files=(
        _file("train2017.zip", 19_336_861_798, "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"),
        _file("val2017.zip", 815_585_330, "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"),
        _file("test2017.zip", 6_646_970_404, "c7908c3c9f94ba2f3340ebbeec58c25db6be8774f18d68c2f15d0e369d95baba"),
        _file("annotations_trainval2017.zip", 252_907_541,
              "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"),
        _file("image_info_test2017.zip", 1_144_034, "e52f412dd7195ac8f98d782b44c6dd30ea10241e9f42521f67610fbe055a74f8"),
    ),
)  # fmt: skip
