"""`python -m deployments`: write prefect.yaml in the folder above this one."""

from pathlib import Path

from deployments.project_file import project_file


def main() -> None:
    """Write the file and say so."""
    path = Path(__file__).resolve().parents[1] / "prefect.yaml"
    path.write_text(project_file())
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
