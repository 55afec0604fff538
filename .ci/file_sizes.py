"""No Python file of the product is longer than 300 lines. Prints the longest ones and the median."""

import sys
from pathlib import Path
from statistics import median

LIMIT = 300
PACKAGES = ("trialflow", "flows", "tasks", "blocks", "deployments")


def main() -> int:
    """Print what was found; 1 if a file is too long."""
    root = Path(__file__).parents[1]
    sizes = {path: len(path.read_text().splitlines()) for package in PACKAGES for path in (root / package).rglob("*.py")}
    for path, lines in sizes.items():
        if lines > LIMIT:
            print(f"{path.relative_to(root)}: {lines} lines; the limit is {LIMIT}")
    print(f"{len(sizes)} files, {sum(sizes.values())} lines, median {median(sizes.values()):g}, longest {max(sizes.values())}")
    return int(max(sizes.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
