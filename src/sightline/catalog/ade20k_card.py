"""What is known about ADE20K."""

from sightline.catalog.card import Card, PublishedFile

_CONSENT = "photographs gathered for SUN and LabelMe and by others; the people in them were not asked"
_BIASES = (
    "homes, streets and rooms prevail, most scenes are rare; one person outlined nearly all of them, whose idea of a "
    "scene and of a thing it is"
)
_AUGMENTATION = "horizontal flips, resized crops (a crop may show another scene than the whole)"
_ANNOTATION = "one expert outlined nearly all images and named the scene of each"

ADE20K = Card(
    name="ade20k",
    title="ADE20K, SceneParsing (150 kinds of thing)",
    num_samples={"train": 20_210, "val": 2_000},
    num_classes=1_055,
    task="single label (the scene); beside it which of 150 kinds of thing are there",
    resolution="photographs, the shorter side at most 512",
    licence="research and education; the images belong to their authors",
    access="open",
    homepage="sceneparsing.csail.mit.edu",
    layout="ADEChallengeData2016: images/training and validation, annotations/ with the masks, sceneCategories.txt, "
    "objectInfo150.txt",
    folders=("ADEChallengeData2016", "ade20k", "ADE20K"),
    groups="none published",
    augmentation=_AUGMENTATION,
    annotation=_ANNOTATION,
    scope="parsing scenes and outlining objects: masks say what is there and are not learnt",
    consent=_CONSENT,
    removals="none published; the full set of 2021 has faces and number plates blurred",
    biases=_BIASES,
    counts={
        "scenes in train": 1_040,
        "scenes in val": 672,
        "scenes of val that train does not have": 15,
        "scenes of 10 training photographs or more (#frequent)": 384,
        "training photographs of no scene (misc)": 1_516,
        "val photographs of no scene (misc)": 151,
        "photographs of test, without labels": 3_352,
    },
    quirks=(
        "1,055 scenes, 162 of them with one photograph: a mean over classes is mostly noise; #frequent keeps 384",
        "15 scenes occur in val alone: nothing trained on train can be right about them",
        "misc is the absence of a scene, no scene",
        "0 in a mask is everything else, not the first kind of thing; 1 … 150 are the kinds",
        "a kind that a mask does not show is not said to be absent: what is outside the 150 is 0",
        "names of the kinds hold commas: objectInfo150.txt is divided by tabs, its CSV twin by semicolons",
    ),
    files=(PublishedFile(name="ADEChallengeData2016.zip"),),
    gate="download ADEChallengeData2016.zip from the homepage (its publisher gives SHA-1 "
    "219e1696abb36c8ba3a3afe7fb2f4b4606a897c7) and unpack it",
)  # fmt: skip

ADE20K_FULL = Card(
    name="ade20k-full",
    title="ADE20K, all objects and parts (2021)",
    num_samples={"train": 25_574, "val": 2_000},
    num_classes=1_055,
    task="single label (the scene with its kinds); beside it which objects were outlined",
    resolution="photographs of many sizes",
    licence="research and education; the images belong to their authors",
    access="registration and terms",
    homepage="groups.csail.mit.edu/vision/datasets/ADE20K",
    layout="ADE20K_2021_17_01: images/ADE/training and validation with a .json beside each .jpg",
    folders=("ADE20K_2021_17_01", "ade20k-full"),
    groups="none published",
    augmentation=_AUGMENTATION,
    annotation=_ANNOTATION,
    scope="outlines of objects and of their parts: boxes around objects are read, parts are not",
    consent=_CONSENT,
    removals="faces and number plates are blurred since the version of 2021",
    biases=_BIASES,
    quirks=(
        "index_ade20k.pkl is a pickle and never opened; each photograph's own .json says the same",
        "some descriptions are not UTF-8",
        "the number of scenes and of objects is counted when it is read; the card's is SceneParsing's",
        "a part (the door of a car) is no object of its own",
    ),
    files=(PublishedFile(name="ADE20K_2021_17_01.zip"),),
    gate="register on the homepage, accept the terms, and unpack the archive that the link in the mail leads to",
)  # fmt: skip
