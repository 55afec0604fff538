"""The quick benchmarks, one after the other: about five minutes on an idle machine.

    python -m benchmarks          (or `make bench`)

Nothing else should run meanwhile. Not among them are `benchmarks.cluster`, which needs a cluster and an image, `benchmarks.pages`, which needs
Chromium, and `benchmarks.optimizer`, which takes hours and compares with peers that have to be installed.
"""

import subprocess
import sys

QUICK = ("startup", "loop", "service_writes", "optimizer.latency")


def main() -> int:
    failed = []
    for name in QUICK:
        print(f"\n## python -m benchmarks.{name}\n", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    print("\nnot run: benchmarks.cluster (needs a cluster and an image), benchmarks.pages (needs Chromium), benchmarks.optimizer (takes hours)")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
