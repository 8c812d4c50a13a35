"""The page of a plan."""

from modelcar import plan_page
from modelcar.gpu import Fit
from modelcar.values import LeftOut, ModelSource, Moved, Plan, PlannedLayer, SourceFile

FILE = SourceFile("model.safetensors", 7_000_000_000)
PLAN = Plan(
    model="tiny",
    version="1|0",
    source=ModelSource.parse("hf://org/tiny"),
    commit="c" * 40,
    files=(FILE,),
    left_out=tuple(LeftOut(f"file-{number}.bin", 1000, "a pickle") for number in range(32)),
    layers=(PlannedLayer((FILE,), 7_000_001_024), PlannedLayer((), 2_000)),
    bytes=Moved(),
    warnings=("two *sets* of weights",),
)


def test_it_says_what_would_move_and_what_is_left_out() -> None:
    text = plan_page.markdown(PLAN, Fit("fits", "1 x L4"))
    assert text.startswith("# tiny 1\\|0\n")
    for row in (
        f"| Source | hf://org/tiny at {'c' * 40} |",
        "| Files | 1, 7.0 GB |",
        "| Layers | 2, the largest 7.0 GB |",
        "- two \\*sets\\* of weights",
        "| file-29.bin | 1.0 kB | a pickle |",
        "| and 2 more | | |",
    ):
        assert f"{row}\n" in text
    assert "file-30.bin" not in text


def test_without_warnings_and_left_out_files_there_is_no_empty_table() -> None:
    from dataclasses import replace

    text = plan_page.markdown(replace(PLAN, left_out=(), warnings=()), Fit("unknown", ""))
    assert "Left out" not in text
    assert "more" not in text
