"""A plan at a glance, in terminals of 80 and 40 columns and as plain text."""

from modelcar.gpu import Fit
from modelcar.terminal_plan import lines
from modelcar.values import (
    Digest,
    KnownLayer,
    LeftOut,
    ModelSource,
    Moved,
    Plan,
    PlannedLayer,
    SourceFile,
)

FITS = Fit("fits", "4 x L4 (g6.12xlarge)", weights=2**33, kv=2**15, longest=32768, disk=10**11)
KNOWN = KnownLayer(Digest("ab" * 32))
COMMIT = "0" * 39 + "1"


def layer(size: int, *paths: str, known: bool = False, reused: bool = False) -> PlannedLayer:
    files = tuple(SourceFile(path, size // len(paths)) for path in paths)
    return PlannedLayer(files, size, KNOWN if known else None, reused)


def plan(
    *layers: PlannedLayer, left_out: tuple[LeftOut, ...] = (), warnings: tuple[str, ...] = ()
) -> Plan:
    reused = sum(item.size for item in layers if item.reused)
    moved = sum(item.size for item in layers) - reused
    files = tuple(file for item in layers for file in item.files)
    source = ModelSource("hf", "org/tiny")
    return Plan(
        "tiny",
        "1.0",
        source,
        COMMIT,
        files,
        left_out,
        layers,
        Moved(moved, moved, reused),
        warnings,
    )


def shown(made: Plan, width: int = 0, fit: Fit = FITS, *, every: bool = False) -> list[str]:
    return [text for text, _ in lines(made, fit, "quay.io/me/tiny:1", width, every=every)]


NEW = plan(
    layer(3_000_000, "README.md", "config.json"),
    layer(2_000_000_000, "model-1.safetensors", known=True),
    layer(1_000_000_000, "model-2.safetensors", known=True, reused=True),
)


def test_what_moves_is_reused_and_fits_is_the_first_line() -> None:
    assert shown(NEW) == [
        "tiny 1.0: 2.0 GB to download, 2.0 GB to upload in 2 of 3 layers, 1.0 GB reused; "
        "image 3.0 GB and its base; fits on 4 x L4 (g6.12xlarge)",
        "GPUs: fits on 4 x L4 (g6.12xlarge) (weights 8.0 GiB a GPU, KV cache 32 KiB a token, "
        "up to 32768 tokens, 100.0 GB of the node's disk)",
        f"source: hf://org/tiny at {COMMIT}",
        "target: quay.io/me/tiny:1",
        "LAYER  STATE     SIZE  CONTENT",
        "1      new     3.0 MB  2 files: README.md, config.json",
        "2      known   2.0 GB  model-1.safetensors",
        "3      reused  1.0 GB  model-2.safetensors",
    ]


def test_an_unchanged_model_moves_nothing() -> None:
    made = plan(layer(10_000_000, "a", known=True, reused=True))
    assert shown(made)[0] == (
        "tiny 1.0: nothing moves, 10.0 MB reused in 1 layer; image 10.0 MB and its base; "
        "fits on 4 x L4 (g6.12xlarge)"
    )


def test_what_is_not_known_to_fit_says_so() -> None:
    unknown = Fit("unknown", "", "no GPU is asked for")
    first, second, *_ = shown(NEW, fit=unknown)
    assert first.endswith("; fit unknown")
    assert second.startswith("GPUs: unknown: no GPU is asked for")


def test_left_out_files_are_one_line_by_reason_unless_each_is_wanted() -> None:
    left = (
        LeftOut("a.bin", 1000, "pickle; the same weights are there as safetensors"),
        LeftOut("b.bin", 1000, "pickle; the same weights are there as safetensors"),
        LeftOut(".gitattributes", 500, "a hidden file"),
    )
    made = plan(layer(1000, "a"), left_out=left, warnings=("it has code of its own",))
    assert shown(made)[-2:] == [
        "left out: 3 files, 2.5 kB (pickle: 2; a hidden file: 1)",
        "warning: it has code of its own",
    ]
    assert shown(made, every=True)[-4:-1] == [
        "left out: a.bin (1.0 kB): pickle; the same weights are there as safetensors",
        "left out: b.bin (1.0 kB): pickle; the same weights are there as safetensors",
        "left out: .gitattributes (500 B): a hidden file",
    ]


def test_no_line_is_wider_than_the_terminal() -> None:
    left = (LeftOut("x" * 90, 1000, "a reason of many words " * 5),)
    made = plan(*NEW.layers, left_out=left, warnings=("something to know " * 6,))
    for width in (100, 80, 40):
        for every in (True, False):
            assert max(map(len, shown(made, width, every=every))) <= width


def test_a_number_stays_with_its_unit() -> None:
    for width in range(40, 100):
        assert not [text for text in shown(NEW, width) if text.lstrip().startswith(("GB", "GiB"))]


def test_on_a_terminal_many_layers_are_counted() -> None:
    made = plan(*(layer(1_000_000, f"{number}.safetensors") for number in range(1, 164)))
    rows = [text for text in shown(made, 80) if text[:1].isdigit() or text.startswith("…")]
    assert len(rows) == 17
    assert rows[14:] == [
        "15     new    1.0 MB  15.safetensors",
        "…  147 more, 147.0 MB (-v)",
        "163    new    1.0 MB  163.safetensors",
    ]
    every = [text for text in shown(made, 80, every=True) if text[:1].isdigit()]
    assert len(every) == len([text for text in shown(made) if text[:1].isdigit()]) == 163


def test_what_would_steer_the_terminal_is_not_passed_on() -> None:
    made = plan(layer(1000, "a\x1b[2Jb"), left_out=(LeftOut("c\nd", 1, "a\x07"),))
    fit = Fit("unknown", "1 x L4", "the KV cache of\x1b[2J\x85 is not known", "a\nb")
    text = "".join(shown(made, fit=fit, every=True))
    assert text.isprintable()
