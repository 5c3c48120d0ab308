"""What a reader must know about the machine."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path


def facts() -> dict[str, str]:
    """Processor, memory, system and Python, in words."""
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": processor(Path("/proc/cpuinfo").read_text()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{system}, Linux {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def processor(cpuinfo: str) -> str:
    """The processor's name, how many cores there are, and whether its vectors are wide."""
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    values = {key.strip(): value.strip() for key, _, value in lines}
    count = sum(key.strip() == "processor" for key, _, _ in lines)
    vectors = next((f" with {v.upper()}" for v in ("avx512f", "avx2") if v in values.get("flags", "").split()), "")
    name = values.get("model name", platform.machine())
    return f"{name} (family {values.get('cpu family', '?')}, model {values.get('model', '?')}){vectors}, {count} cores"
