"""The command line: arguments to one verb of `pipeline`, its outcome to lines or one JSON object, errors to exit codes.

Exit codes: 0 done · 1 a defect of Sightline, with its traceback · 2 something the person can act on · 130 interrupted.
Nothing heavy is imported before the arguments have been read, so that `--help` and a misspelt option answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from sightline.errors import SightlineError, did_you_mean, extra_needed

if TYPE_CHECKING:
    from sightline.pipeline import Outcome

_NO_DEFECT = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Free space"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "Fix permissions"),
    errno.ENAMETOOLONG: "Give a shorter path",
    errno.ELOOP: "Mend the links that lead to one another",
    errno.EMFILE: "Allow more open files (ulimit -n 4096)",
    errno.EIO: "See whether the disk is sound",
}  # fmt: skip
"""What the machine or the person is to blame for, by error number, and what to do about it."""

class UsageError(SightlineError):
    """The command line itself could not be understood."""


@dataclass(frozen=True)
class Option:
    """One argument of a verb, as argparse takes it."""

    names: tuple[str, ...]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Verb:
    """A verb, what it does in one line, its arguments and an example."""

    name: str
    does: str
    options: tuple[Option, ...]
    example: str


def _option(*names: str, **settings: Any) -> Option:
    return Option(names, settings)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _share_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


SOURCE = _option("source", metavar="SOURCE", help="folder, manifest (CSV or Parquet) or name of a dataset")
STUDY = _option("study", metavar="STUDY", help="directory that holds everything about one dataset")
LIMIT = _option("--limit", type=float, metavar="SHARE", help="take this share of each class, such as 0.1")
CLASSES = _option("--classes", type=_names, metavar="A,B", help="take these classes alone")
GROUP = _option("--group", type=_names, default=(), metavar="COLUMN",
                help="column of the manifest that names what must not be split, such as patient")  # fmt: skip
TIME = _option("--time", metavar="COLUMN", help="column of the manifest with the time of a sample")
NAME = _option("--name", help="name of the dataset in tables and in the report")
CLASS_FILE = _option("--class-file", metavar="FILE", help="ids of the classes in their order, one in a line; a name "
                     "may follow a tab or comma")  # fmt: skip
LABELS = _option("--labels", action="append", default=[], metavar="WHO=FILE",
                 help="what others say of the samples, beside the dataset's own labels: raters=labels.csv, or "
                 "raters=labels.npy#FIELD; repeat for more")  # fmt: skip
LABELS_SPLIT = _option("--labels-split", choices=("train", "val", "test"),
                       help="the split whose order --labels are in, where its rows have no keys and sizes do not tell")
BY = _option("--by", metavar="HOW", help="auto, official, random, stratified, group, time, hash, domain, or a CSV or "
             "Parquet file of keys and splits")  # fmt: skip
VAL = _option("--val", type=_share_or_word, metavar="SHARE", help="share of train held out for choosing, or `official`")
TEST = _option("--test", type=float, metavar="SHARE", help="share of all samples to seal")
NOTE = _option("--note", metavar="WHY", help="why this look at the test set is needed; required from the second on")
RECIPE = _option("--recipe", help="name such as cifar10.fast, or a JSON file; chosen from the images when left out")
SET = _option("--set", dest="changes", action="append", default=[], metavar="FIELD=VALUE",
              help="change one field of the recipe, e.g. optimizer.lr=0.2; repeat for more")  # fmt: skip
PRETRAINED = _option("--pretrained", action="store_true", help="start from published weights")
DEVICE = _option("--device", default="auto", help="cpu, cuda, cuda:1, mps; default: the best one there is")
RESUME = _option("--resume", action="store_true", help="continue the interrupted run of the same recipe and data")
FITTING = (RECIPE, SET, PRETRAINED, DEVICE)

VERBS: tuple[Verb, ...] = (
    Verb("run", "the whole job: index, split, audit, check, train, evaluate, report",
         (SOURCE, STUDY, LIMIT, CLASSES, GROUP, TIME, BY, VAL, TEST, *FITTING, RESUME, NOTE),
         "sightline run ~/photos study"),
    Verb("index", "list the samples of a source",
         (SOURCE, STUDY, LIMIT, CLASSES, CLASS_FILE, GROUP, TIME, NAME, LABELS, LABELS_SPLIT),
         "sightline index photos.csv study --group patient"),
    Verb("split", "assign samples to train, val and a sealed test",
         (STUDY, BY, VAL, TEST,
          _option("--seed", type=int, metavar="N", help="seed of the assignment"),
          _option("--group", type=_names, default=(), metavar="KIND", help="kinds of groups that must not be split"),
          _option("--together", choices=("near-duplicates",), help="what else must not be split"),
          _option("--embargo", metavar="TIME", help="by time: left out between the splits, such as 30d or 12h"),
          _option("--domain", metavar="KIND", help="by domain: the kind of group that is it; KIND=A,B tests these"),
          _option("--folds", type=int, metavar="N", help="the test is one of N folds"),
          _option("--repeats", type=int, metavar="R", help="draw the folds R times"),
          _option("--fold", type=int, metavar="I", help="which of them is the test: 0 … N × R - 1"),
          _option("--inner", type=int, metavar="M", help="val is one of M folds of what is not test"),
          _option("--inner-fold", type=int, metavar="J", help="which of them is val: 0 … M - 1"),
          _option("--without", choices=("leaks",), help="repair: leave out what the audit found in a later split too"),
          _option("--csv", metavar="FILE", help="write the assignment as CSV too; alone, that of the study as it is")),
         "sightline split study --by group --val 0.1"),
    Verb("audit", "look for what makes numbers lie",
         (STUDY, _option("--checks", type=_names, metavar="A,B", help="run these checks alone"),
          _option("--without", type=_names, default=(), metavar="A,B", help="leave these checks out"),
          _option("--model", metavar="MODEL", help="try a run or checkpoint on val images with shortcuts edited out"),
          _option("--against", nargs="+", default=(), metavar="STUDY2",
                  help="score that model on other sources of the same classes too"),
          _option("--preprocessing", nargs="+", default=(), metavar="FILE",
                  help="contracts (JSON) whose mean and std may have been taken from val or test"),
          _option("--embeddings", metavar="FILE", help="your own features (.parquet or .npy) for the checks of labels"),
          _option("--predictions", nargs="+", default=(), metavar="FILE",
                  help="predictions of runs for samples they were not fitted to, as second judges of labels"), DEVICE),
         "sightline audit study --checks exact-duplicates,class-counts"),
    Verb("review", "look at the findings on a local page, decide on each, and carry the decisions out",
         (STUDY, _option("--apply", action="store_true", help="write a new version of the samples, as was decided"),
          _option("--port", type=int, default=0, metavar="N", help="port of the page on this machine; default: any"),
          _option("--no-open", action="store_true", help="tell the address and open no browser")),
         "sightline review study"),
    Verb("check", "the checklist before training, with an estimate of time and memory", (STUDY, *FITTING),
         "sightline check study --recipe photo.scratch"),
    Verb("profile", "where loading time goes, and whether training waits for it", (STUDY, *FITTING),
         "sightline profile study --recipe photo.scratch"),
    Verb("train", "fit a recipe to the training split", (STUDY, *FITTING, RESUME),
         "sightline train study --set optimizer.lr=0.2"),
    Verb("predict", "classes and probabilities for images",
         (_option("model", metavar="MODEL", help="a study, a run or a checkpoint file"),
          _option("sources", nargs="+", metavar="SOURCE", help="images, or folders of images"),
          _option("--out", metavar="FILE", help=".parquet (default) or .csv"),
          _option("--features", action="store_true",
                  help="write what the last layer is given, for the samples of the study that SOURCE names"),
          _option("--with-test", action="store_true", help="with --features: those of the test too"), DEVICE),
         "sightline predict study cat.jpg dog.jpg"),
    Verb("evaluate", "score val, and test with one look that the ledger records",
         (STUDY, _option("models", nargs="*", metavar="MODEL", help="runs or checkpoints; default: the latest run"),
          _option("--split", choices=("val", "test"), help="score this split alone"), NOTE, DEVICE),
         'sightline evaluate study --note "table 2"'),
    Verb("report", "one page with the number and all that stands behind it", (STUDY,), "sightline report study"),
    Verb("convert", "write the images anew: packed for faster training, or as a layout of other tools",
         (STUDY, _option("out", metavar="OUT", help="directory to be made; must not exist"),
          _option("--to", required=True, choices=("packed", "class-folders", "webdataset", "parquet", "manifest",
                                                  "tfrecord", "lmdb", "mds"),
                  help="packed is a study of its own; the others are folders for other tools, and sources for `index`"),
          _option("--quality", type=int, metavar="Q", help="encode all images again as JPEG, 1 to 100; loses detail"),
          _option("--max-side", type=int, metavar="N", help="shrink images with a side beyond N pixels; loses detail")),
         "sightline convert study --to packed study-packed"),
    Verb("datasets", "cards of the known datasets; fetches those that are openly served",
         (_option("name", nargs="?", metavar="NAME", help="one of them"),
          _option("--fetch", nargs="?", const="", metavar="DIR", help="download it (default: into data/NAME)"),
          _option("--form", metavar="FORM", help="which of several forms to download, such as python")),
         "sightline datasets cifar10 --fetch"),
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}. See: {self.prog} --help")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from importlib.metadata import version  # 20 ms that only this option should pay

        parser.exit(0, f"sightline {version('sightline')}\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = _Parser(prog="sightline", description="From a folder of images to a number you can trust.")
    parser.add_argument("--version", action=_Version, nargs=0, dest=argparse.SUPPRESS, default=argparse.SUPPRESS,
                        help="print the version and exit")  # fmt: skip
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)
    for verb in VERBS:
        sub = verbs.add_parser(verb.name, help=verb.does, description=f"{verb.does[0].upper()}{verb.does[1:]}.",
                               epilog=f"Example: {verb.example}", allow_abbrev=False)  # fmt: skip
        for option in verb.options:
            sub.add_argument(*option.names, **option.settings)
        sub.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return parser


def _parse(arguments: Sequence[str]) -> dict[str, Any]:
    known = [verb.name for verb in VERBS]
    if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
        raise UsageError(f"There is no verb {arguments[0]!r}.{did_you_mean(arguments[0], known)} See: sightline --help")
    return vars(build_parser().parse_args(arguments))


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of one command."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    is_json = "--json" in arguments
    try:
        options = _parse(arguments)
        del options["json"]
        # Whatever a library prints on the way belongs to stderr, or the one JSON object would not be alone.
        with contextlib.redirect_stdout(sys.stderr) if is_json else contextlib.nullcontext():
            outcome = _apply(options.pop("verb"), options)
        lines = [json.dumps(outcome.to_json(), ensure_ascii=False, allow_nan=False)] if is_json else outcome.lines()
        if os.environ.get("RANK", "0") == "0":  # of torchrun's processes one speaks
            print(*lines, sep="\n", flush=True)  # noqa: T201
        return 0 if outcome.is_good else 2
    except KeyboardInterrupt as e:
        return _fail(e, "Interrupted. What was finished is kept; --resume continues a run.", 130, is_json)
    except SightlineError as e:
        return _fail(e, str(e), 2, is_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone, e.g. `| head`
        return 1
    except OSError as e:
        if e.errno not in _NO_DEFECT:
            return _defect(e, is_json)
        message = f"{e.filename or 'A file'}: {e.strerror}. {_NO_DEFECT[e.errno]}, then run the command again."
        return _fail(e, message, 2, is_json)
    except Exception as e:  # noqa: BLE001 — the border: a defect keeps its traceback and has its own exit code
        return _defect(e, is_json)


def _apply(verb: str, options: dict[str, Any]) -> Outcome:
    try:
        from sightline import pipeline

        return pipeline.verb(verb)(**options)
    except ModuleNotFoundError as e:
        raise extra_needed(e, f"sightline {verb}") or e from None


def _fail(error: BaseException, message: str, code: int, is_json: bool) -> int:
    print(message, file=sys.stderr)  # noqa: T201
    if is_json:
        print(json.dumps({"error": {"type": type(error).__name__, "message": message}}, ensure_ascii=False))  # noqa: T201
    return code


def _defect(error: Exception, is_json: bool) -> int:
    traceback.print_exception(error)
    message = f"This is a defect of Sightline ({type(error).__name__}: {error}); please report the lines above."
    return _fail(error, message, 1, is_json)
