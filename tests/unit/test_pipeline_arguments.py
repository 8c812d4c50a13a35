"""The pipeline's parameters are read back as the model that they were made of."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar import images, parameters, pipeline_arguments, serving_parameters
from modelcar.site import Images, Site
from modelcar.values import FileRules, Model, ModelSource, Serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
QUANTITY = st.sampled_from(["4", "500m", "96Gi", "1.5"])
COUNT = st.integers(1, 8)
LABELS = st.dictionaries(st.from_regex(r"[a-z./-]{1,20}", fullmatch=True), NAME | st.just(""))
MODELS = st.builds(
    Model,
    name=NAME,
    version=st.sampled_from(["1.10", "007", "12e4", "null"]),
    source=st.sampled_from(
        [ModelSource("hf", "org/name", COMMIT), ModelSource("file", "/models/a b")]
    ),
    description=TEXT,
    rules=st.builds(
        FileRules,
        include=st.lists(TEXT, max_size=3).map(tuple),
        exclude=st.lists(TEXT, max_size=3).map(tuple),
        allow_pickle=st.booleans(),
    ),
    serving=st.builds(
        Serving,
        gpus=COUNT,
        cpu=QUANTITY,
        memory=QUANTITY,
        memory_limit=QUANTITY | st.just(""),
        tensor_parallel_size=COUNT,
        max_model_len=st.integers(0, 131072),
        args=st.lists(TEXT, max_size=3).map(tuple),
        node_selector=LABELS,
        tolerations=st.lists(
            st.sampled_from(["spot", "team=ml:NoSchedule", "a:NoExecute"]), max_size=2
        ).map(tuple),
        hardware_profile=st.sampled_from(["", "ns/l4"]),
        runtime=NAME,
        route=st.booleans(),
        auth=st.booleans(),
        pull_secret=NAME | st.just(""),
    ),
)


@given(MODELS)
def test_a_model_is_read_back_as_it_was(model: Model) -> None:
    told = pipeline_arguments.of_model(model)
    names = inspect.signature(serving_parameters.serving).parameters
    serving = serving_parameters.serving(**{name: told.pop(name) for name in names})
    patterns = (told.pop("include"), told.pop("exclude"), told.pop("allow_pickle"))
    rules = parameters.rules(*patterns)
    read = parameters.model(
        told.pop("hf_repo"),
        told.pop("revision"),
        told.pop("model_name"),
        told.pop("model_version"),
        told.pop("model_description"),
        serving,
        rules,
    )
    assert read == model
    assert told == {}, "every parameter is read by someone"


def test_what_says_nothing_is_left_to_the_stages() -> None:
    model = Model("m", "1", ModelSource("hf", "org/name", "main"))
    told = pipeline_arguments.of_model(model)
    empty = ("tensor_parallel_size", "max_model_len", "vllm_args", "include", "exclude")
    assert {told[name] for name in empty} == {""}
    assert (told["route"], told["auth"], told["allow_pickle"]) == ("true", "true", "false")


@pytest.mark.parametrize("base", [images.BASE, "quay.io/team/base@sha256:" + "a" * 64])
def test_a_site_is_told_as_its_file_has_it(base: str) -> None:
    site = Site(
        oci_registry="quay.io/team",
        mirror="quay.io/mirror",
        model_registry="https://registry.example",
        namespace="models",
        pvc="big",
        hub="https://hub.example",
        images=Images(base=base),
    )
    assert pipeline_arguments.of_site(site) == {
        "registry": "quay.io/team",
        "mirror_to": "quay.io/mirror",
        "model_registry_url": "https://registry.example",
        "namespace": "models",
        "pvc_name": "big",
        "base_image": base,
        "hf_endpoint": "https://hub.example",
    }
