"""Parts of the audit's benchmark: each a module with `figures(work, is_quick)`, run in a process of its own."""

PARTS = {"pass": "looks", "near": "near", "edits": "edits", "labels": "labels", "plants": "plants", "scale": "scale"}
"""Name on the command line → module beside this one."""
