"""How one step is done: a file or folder for each outside system. This room knows no order of steps; the flows do."""
