"""Parts of the audit's benchmark: each a module with `figures(work, is_quick)`, run in a process of its own."""

PARTS = {
    "pass": "image_pass",
    "near": "near_duplicates",
    "edits": "edited_copies",
    "labels": "label_errors",
    "plants": "planted_shortcuts",
    "scale": "scale",
}
"""Name on the command line → module beside this one."""
