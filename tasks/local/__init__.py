"""Training runs as processes of this machine, each with a launcher beside it that outlives the flow.

This room knows processes, folders and locks; it knows nothing of experiments or of the service but its address.
"""

from tasks.local.compute import LocalCompute, LocalComputes
from tasks.local.shell import keep_shell, shell_of

__all__ = ["LocalCompute", "LocalComputes", "keep_shell", "shell_of"]
