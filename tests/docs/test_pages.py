"""How commands are read from a page, and what is compared with what they print."""

import pytest

from tests.docs.pages import Command, PageError, alike, commands

PAGE = """# A page

```console
$ one --two  # a note
shown …

$ cat > file <<'END'
$ this is no command
END
$ three \\
    --four
$ five() { echo '
six'; }
```

```yaml
seven: 8
```

1. A list.

   <!-- cluster, fails: 2 -->

   ```console
   $ nine
   $ ten
   no
   ```
"""


def test_commands_have_their_further_lines_and_what_is_shown() -> None:
    assert commands(PAGE) == [
        Command("one --two  # a note", 4, ("shown …",)),
        Command("cat > file <<'END'\n$ this is no command\nEND", 7),
        Command("three \\\n    --four", 10),
        Command("five() { echo '\nsix'; }", 12),
        Command("nine", 25, cluster=True),
        Command("ten", 26, ("no",), 2, cluster=True),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```bash\nls\n```\n", "line 1: commands stand in a block of ```console, not bash"),
        ("```text\n$ ls\n```\n", "not text"),
        ("```\n$ ls\n```\n", "line 1: commands stand in a block"),
        ("~~~sh\nls\n~~~\n", "not sh"),
        ("```console\nls\n```\n", "line 2: a block begins with `$ `, not 'ls'"),
        ("```console\n$ ls \\\n```\n", "line 2: the command is not whole"),
        ("```console\n$ cat <<END\n$ ls\n```\n", "line 2: the command is not whole"),
        ("```console\n```\n", "a block of ```console without a command"),
    ],
)
def test_what_would_escape_is_refused(text: str, why: str) -> None:
    with pytest.raises(PageError, match=r".*") as caught:
        commands(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("one\ntwo", "one\ntwo\n", True),
        ("one", "one\ntwo\n", False),
        ("one\n…", "one\ntwo\nthree\n", True),
        ("…\nthree", "one\ntwo\nthree\n", True),
        ("…", "", True),
        ("o…e", "one\n", True),
        ("o…e", "o\ne\n", False),
        ("image  …@sha256:…", "image  quay.io/me@sha256:1a", True),
        ("one.two", "one-two\n", False),
        ("one", "one   \n", True),
        ("one\n\ntwo", "one\n\ntwo\n", True),
    ],
)
def test_an_ellipsis_is_any_text_of_a_line_or_any_lines(shown: str, real: str, same: bool) -> None:
    assert alike(shown.splitlines(), real) is same
