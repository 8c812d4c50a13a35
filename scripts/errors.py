"""Print every text by which the library says that something is wrong, to read side by side."""

import click

from scripts.error_texts import every


@click.command()
@click.argument("words", nargs=-1)
def main(words: tuple[str, ...]) -> None:
    """Print the texts, or those that hold one of WORDS: where, which class, what, why, remedy."""
    for said in every():
        if not words or any(word in text for text in said.texts() for word in words):
            print(f"{said.place}  {said.kind}")
            for name, part in zip(("what", "why", "do"), said.parts, strict=False):
                for text in part:
                    print(f"    {name:<5}{text!r}")


if __name__ == "__main__":
    main()
