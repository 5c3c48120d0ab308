"""What is known about EMOTIC."""

from sightline.catalog.card import Card, PublishedFile

EMOTIC = Card(
    name="emotic",
    title="EMOTIC (emotions in context), as people",
    num_samples={"all": 34_320},
    num_classes=26,
    class_ids=(
        "Affection", "Anger", "Annoyance", "Anticipation", "Aversion", "Confidence", "Disapproval", "Disconnection",
        "Disquietment", "Doubt/Confusion", "Embarrassment", "Engagement", "Esteem", "Excitement", "Fatigue", "Fear",
        "Happiness", "Pain", "Peace", "Pleasure", "Sadness", "Sensitivity", "Suffering", "Surprise", "Sympathy",
        "Yearning",
    ),
    task="several labels a person, and valence, arousal and dominance from 1 to 10",
    resolution="photographs of several collections; a sample is one person's box",
    licence="non-commercial research",
    access="after a form",
    homepage="s3.sunai.uoc.edu/emotic",
    layout="Annotations/Annotations.mat beside emotic/ (mscoco, framesdb, ade20k, emodb_small) or those folders",
    folders=("emotic", "EMOTIC"),
    groups="the photograph: all people of one stay together, and with COCO's samples of the same photograph",
    augmentation="horizontal flips; crops and strong changes of colour take away what the annotators saw",
    annotation="crowd workers: train by one annotator for each person, val and test by several and combined",
    scope="the surroundings of a person are part of the photograph and outside the crop; a network of two inputs is "
    "not built",
    consent="photographs from COCO, ADE20K and the web; the people shown were not asked, neither for this use",
    removals="none published",
    biases="what strangers read into a face and a scene, not what a person felt; gender and age are perceived too; "
    "engagement and anticipation are frequent, pain and embarrassment rare",
    counts={"photographs": 23_571, "people": 34_320},
    quirks=(
        "an emotion that is not named was not looked for: absence is not said",
        "val and test have more annotators than train, and so more labels a person",
        "the same fields stand at other positions in train than in val and test: reading by position takes one for "
        "another",
        "boxes may lead out of the image; they are clipped",
        "valence, arousal or dominance is missing for some people",
        "Doubt/Confusion holds a slash: no name for a folder; Disquietment is misspelt in places",
        "many photographs are COCO's: a model trained on COCO has seen them",
        "inferring emotions of people is restricted by law in some places and uses",
    ),
    files=(PublishedFile(name="Annotations/Annotations.mat"),),
    gate="ask for access with the form on the homepage; unpack the images and the annotations into one folder",
)  # fmt: skip
