"""The program; an interrupt while its modules are still read ends it quietly too."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from modelcar.cli import main as command_line
    except KeyboardInterrupt:
        print("modelcar: interrupted before anything began", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    command_line()


if __name__ == "__main__":
    main()
