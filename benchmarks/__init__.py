"""The script behind every number in the README. Each compares with a peer or a physical limit in the same run."""
