"""Who may import whom. A new module is placed in LAYERS; a stale row fails too."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("modelcar", "components", "pipelines", "scripts", "tests")

# Each layer may import those before it and, but for PARTS, itself.
LAYERS = {
    "ground": """
        errors values atomic formats images interrupts names parallel quantity resting retries
        safe_json secret_variables stopping wording
    """,
    "settings": """
        catalog catalog_file checksums cluster connections entry entry_values facts farewell
        faults gpu gpu_types journal kept_upload lease listing look mentions model_shape
        oci.reference packing parameter_count parameters pipeline_arguments progress proposal
        pace pushed ranged records remote_code room run_pods safetensors schemas serving_parameters
        site skopeo_copy skopeo_process stamps standing termination trust view vllm_arguments
        weights workfolder
    """,
    "parts": "folder hub model_registry oci serving skopeo",
    "stages": """
        bases bootstrap build deployment download dsp earlier_images fitting image_fit mirrored
        new_entry outcome page page_commands page_failures page_image page_model page_next
        page_parts page_results plan plan_page preflight prepare prune publish push register
        report retention reuse run run_summary supply task tasks timeline trusted
    """,
    "commands": """
        __main__ cli cli_bootstrap cli_catalog cli_completion cli_dsp cli_dsp_lines
        cli_dsp_options cli_json cli_help cli_model_registry cli_options cli_packing
        cli_preflight cli_prune cli_serving live live_rows terminal terminal_plan
    """,
}
ORDER = tuple(LAYERS)
PARTS = "parts"
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names.split()}


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[1:] if parts[0] == "src" else parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in python_files("src", *PACKAGES[1:])}


def for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def not_at_once(node: ast.AST) -> bool:
    return for_types(node) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def imported(node: ast.AST, over: Callable[[ast.AST], bool]) -> Iterator[str]:
    """Yield every module that `node` imports, but for what stands below a node passed over."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports hide whom they import"
            names = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (name if name in MODULES else str(child.module) for name in names)
        elif not over(child):
            yield from imported(child, over)


def tree(module: str) -> ast.AST:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str, over: Callable[[ast.AST], bool] = lambda _: False) -> set[str]:
    return set(imported(tree(module), over))


def top(module: str) -> str:
    return module.partition(".")[0]


def place(module: str) -> str:
    """Return the row of LAYERS for a module of the library: its own, or its package's."""
    name = module.removeprefix("modelcar.")
    while name not in LAYER_OF and "." in name:
        name = name.rpartition(".")[0]
    return name


LIBRARY = [name for name in MODULES if name.startswith("modelcar.")]
OURS = [name for name in MODULES if top(name) != "tests"]


def test_every_module_is_placed_and_every_place_is_taken() -> None:
    assert {place(module) for module in LIBRARY} == set(LAYER_OF)
    names = " ".join(LAYERS.values()).split()
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", LIBRARY)
def test_a_module_imports_only_layers_before_its_own(module: str) -> None:
    own, layer = place(module), LAYER_OF[place(module)]
    for other in imports(module) & set(LIBRARY):
        found = LAYER_OF[place(other)]
        assert ORDER.index(found) <= ORDER.index(layer), f"{module} imports {other}"
        siblings = layer == found == PARTS and place(other) != own
        assert not siblings, f"{module} imports its sibling {other}"


def test_errors_stand_on_nothing_and_values_on_errors() -> None:
    assert imports("modelcar") == set()
    assert imports("modelcar.errors") & set(MODULES) == set()
    assert imports("modelcar.values") & set(MODULES) == {"modelcar.errors"}


# Which of our packages each may import; a module under `tests` may import all.
MAY = {
    "modelcar": {"modelcar"},
    "components": {"components", "modelcar"},
    "pipelines": {"components", "modelcar", "pipelines"},
    "scripts": {"components", "modelcar", "pipelines", "scripts", "tests"},
}


@pytest.mark.parametrize("module", OURS)
def test_packages_know_only_those_below_them(module: str) -> None:
    ours = {top(name) for name in imports(module)} & set(PACKAGES)
    assert ours <= MAY[top(module)]


KFP = {"kfp", "kfp_server_api"}


def test_only_what_speaks_to_a_pipelines_server_knows_kfp_and_imports_it_late() -> None:
    knowing = [name for name in LIBRARY if KFP & {top(other) for other in imports(name)}]
    assert {place(name) for name in knowing} == {"dsp"}
    early = [name for name in knowing if KFP & {top(o) for o in imports(name, not_at_once)}]
    assert early == []


COMPONENTS = [name for name in MODULES if top(name) == "components"]


@pytest.mark.parametrize("module", COMPONENTS)
def test_a_component_imports_the_library_inside_its_body_only(module: str) -> None:
    early = {name for name in imports(module, not_at_once) if top(name) == "modelcar"}
    assert early <= {"modelcar.images", "modelcar.skopeo_copy"}
    used = {
        node.attr
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "skopeo_copy"
    }
    assert used <= {"copy_arguments", "endpoints"}, "only what is pure"


@pytest.mark.parametrize("module", [name for name in MODULES if top(name) == "pipelines"])
def test_a_pipeline_knows_the_catalog_and_the_images_only(module: str) -> None:
    known = {name for name in imports(module) if top(name) == "modelcar"}
    assert known <= {"modelcar.catalog", "modelcar.images"}


def reached(module: str, seen: set[str]) -> set[str]:
    """Return every module of the library that runs with `module`."""
    for other in imports(module, for_types) & set(LIBRARY):
        if other not in seen:
            seen.add(other)
            reached(other, seen)
    return seen


@pytest.mark.parametrize("module", COMPONENTS)
def test_what_a_component_carries_needs_neither_catalog_nor_pydantic(module: str) -> None:
    carried = reached(module, set())
    assert "modelcar.catalog" not in carried
    outside = {top(name) for other in carried for name in imports(other, for_types)}
    assert outside.isdisjoint({"pydantic", "click", "rich", "ruamel"})


HEAVY = {"huggingface_hub", "kubernetes", "mr_openapi", "aiohttp", "rich", "jinja2", "tqdm", "yaml"}
# These import them at their head, since they are imported late themselves.
BEHIND = {
    "modelcar.dsp.live": {"rich"},
    "modelcar.model_registry.client": {"aiohttp", "mr_openapi"},
    "modelcar.live": {"rich"},
    "modelcar.live_rows": {"rich"},
    "modelcar.terminal_plan": {"rich"},
}


@pytest.mark.parametrize("module", LIBRARY)
def test_heavy_libraries_are_imported_late(module: str) -> None:
    early = {top(name) for name in imports(module, not_at_once)}
    assert early & HEAVY <= BEHIND.get(module, set())
