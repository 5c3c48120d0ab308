"""The command line: arguments, exit codes, one JSON object."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sightline import cli, pipeline
from sightline.errors import LedgerError
from sightline.pipeline import Outcome


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sightline", *arguments], capture_output=True, text=True, timeout=120)


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let any verb do what the test says."""

    def becomes(work: Any) -> None:
        monkeypatch.setattr(pipeline, "verb", lambda _name: work)

    return becomes


def test_help_names_every_verb() -> None:
    done = command("--help")
    assert done.returncode == 0
    for known in cli.VERBS:
        assert f"\n    {known.name} " in done.stdout


@pytest.mark.parametrize("known", cli.VERBS, ids=lambda v: v.name)
def test_help_of_a_verb_explains_every_option(known: cli.Verb, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([known.name, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert known.example in " ".join(said.split())
    for option in known.options:
        assert option.settings.get("help"), option.names
        name = option.names[-1]
        assert (name if name.startswith("-") else option.settings["metavar"]) in said


@pytest.mark.parametrize("known", cli.VERBS, ids=lambda v: v.name)
def test_options_are_the_arguments_of_the_verb(known: cli.Verb) -> None:
    import inspect

    wanted = set(inspect.signature(pipeline.verb(known.name)).parameters) - {"tell"}
    given = {o.settings.get("dest", o.names[-1].lstrip("-").replace("-", "_")) for o in known.options}
    assert given == wanted


def test_import_is_light_for_help() -> None:
    heavy = ("torch", "numpy", "pyarrow", "PIL")
    code = f"import sys, sightline.cli as c; c.build_parser(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian", "study"], "Did you mean 'train'?"),
        (["train"], "required: STUDY"),
        (["train", "study", "--recipie", "x"], "--recipie"),
        (["convert", "study", "out", "--to", "chance"], "invalid choice: 'chance'"),
        (["index", "source", "study", "--limit", "few"], "invalid float value: 'few'"),
        ([], "required: VERB"),
    ],
)
def test_usage_mistakes_are_messages(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_usage_mistake_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] == "UsageError"
    assert "STUDY" in error["message"]


def test_mistake_is_a_message_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", str(tmp_path / "nowhere"), str(tmp_path / "study")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "nowhere" in err
    assert "Traceback" not in err
    assert not (tmp_path / "study").exists()


def test_mistake_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["split", str(tmp_path), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] == "DataError"
    assert "sightline index" in error["message"]


def test_outcome_is_a_line_and_what_was_written(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    done = Outcome(verb="audit", summary="nothing found", wrote=Path("study/findings.parquet"), digest="ab" * 32)
    verb(lambda **_: done)
    assert cli.main(["audit", "study"]) == 0
    assert capsys.readouterr().out == "audit     nothing found\nwrote study/findings.parquet · abababababab\n"


def test_json_stands_alone_whatever_a_library_prints(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def chatty(**_: Any) -> Outcome:
        print("downloading …")  # noqa: T201
        return Outcome(verb="audit", summary="", facts={"findings": 0}, wrote=Path("f"), digest="ab")

    verb(chatty)
    assert cli.main(["audit", "study", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"findings": 0, "wrote": "f", "digest": "ab"}
    assert "downloading" in err


def test_of_several_processes_one_speaks(
    verb: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verb(lambda **_: Outcome(verb="train", summary="done"))
    for rank, said in (("0", "train     done\n"), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        assert cli.main(["train", "study"]) == 0
        assert capsys.readouterr().out == said


@pytest.mark.parametrize("flag", [[], ["--json"]])
@pytest.mark.parametrize(
    ("error", "code", "has_traceback"),
    [
        (LedgerError("this would be look 2"), 2, False),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "study/x"), 2, False),
        (OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), "study/x"), 2, False),
        (KeyboardInterrupt(), 130, False),
        (FileNotFoundError(errno.ENOENT, "lost", "x"), 1, True),
        (ZeroDivisionError("a defect"), 1, True),
    ],
)
def test_exit_codes(error: BaseException, code: int, has_traceback: bool, flag: list[str], verb: Any,
                    capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    def fails(**_: Any) -> Outcome:
        raise error

    verb(fails)
    assert cli.main(["audit", "study", *flag]) == code
    out, err = capsys.readouterr()
    assert ("Traceback" in err) == has_traceback
    if flag:
        assert json.loads(out)["error"]["type"] == type(error).__name__
    else:
        assert out == ""
        assert len(err.splitlines()) == 1 or has_traceback


def test_failing_checklist_is_an_exit_code_not_an_error(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    verb(lambda **_: Outcome(verb="check", summary="1 of 2 pass", facts={"checks": []}, is_good=False))
    assert cli.main(["check", "study", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {"checks": []}


@pytest.mark.parametrize(("package", "extra"), [("torch", "train"), ("plotly", "report"), ("sklearn", "digits")])
def test_missing_package_names_its_extra(package: str, extra: str, verb: Any,
                                         capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    def fails(**_: Any) -> Outcome:
        raise ModuleNotFoundError(f"No module named '{package}.nn'", name=f"{package}.nn")

    verb(fails)
    assert cli.main(["train", "study"]) == 2
    assert f"sightline[{extra}]" in capsys.readouterr().err


def test_missing_module_of_its_own_is_a_defect(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(**_: Any) -> Outcome:
        raise ModuleNotFoundError("No module named 'sightline.gone'", name="sightline.gone")

    verb(fails)
    assert cli.main(["train", "study"]) == 1


def test_a_closed_pipe_is_no_defect() -> None:
    done = subprocess.run(f"{sys.executable} -m sightline datasets | true", shell=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_datasets_lists_cards_and_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["datasets"]) == 0
    assert "digits" in capsys.readouterr().out
    assert cli.main(["datasets", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["datasets"][0]["name"] == "digits"
    assert cli.main(["datasets", "digit"]) == 2
    assert "Did you mean 'digits'?" in capsys.readouterr().err
