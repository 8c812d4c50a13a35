"""The program; an interrupt before it heeds them, or after, ends it quietly too."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from modelcar.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        print("modelcar: interrupted", file=sys.stderr)  # noqa: T201
        sys.exit(130)


if __name__ == "__main__":
    main()
