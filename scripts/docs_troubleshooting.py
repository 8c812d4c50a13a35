"""The page that leads from a symptom to its remedy, from the tables that the tools themselves read.

Those are the rules of `diagnose`, what is told of a run's pods, the errors of the stages, and the
checks of `preflight`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import get_args

from modelcar.serving.rules import RULES, Rule
from modelcar.serving.signs import Where
from scripts import docs_checks, docs_run_pods, docs_stages
from scripts.docs_patterns import phrases
from scripts.docs_text import code, head, marked, table

_OPENING = """Start with what you see. Every message of modelcar says what failed, why, and what to
do; the tables below are those that it answers from.

"""
_CODES = "[exit codes](reference/exit-codes.md)"
_FILES = "[catalog](reference/catalog.md), [site](reference/site.md)"
_STARTS = (
    (
        "an endpoint that is not ready",
        "`modelcar diagnose MODEL -n NAMESPACE`: the causes, the weightiest first",
        "[the endpoint](#the-endpoint)",
    ),
    (
        "a run of the pipeline that failed, or does not go on",
        "the page that its task `report` shows once the run has ended; until then"
        " `modelcar submit MODEL --wait`",
        "[a run of the pipeline](#a-run-of-the-pipeline)",
    ),
    (
        "the message of a stage that failed",
        "its words: who was asked, then the message",
        "[what a stage says](#what-a-stage-says)",
    ),
    (
        "a run that is to come",
        "`modelcar preflight MODEL`: a line a check",
        "[the checks](#the-checks-of-preflight)",
    ),
    ("a run on this machine that failed", "its last line, and `runs/MODEL/report.html`", _CODES),
    ("a catalog or site file that is refused", "`modelcar check`: all faults at once", _FILES),
    (
        "a connection or a server that fails",
        "the message, which names the peer; what may pass has been tried again",
        "[what a stage says](#what-a-stage-says), [what may go wrong](reliability.md)",
    ),
    (
        "a certificate that is not trusted, or a proxy",
        "the message, which names `MODELCAR_CA_BUNDLE`",
        "[disconnected](disconnected.md)",
    ),
    (
        "a right that is missing",
        "`modelcar preflight MODEL`, check `rights`",
        "[rights](rights.md)",
    ),
)
_ENDPOINT = """## The endpoint

`modelcar diagnose`, and `deploy` while it waits, look for these in the InferenceService, its pods,
their events and their logs. Of the rows that match in one place the first counts. `…` stands for
anything, `N` for a number. Where waiting cannot heal it, `deploy` ends early. Names such as
`serving.memory` are fields of the [catalog entry](reference/catalog.md#serving); in the pipeline
they are [parameters](reference/pipeline-parameters.md#serving).
"""
_PULL = "The node does not get the image"
SECTIONS: dict[str, tuple[str, str]] = {
    "service": (
        "The InferenceService says it itself",
        "Shown by `oc describe inferenceservice NAME`, in its status.",
    ),
    "creating": (
        "No pod is created",
        "Shown by `oc get events`, reason `FailedCreate`, and in the status of the Deployment.",
    ),
    "scheduling": (
        "The pod is Pending",
        "Shown by `oc describe pod`, in its events, reason `FailedScheduling`.",
    ),
    "pull": (
        _PULL,
        "Shown by `oc get pods` as the pod's status, with the message in `oc describe pod`.",
    ),
    "pod": ("The pod was evicted", "Shown by `oc get pods` as `Evicted` or `Error`."),
    "ended": (
        "A container ends, or restarts",
        "Shown by `oc describe pod` as the last state of a container.",
    ),
    "log": ("vLLM ends with an error", "Shown by `oc logs POD -c kserve-container --previous`."),
}
"""Where a rule shows, in the order of a pod's life: its heading, and who shows it."""


def files() -> Iterator[tuple[str, str]]:
    """Yield the path below the repository and the text of the page."""
    yield "docs/troubleshooting.md", "".join(_page())


def _page() -> Iterator[str]:
    sources = "the rules, errors and checks of src/modelcar"
    yield head("Troubleshooting", sources) + _OPENING
    yield table(("you have", "ask", "read"), _STARTS) + "\n" + _ENDPOINT
    if odd := {section(rule) for rule in RULES} ^ SECTIONS.keys():
        raise ValueError(
            f"{', '.join(sorted(odd))}: see SECTIONS in scripts/docs_troubleshooting.py"
        )
    for name, (title, shown) in SECTIONS.items():
        yield f"\n### {title}\n\n{shown}\n\n"
        yield _rules([rule for rule in RULES if section(rule) == name])
    yield from docs_run_pods.section()
    yield from docs_stages.section()
    yield from docs_checks.section()


def section(rule: Rule) -> str:
    """Return the section in which a rule stands."""
    if rule.where not in get_args(Where):
        raise ValueError(f"{rule.where} is no place where a sign shows")
    if rule.where != "waiting":
        return rule.where
    parts = phrases(rule.pattern)
    return "pull" if "ErrImagePull" in parts[0] else "ended"


def _rules(rules: Sequence[Rule]) -> str:
    """Return the rules of a section; what all of them look for is said once."""
    first = {tuple(part) for rule in rules for part in phrases(rule.pattern)[:1]}
    shared = len(rules) > 1 and len(first) == 1
    told = f"The reason is {_either(*first)}, and the message has:\n\n" if shared else ""
    heads = ("it says", "that is", "what to do", "can waiting heal it?")
    return told + table(heads, (_row(rule, shared) for rule in rules))


def _either(words: Sequence[str]) -> str:
    coded = [code(word) for word in words]
    return " or ".join(filter(None, (", ".join(coded[:-1]), coded[-1])))


def _row(rule: Rule, shared: bool) -> tuple[str, str, str, str]:
    return symptom(rule, shared), _sentence(rule.cause), _sentence(rule.remedy), _waiting(rule)


def symptom(rule: Rule, shared: bool = False) -> str:
    """Return what is looked for, a line each; `shared` leaves out what is said for all."""
    parts = phrases(rule.pattern)[shared:]
    lines = ["<br>".join(code(text) for text in part) for part in parts]
    return "<br>with<br>".join(lines) or "anything else"


def _sentence(text: str) -> str:
    return marked(re.sub(r"\\\d", "N", text))


def _waiting(rule: Rule) -> str:
    match rule.terminal_after:
        case None:
            return "it may"
        case 0:
            return "no"
        case 1:
            return "not after a restart"
        case restarts:
            return f"not after {restarts} restarts"
