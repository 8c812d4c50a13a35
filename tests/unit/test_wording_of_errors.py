"""How the library words what is wrong, over every text of its source (`python -m scripts.errors`).

A text reads "what failed: why; what to do": parts without a period at their end, which name only
verbs, options and fields that exist.
"""

import re
from collections.abc import Callable, Iterable

from modelcar.cli import main
from modelcar.entry import ServingEntry
from modelcar.site import SiteFile
from scripts.error_texts import Said, every, ours

ALL = every()
KINDS = ours()
ERRORS = [said for said in ALL if said.kind in KINDS]
WRONG_USE = {"UsageError", "CatalogError", "ReferenceError_"}
ELSEWHERE = {
    *("--model", "--served-model-name", "--dtype", "--max-num-seqs", "--gpu-memory-utilization"),
    *("--trust-remote-code", "--authfile", "--previous", "--delete-untagged"),
}
"""Options of other commands: vLLM, skopeo, oc, docker-registry."""
NAMES = "CA file|HTTP|TLS|OCI|KServe|OpenShift|Linux|Model Registry|InferenceService|QUAY_|HF_"
OPTIONS = {name for verb in main.commands.values() for one in verb.params for name in one.opts} | {
    "--version",
    "--help",
}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
BARE = re.compile(
    r"(?<!OCI )(?<!Model )(?<!parameter )(?<![\w`./-])registry(?![\w-])(?! garbage-collect)"
)


def faulty(places: Iterable[Said], fault: Callable[[str], object], first: int = 0) -> list[str]:
    """Return the texts that have a fault, of the parts from the `first` on, with their places."""
    told = ((said.place, text) for said in places for part in said.parts[first:] for text in part)
    return [f"{place}: {text}" for place, text in told if fault(text)]


def test_the_listing_has_what_it_is_for() -> None:
    kinds = [said.kind for said in ALL]
    assert (len(ERRORS) > 150, kinds.count("Finding") > 30, kinds.count("Rule") > 30) == (True,) * 3
    assert faulty(ALL, lambda text: text == "the repository is gated and this token has no access")


def test_no_text_ends_with_a_period_begs_or_shouts() -> None:
    ends = re.compile(r"[.!;]$|\bplease\b", re.IGNORECASE)
    assert faulty(ALL, ends.search) == []


def test_why_and_what_to_do_begin_in_lower_case_unless_with_a_name() -> None:
    begins = re.compile(rf"""$|[^A-Z]|{NAMES}""")
    assert faulty(ERRORS, lambda text: not begins.match(text), first=1) == []


def test_a_registry_is_said_to_be_of_images_or_of_models() -> None:
    assert faulty(ALL, lambda text: BARE.search(text) or "model registry" in text) == []


def test_each_verb_that_a_text_names_exists_and_has_the_options() -> None:
    def wrong(text: str) -> bool:
        for verb, rest in re.findall(r"`modelcar ([a-z]+)([^`]*)`", text):
            known = {name for one in main.commands[verb].params for name in one.opts}
            if not set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", rest)) <= known:
                return True
        return False

    named = {verb for said in ALL for text in said.texts() for verb in VERB.findall(text)}
    assert named <= set(main.commands)
    assert len(named) > 5
    assert faulty(ALL, wrong) == []


VERB = re.compile(r"`modelcar ([a-z]+)")


def test_each_option_that_a_text_names_exists() -> None:
    known = OPTIONS | ELSEWHERE
    assert faulty(ALL, lambda text: set(OPTION.findall(text)) - known) == []


def test_each_field_that_a_text_names_exists() -> None:
    serving = re.compile(r"(?<![\w/])serving\.([a-z_]+)\b(?!\.)")
    site = re.compile(r"\b([a-z]+_[a-z_]+) in the site file")
    fields, places = set(ServingEntry.model_fields), set(SiteFile.model_fields)
    assert faulty(ALL, lambda text: set(serving.findall(text)) - fields) == []
    assert faulty(ALL, lambda text: set(site.findall(text)) - places) == []


def test_wrong_use_says_what_to_do() -> None:
    used = [said for said in ERRORS if said.kind in WRONG_USE - {"CatalogError"}]
    faults = [said for said in ALL if said.kind in ("CatalogError", "ValueError")]
    schemas = [said for said in faults if re.search("/(entry|site|faults|catalog)", said.place)]
    assert [said.place for said in used if not said.parts[2]] == []
    assert faulty(schemas, lambda text: "; " not in text and not text.endswith("⟩")) == []


def test_an_error_with_a_remedy_says_why() -> None:
    assert [said.place for said in ERRORS if any(said.parts[2:]) and not said.parts[1]] == []
