"""What an audit asks of a trained model: how it answers edited images, other sources, and what normalized its input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.artifacts import read_json
from sightline.errors import ContractError, DataError, SplitError
from sightline.preprocessing import Preprocessing
from sightline.runs import checkpoint_of
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.study import Study

if TYPE_CHECKING:
    from sightline.inference.editing import EditedVal


def require_given(checks: Sequence[str] | None, model: str | None, preprocessing: Sequence[str | Path]) -> None:
    """Raises DataError where a check is asked for by name without what it looks at."""
    if "shortcut-effect" in (checks or ()) and model is None:
        raise DataError("The check shortcut-effect tries a model on edited images: say which one, --model RUN (the "
                        "study itself means its latest run).")  # fmt: skip
    if "normalization" in (checks or ()) and model is None and not preprocessing:
        raise DataError("The check normalization compares a contract's mean and std with those of the splits: say "
                        "which, --preprocessing FILE, or --model RUN for that of a model.")  # fmt: skip


def contracts_in(files: Sequence[str | Path]) -> dict[str, Preprocessing]:
    """Preprocessing contracts in JSON files, by file: as Sightline writes them, or as preprocessor_config.json.

    Raises DataError for a file that holds neither.
    """
    found = {}
    for path in map(Path, files):
        values = read_json(path)
        if not isinstance(values, dict):
            raise DataError(f"{path} holds no preprocessing: wanted a JSON object with mean and std, or image_mean.")
        try:
            is_theirs = "image_mean" in values
            found[str(path)] = Preprocessing.from_huggingface(values) if is_theirs else Preprocessing.from_json(values)
        except ContractError as e:
            raise DataError(f"{path} holds no preprocessing that can be compared: {e}") from None
    return found


def trial_for(
    home: Study, model: str | None, samples: SampleTable, splits: Splits | None, *, against: Sequence[str | Path],
    device: str,
) -> EditedVal | None:  # fmt: skip
    """The trial of a study's model, or None where no model is given. Needs torch.

    Raises DataError where another source is given without a model, SplitError where there are no splits.
    """
    if model is None:
        if against:
            raise DataError("--against compares a model's accuracy on two sources: say which model, --model RUN "
                            "(the study itself means its latest run).")  # fmt: skip
        return None
    if splits is None:
        raise SplitError(f"{home.directory} has no splits, and a model is tried on val alone. Make them: "
                         f"sightline split {home.directory}")  # fmt: skip
    from sightline.inference.editing import trial_of  # torch: other audits do without

    others = {str(path): _opened(Path(path)) for path in against}
    return trial_of(checkpoint_of(model), samples, splits, against=others, device=device)


def _opened(path: Path) -> tuple[SampleTable, Splits | None]:
    other = Study.open(path)
    splits = Splits.read(other.splits_path) if other.splits_path.exists() else None
    return other.read_samples(), splits
