"""Virtual environments of the peers: one each, on top of the driver's own packages, with pinned versions."""

from __future__ import annotations

import site
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

INSTALL_SECONDS = 1800
REASON_CHARACTERS = 200


class UnavailableError(Exception):
    """A peer cannot take part; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What pip installs for a peer beside what the driver's environment holds already (torch above all)."""

    name: str
    requirements: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()
    """Distributions whose versions go into the results."""
    needs: str = ""
    """What pip cannot install, for people."""
    constraints: tuple[str, ...] = ()
    """Pins that only hold other packages back."""
    build: tuple[str, ...] = ()
    """Installed first, for a peer that is compiled from source without isolation."""


TORCH = ("torch", "torchvision", "Pillow", "numpy")

ENVIRONMENTS = (
    Environment(name="own", reported=("sightline", *TORCH, "simplejpeg", "timm")),
    Environment(name="webdataset", requirements=("webdataset==1.0.2",), reported=("webdataset", *TORCH)),
    Environment(name="litdata", requirements=("litdata==0.2.76",), reported=("litdata", *TORCH)),
    Environment(
        name="streaming", requirements=("mosaicml-streaming==0.13.0",), reported=("mosaicml-streaming", *TORCH),
    ),
    Environment(name="datasets", requirements=("datasets==5.0.1",), reported=("datasets", "pyarrow", *TORCH)),
    Environment(name="grain", requirements=("grain==0.2.18",), reported=("grain", *TORCH)),
    Environment(
        name="spdl", requirements=("spdl-core==0.8.0", "spdl-io==0.8.0"), reported=("spdl-core", "spdl-io", "numpy"),
        needs="FFmpeg's shared libraries, 4 to 8",
    ),
    Environment(name="dali", requirements=("nvidia-dali-cuda130==2.4.0",), reported=("nvidia-dali-cuda130", "numpy")),
    Environment(
        name="ffcv", requirements=("ffcv==1.0.2", "numpy==1.26.4"), reported=("ffcv", "numba", *TORCH),
        needs="a C++ compiler, pkg-config, and the headers of OpenCV and libturbojpeg",
    ),
)  # fmt: skip
BY_NAME = {e.name: e for e in ENVIRONMENTS}


def interpreter(environment: Environment, root: Path) -> Path:
    """The environment's python, made below `root` if it is not there; raises UnavailableError with pip's reason."""
    if not environment.requirements:
        return Path(sys.executable)
    place = root / environment.name
    python, stamp = place / "bin" / "python", place / "installed.txt"
    wanted = "\n".join((sys.executable, *environment.build, *environment.requirements))
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"environment {environment.name}: installing {' '.join(environment.requirements)}", flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(place)])
    # The driver's packages are seen through a path file: torch, gigabytes of it, is there once, and every contender
    # decodes and resizes with the same builds. What pip installs here comes first.
    [packages] = (place / "lib").glob("python*/site-packages")
    (packages / "driver.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if environment.build:
        _run([*pip, *environment.build])
    isolation = ["--no-build-isolation"] if environment.build else []
    _run([*pip, *isolation, *environment.requirements], environment.needs)
    stamp.write_text(wanted)
    return python


def _run(command: list[str], needs: str = "") -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"installing took longer than {INSTALL_SECONDS} s") from None
    if done.returncode:
        raise UnavailableError(reason_of(done.stderr, needs))


def reason_of(stderr: str, needs: str = "") -> str:
    """One line that says why an installation failed: pip's last error, and what the peer needs besides pip."""
    lines = [line.strip() for line in stderr.splitlines() if "error" in line.lower() and line.strip() != "error"]
    line = (lines or stderr.strip().splitlines() or ["pip said nothing"])[-1]
    return f"pip: {line[:REASON_CHARACTERS]}" + (f" (it needs {needs})" if needs else "")
