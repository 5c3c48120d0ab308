"""One contender's turn: its process started, its events followed, its memory sampled from outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.contenders import Contender
from benchmarks.environments import BY_NAME, UnavailableError
from benchmarks.jobs import GROWTH_EPOCHS
from benchmarks.measure import Task
from benchmarks.records import Round, Start

ROOT = Path(__file__).resolve().parents[1]
LIMIT_SECONDS = 900
REASON_CHARACTERS = 200


class Turn:
    """Starts `measure` for one contender with a given interpreter, data folder and work folder."""

    def __init__(self, contender: Contender, python: Path, folder: Path, work: Path, cpus: list[int]) -> None:
        self.contender, self._python, self._folder, self._work, self._cpus = contender, python, folder, work, cpus
        self.stored = work / "prepared" / (contender.stored or contender.name)
        self.versions: dict[str, str] = {}

    def prepare(self) -> None:
        """Let the contender write the data in its own format; what an earlier run left there goes."""
        shutil.rmtree(self.stored, ignore_errors=True)
        self.stored.parent.mkdir(parents=True, exist_ok=True)
        self._events("prepare", lambda *_: None)

    def storage(self) -> float:
        """Bytes of what was prepared over those of the original files; 1 where the files themselves are read."""
        return bytes_below(self.stored) / bytes_below(self._folder) if self.stored.exists() else 1.0

    def time(self, seconds: float) -> Round:
        """One round: warm-up, whole epochs for at least `seconds`, one epoch for memory."""
        seen: dict[str, dict[str, Any]] = {}

        def follow(event: dict[str, Any], process: subprocess.Popen[str], sampler: processes.PssSampler) -> None:
            seen[event["event"]] = event
            if event["event"] in {"ready", "timed"}:
                sampler.switch(True)
            if event["event"] == "still":
                sampler.switch(False)
                _answer(process)

        peak = self._events("time", follow, seconds=seconds)
        timed, warm = seen["timed"], seen["warm"]
        return Round(
            images=timed["images"], wall=timed["wall"], cpu=timed["cpu"], others=timed["others"], pss=peak,
            mean=warm["mean"], std=warm["std"],
        )  # fmt: skip

    def levels(self, out: Path) -> None:
        """Write the evaluated pixels to `out`."""
        self._events("levels", lambda *_: None, out=str(out))

    def growth(self, epochs: int = GROWTH_EPOCHS) -> list[int]:
        """PSS of the tree after each epoch."""
        found: list[int] = []

        def follow(event: dict[str, Any], process: subprocess.Popen[str], _: processes.PssSampler) -> None:
            if event["event"] == "epoch":
                found.append(processes.pss_bytes(process.pid))
                _answer(process)

        self._events("growth", follow, epochs=epochs)
        return found

    def start(self) -> Start:
        """Starts of an epoch over many samples."""
        found: list[Start] = []

        def follow(event: dict[str, Any], *_: Any) -> None:
            if event["event"] == "order":
                found.append(Start(seconds=tuple(event["seconds"]), peaks=tuple(event["peaks"])))

        self._events("order", follow)
        return found[0]

    def _events(self, action: str, follow: Callable[..., None], **more: Any) -> int:
        """Run the task and hand each event on; returns the sampled peak.

        Raises UnavailableError with the last line that the process wrote.
        """
        c = self.contender
        task = Task(
            peer=c.peer, job=c.job, options=dict(c.options), folder=str(self._folder), work=str(self.stored),
            action=action, cpus=self._cpus, reported=BY_NAME[c.environment].reported, **more,
        )  # fmt: skip
        log = self._work / "logs" / f"{c.name}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as errors, self._process(task, errors) as process:
            sampler = processes.PssSampler(process.pid)
            is_done = False
            try:
                for line in process.stdout or ():
                    event = json.loads(line)
                    self.versions = event.get("versions", self.versions)
                    is_done = event["event"] == "done"
                    follow(event, process, sampler)
            finally:
                peak = sampler.close()
        if not is_done:
            raise UnavailableError(reason_of(log.read_text(), action))
        return peak

    @contextmanager
    def _process(self, task: Task, errors: Any) -> Iterator[subprocess.Popen[str]]:
        quiet = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self._work / "hf"), "PYTHONWARNINGS": "ignore"}
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | quiet
        process = subprocess.Popen(
            [str(self._python), "-m", "benchmarks.measure", json.dumps(asdict(task))], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        timer = threading.Timer(LIMIT_SECONDS, _end, [process.pid])
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            if process.poll() is None:
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    _end(process.pid)
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()
            process.wait()


def bytes_below(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def _answer(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def _end(root: int) -> None:
    for pid in processes.tree_of(root, processes.snapshot()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def reason_of(log: str, action: str) -> str:
    """Why a task ended early: the last line of what its process said."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    last = lines[-1] if lines else f"no answer within {LIMIT_SECONDS} s"
    return f"{action}: {last[:REASON_CHARACTERS]}"
