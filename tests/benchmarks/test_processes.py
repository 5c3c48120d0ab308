"""CPU time and memory of a process tree: nothing lost, nothing counted twice."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.processes import ProcessTimes, busy_ticks, cpu_seconds, parsed, pss_bytes, tree_of, tree_ticks
from hypothesis import given, settings
from hypothesis import strategies as st

STAT = "123 (a (strange) name) S 77 123 123 0 -1 4194304 900 800 0 0 11 7 5 3 20 0 4 0 99 1000 200 18446744073709551615"
BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_a_line_of_stat_is_read_after_the_last_parenthesis() -> None:
    assert parsed(STAT) == ProcessTimes(parent=77, own_ticks=18, reaped_ticks=8)


def times(parent: int, own: int = 0, reaped: int = 0) -> ProcessTimes:
    return ProcessTimes(parent=parent, own_ticks=own, reaped_ticks=reaped)


def test_a_tree_is_the_root_with_all_below_it() -> None:
    processes = {1: times(0), 5: times(1, 2, 3), 6: times(5, 10), 7: times(6, 100), 8: times(1, 1000)}
    assert sorted(tree_of(5, processes)) == [5, 6, 7]
    assert tree_ticks(5, processes) == 2 + 3 + 10 + 100
    assert tree_ticks(9, processes) == 0  # it is gone


@settings(max_examples=30)
@given(own=st.lists(st.integers(0, 50), min_size=2, max_size=6), data=st.data())
def test_ending_processes_change_no_sum(own: list[int], data: st.DataObject) -> None:
    """When a leaf ends and is waited for, its time moves to its parent."""
    parents = [0] + [data.draw(st.integers(1, i)) for i in range(1, len(own))]
    processes = {i + 1: times(parents[i], own[i]) for i in range(len(own))}
    while len(processes) > 1:
        leaf = max(processes)  # parents have smaller ids
        gone = processes.pop(leaf)
        before = processes[gone.parent]
        processes[gone.parent] = times(before.parent, before.own_ticks, before.reaped_ticks + gone.own_ticks
                                       + gone.reaped_ticks)  # fmt: skip
        assert tree_ticks(1, processes) == sum(own)


def test_the_time_of_an_ended_child_and_grandchild_counts() -> None:
    before = cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", BURN], check=True)
    nested = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"
    subprocess.run([sys.executable, "-c", nested], check=True)
    assert cpu_seconds(os.getpid()) - before >= 0.55  # two times 0.3 s, less what clock ticks lose


def test_memory_of_a_child_counts() -> None:
    code = "data = bytes(range(256)) * 400_000\nprint(flush=True)\ninput()"
    before = pss_bytes(os.getpid())
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdin
        child.stdout.readline()
        assert pss_bytes(os.getpid()) - before > 90e6
        child.stdin.write(b"\n")
        child.stdin.flush()


def test_busy_time_leaves_out_idle_and_waiting_and_other_processors() -> None:
    stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 4 1000 500 8 16 32 64 64\ncpu1 100 0 0 7 7 0 0 0 0 0\nintr 5"
    assert busy_ticks(stat, [0]) == 63
    assert busy_ticks(stat, [0, 1]) == 163
