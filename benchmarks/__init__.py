"""The scripts behind every number in the docs. Each measures a peer or a physical limit in the same run."""
