import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.errors import SelectionError
from modelcar.values import FileRules, LeftOut, SourceFile
from modelcar.weights import Selection, choose, group, is_weight

MIB = 1024 * 1024
LISTINGS = sorted((Path(__file__).parent / "listings").glob("*.json"))
INDEX = "model.safetensors.index.json"


def load(path: Path) -> dict[str, Any]:
    listing: dict[str, Any] = json.loads(path.read_text())
    listing["files"] = [SourceFile(name, size) for name, size in listing["files"]]
    return listing


CASES = [
    pytest.param(path, case, id=f"{path.stem}: {name}")
    for path in LISTINGS
    for name, case in load(path)["cases"].items()
]


def rules_of(case: dict[str, Any]) -> FileRules:
    rules = case["rules"]
    include, exclude = tuple(rules.get("include", ())), tuple(rules.get("exclude", ()))
    return FileRules(include, exclude, rules.get("allow_pickle", False))


def files_of(*paths: str) -> list[SourceFile]:
    return [SourceFile(path, len(path)) for path in paths]


def unread(path: str) -> str:
    raise AssertionError(f"{path} was read")


def read_empty(path: str) -> str:
    return "{}"


def outcome(
    files: list[SourceFile], rules: FileRules, read: Callable[[str], str]
) -> Selection | str:
    try:
        return choose("org/name", files, rules, read)
    except SelectionError as error:
        return str(error)


@pytest.mark.parametrize(("path", "case"), CASES)
def test_listing_gives_the_expected_choice(path: Path, case: dict[str, Any]) -> None:
    listing = load(path)
    files, read = listing["files"], listing["texts"].__getitem__
    if "error" in case:
        with pytest.raises(SelectionError) as raised:
            choose(listing["repo"], files, rules_of(case), read)
        assert str(raised.value) == case["error"]
        return
    selection = choose(listing["repo"], files, rules_of(case), read)
    assert [file.path for file in selection.files] == case["files"]
    assert {file.path: file.reason for file in selection.left_out} == case["left_out"]
    assert list(selection.warnings) == case["warnings"]
    assert [file.path for file in selection.left_out] == sorted(case["left_out"])


@pytest.mark.parametrize(("path", "case"), CASES)
def test_order_of_a_listing_does_not_matter(path: Path, case: dict[str, Any]) -> None:
    listing = load(path)
    read = listing["texts"].__getitem__
    expected = outcome(listing["files"], rules_of(case), read)
    random.Random(1).shuffle(listing["files"])
    assert outcome(listing["files"], rules_of(case), read) == expected


def test_left_out_file_keeps_its_size() -> None:
    files = [SourceFile("model.safetensors", 7), SourceFile("a.png", 5)]
    selection = choose("org/name", files, FileRules(), unread)
    assert selection.files == (files[0],)
    assert selection.left_out == (LeftOut("a.png", 5, "not needed by vLLM"),)


def test_index_of_weights_that_lose_is_not_read() -> None:
    files = files_of("model.safetensors", "model.fp16.safetensors.index.json", "config.json")
    texts = {"config.json": "{}"}  # reading anything else is a KeyError
    selection = choose("org/name", files, FileRules(), texts.__getitem__)
    assert [file.path for file in selection.files] == ["config.json", "model.safetensors"]


def test_format_is_known_without_regard_to_case() -> None:
    files = files_of("Model.SafeTensors", "PyTorch_Model.BIN")
    selection = choose("org/name", files, FileRules(), unread)
    assert [file.path for file in selection.files] == ["Model.SafeTensors"]


def test_any_other_set_is_better_than_consolidated() -> None:
    files = files_of(
        "consolidated.safetensors.index.json", "consolidated-00001-of-00001.safetensors"
    )
    selection = choose("org/name", [*files, *files_of("own.safetensors")], FileRules(), unread)
    assert [file.path for file in selection.files] == ["own.safetensors"]


def test_files_that_differ_by_case_are_two_weight_sets() -> None:
    with pytest.raises(SelectionError, match="two weight sets"):
        choose("org/name", files_of("A.safetensors", "a.safetensors"), FileRules(), unread)


def test_deeply_nested_json_is_refused() -> None:
    files = files_of("model.safetensors", "config.json")
    with pytest.raises(SelectionError, match=r"config\.json is no JSON"):
        choose("org/name", files, FileRules(), lambda path: "[" * 200_000)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/passwd", "it is absolute"),
        ("../model.safetensors", "it has an empty part, '.' or '..'"),
        ("a/../b.json", "it has an empty part, '.' or '..'"),
        ("a/./b.json", "it has an empty part, '.' or '..'"),
        ("a//b.json", "it has an empty part, '.' or '..'"),
        ("a/", "it has an empty part, '.' or '..'"),
        ("", "it has an empty part, '.' or '..'"),
        ("a\\b.json", "it has a backslash or a control character"),
        ("a\0.json", "it has a backslash or a control character"),
        ("a\n.json", "it has a backslash or a control character"),
        ("a\x9b.json", "it has a backslash or a control character"),
        (".git/config", "it lies in a .git folder"),
        ("sub/.GIT/hooks/post-checkout", "it lies in a .git folder"),
        (".wh.config.json", "an image layer reads .wh. as the deletion of a file"),
        ("sub/.wh..wh..opq", "an image layer reads .wh. as the deletion of a file"),
        ("a\ud800.json", "it is not UTF-8"),
        ("ü" * 128, "a part is longer than 255 bytes"),
    ],
)
def test_unsafe_path_refuses_the_listing(path: str, why: str) -> None:
    files = files_of("model.safetensors", path)
    rules = FileRules(include=("*",), exclude=("*",))
    with pytest.raises(SelectionError) as raised:
        choose("org/name", files, rules, unread)
    assert raised.value.what == f"the listing of org/name has an unsafe path {path!r}"
    assert raised.value.why == why


def test_path_listed_twice_is_refused() -> None:
    with pytest.raises(SelectionError, match=r"'a\.json': it is listed twice"):
        choose("org/name", files_of("a.json", "b.json", "a.json"), FileRules(), unread)


def test_path_that_is_also_a_folder_is_refused() -> None:
    # "a-b" sorts between "a" and "a/c" as text.
    files = files_of("a", "a-b", "a/c/model.safetensors")
    with pytest.raises(SelectionError, match="'a': it is a file and the folder of 'a/c/model"):
        choose("org/name", files, FileRules(), unread)


def test_part_of_255_bytes_is_accepted() -> None:
    files = files_of("model.safetensors", "ü" * 125 + ".json", ".github/workflow.yml")
    selection = choose("org/name", files, FileRules(), unread)
    assert [file.path for file in selection.files] == ["model.safetensors", "ü" * 125 + ".json"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model.safetensors", True),
        ("a/MODEL.GGUF", True),
        ("pytorch_model.bin", True),
        ("model.ckpt", True),
        ("onnx/model.onnx_data", True),
        (INDEX, False),
        ("tokenizer.model", False),
        ("README", False),
    ],
)
def test_is_weight(path: str, expected: bool) -> None:
    assert is_weight(path) is expected


def test_group_puts_small_files_together_first() -> None:
    sizes = {"z.json": 1, "b.safetensors": 64 * MIB, "a.txt": 64 * MIB - 1, "a.safetensors": 2**40}
    files = {path: SourceFile(path, size) for path, size in sizes.items()}
    assert group(list(files.values())) == (
        (files["a.txt"], files["z.json"]),
        (files["a.safetensors"],),
        (files["b.safetensors"],),
    )


def test_group_makes_no_empty_layer() -> None:
    assert group([]) == ()
    assert group([SourceFile("a", 64 * MIB)]) == ((SourceFile("a", 64 * MIB),),)
    assert group([SourceFile("a", 0)]) == ((SourceFile("a", 0),),)


FOLDERS = ["", "", "", "unet/", "2_Dense/", "original/", "fp16/", "checkpoint-1/"]
STEMS = ["model", "pytorch_model", "consolidated", "adapter_model", "other", "MODEL", "optimizer"]
MIDDLES = ["", "", ".fp16", ".bf16", "-00001-of-00002", "-00002-of-00002", ".fp16-00001-of-00001"]
ENDS = [".safetensors", ".bin", ".pt", ".gguf", ".safetensors.index.json", ".bin.index.json"]
OTHERS = [
    "config.json",
    "params.json",
    "adapter_config.json",
    "a.py",
    "b.png",
    ".x",
    "modules.json",
]
weight_names = st.tuples(*map(st.sampled_from, (STEMS, MIDDLES, ENDS))).map("".join)
names = weight_names | st.sampled_from(OTHERS)
paths = st.tuples(st.sampled_from(FOLDERS), names).map("".join)
listings = st.lists(paths, unique=True, max_size=20).map(lambda found: files_of(*found))
globs = st.lists(st.sampled_from(["*", "*.gguf", "model*", "unet/*", "*.bin", "a.py"]), max_size=2)
file_rules = st.builds(
    lambda include, exclude, pickle: FileRules(tuple(include), tuple(exclude), pickle),
    globs,
    globs,
    st.booleans(),
)


def read_from(files: list[SourceFile]) -> Callable[[str], str]:
    """Answer an index with every safetensors file of its folder, and any config with code."""

    def read(path: str) -> str:
        folder = path.rpartition("/")[0]
        shards = [f.path for f in files if f.path.rpartition("/")[0] == folder]
        shards = [shard for shard in shards if shard.endswith(".safetensors")]
        names = {str(number): shard.split("/")[-1] for number, shard in enumerate(shards)}
        return json.dumps({"weight_map": names, "auto_map": {"AutoModel": "a.Model"}})

    return read


@given(listings, file_rules)
def test_every_file_is_either_chosen_or_left_out(files: list[SourceFile], rules: FileRules) -> None:
    found = outcome(files, rules, read_from(files))
    if isinstance(found, Selection):
        paths = [f.path for f in found.files] + [f.path for f in found.left_out]
        assert sorted(paths) == sorted(f.path for f in files)
        assert any(is_weight(file.path) for file in found.files)
        assert all(file.reason for file in found.left_out)


@given(listings, file_rules, st.randoms(use_true_random=False))
def test_order_of_any_listing_does_not_matter(
    files: list[SourceFile], rules: FileRules, source: random.Random
) -> None:
    shuffled = source.sample(files, len(files))
    read = read_from(sorted(files, key=lambda file: file.path))
    assert outcome(shuffled, rules, read) == outcome(files, rules, read)


@given(listings, st.booleans())
def test_without_forced_files_no_pickle_nor_copy_is_chosen(
    files: list[SourceFile], allow_pickle: bool
) -> None:
    found = outcome(files, FileRules(allow_pickle=allow_pickle), read_from(files))
    files = list(found.files) if isinstance(found, Selection) else []
    chosen = [file.path for file in files if is_weight(file.path)]
    suffixes = {(path.rpartition("/")[0], path.rpartition(".")[2]) for path in chosen}
    assert len(suffixes) == len({folder for folder, _ in suffixes})
    assert allow_pickle or {suffix for _, suffix in suffixes} <= {"safetensors"}


hostile = st.sampled_from(["..", ".", "", ".git", ".wh.a", "a\\b", "a\0b", "a" * 256])


@given(listings, file_rules, st.lists(st.sampled_from(["a", "unet"]), max_size=2), hostile)
def test_any_listing_with_an_unsafe_path_is_refused(
    files: list[SourceFile], rules: FileRules, parents: list[str], part: str
) -> None:
    path = "/".join([*parents, part, "model.safetensors"])
    with pytest.raises(SelectionError, match="unsafe path"):
        choose("org/name", [*files, *files_of(path)], rules, unread)


@given(st.text(min_size=1, max_size=40))
def test_any_text_is_a_path_that_is_handled(text: str) -> None:
    found = outcome(files_of("model.safetensors", text), FileRules(include=("*",)), read_empty)
    if isinstance(found, Selection):
        assert text in [file.path for file in found.files]
        assert not text.startswith("/")
    else:
        assert "unsafe path" in found
