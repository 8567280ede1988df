"""What the process does to keep keys where they are: in its memory, and nowhere else."""

from __future__ import annotations

import resource


def forbid_core_dumps() -> None:
    """A crash leaves no image of the memory on a disk; of the children either. Cannot be undone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
