"""Answers in free text as classes: how they are spelt, how right one is that so many people gave, and which count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

LEAST = 9
"""An answer is a class when it is the most frequent one of at least so many training questions."""

_PUNCTUATION = ";/[]\"{}()=+\\_-><@`,?!"
_SPELT = "zero one two three four five six seven eight nine ten"
_NUMBERS = {"none": "0"} | {word: str(i) for i, word in enumerate(_SPELT.split())}
_ARTICLES = frozenset(["a", "an", "the"])
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's
i'd've i'm i've isn't it'd it'll let's ma'am might've mightn't must've mustn't needn't o'clock oughtn't shan't she's
should've shouldn't that'd that's there'd there're there's they'd they'll they're they've wasn't we've weren't what'll
what're what's what've when's where'd where's where've who'd who'll who's who've why'll why're why's won't would've
wouldn't y'all you'd you'll you're you've
"""
_CONTRACTIONS = {word.replace("'", ""): word for word in _CONTRACTED.split()}
_FINAL_PERIOD = re.compile(r"\.(?!\d)")
_THOUSANDS = re.compile(r"\d,\d")


@lru_cache(1 << 18)
def normalised(answer: str) -> str:
    """The spelling under which answers are compared: lower case, numbers as digits, no articles, no punctuation.

    It follows what the official scoring does to an answer, its slips included: a period goes unless a digit follows,
    `none` is 0, and one comma between digits makes all punctuation vanish instead of leaving a space. Two differences
    are meant: it is applied to every answer (the official scoring leaves ten equal ones as they are), and its list of
    contractions has no misspelt ones.
    """
    given = text = " ".join(answer.split())
    vanishes = _THOUSANDS.search(given) is not None
    for mark in _PUNCTUATION:
        if mark in given:
            text = text.replace(mark, "" if vanishes or f"{mark} " in given or f" {mark}" in given else " ")
    words = (_NUMBERS.get(w, w) for w in _FINAL_PERIOD.sub("", text).lower().split())
    return " ".join(_CONTRACTIONS.get(w, w) for w in words if w not in _ARTICLES)


def soft_score(matching: int, total: int = 10) -> float:
    """Accuracy of an answer that `matching` of `total` people gave, in [0, 1].

    It is the mean over all ways to leave one person out of min(1, matching of the others / 3): of ten people
    0 · 0.3 · 0.6 · 0.9 · 1.
    """
    if total < 1:
        return 0.0
    with_one_less, as_it_is = min(1.0, (matching - 1) / 3), min(1.0, matching / 3)
    return (matching * max(0.0, with_one_less) + (total - matching) * as_it_is) / total


def vocabulary(most_frequent: Iterable[str], least: int = LEAST) -> tuple[str, ...]:
    """The answers that occur often enough among the most frequent ones of training questions, in byte order."""
    counts = Counter(normalised(answer) for answer in most_frequent)
    return tuple(sorted((a for a, n in counts.items() if n >= least and a), key=str.encode))


def scores(answers: Sequence[str]) -> dict[str, float]:
    """Answer as normalised → its accuracy, for all that people gave."""
    counts = Counter(map(normalised, answers))
    return {answer: soft_score(n, len(answers)) for answer, n in counts.items() if answer}
