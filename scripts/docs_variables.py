"""The environment variables that the library reads, found in its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "modelcar"
MEANINGS = {
    "HF_TOKEN": "The token for the Hub; else the file that `hf auth login` writes.",
    "HUGGING_FACE_HUB_TOKEN": "The same, by its older name.",
    "HF_TOKEN_PATH": "The file with the token for the Hub.",
    "HF_HOME": "Where that file lies, as `token`, unless it is named.",
    "HF_ENDPOINT": "The Hub's address, where no site file names one.",
    "REGISTRY_AUTH_FILE": "The logins at OCI registries, as `skopeo login` writes them.",
    "XDG_RUNTIME_DIR": "Where logins are looked for, in `containers/auth.json`.",
    "XDG_CONFIG_HOME": "Where they are looked for next, in `containers/auth.json`.",
    "DOCKER_CONFIG": "Where they are looked for last, in `config.json`.",
    "MODEL_REGISTRY_URL": "The Model Registry's address.",
    "MODEL_REGISTRY_TOKEN": "The token for the Model Registry; else the pod's or the kubeconfig's.",
    "KUBECONFIG": "The kubeconfig; else `~/.kube/config`, or the pod's service account.",
    "MODELCAR_PIPELINES_URL": "The pipelines server's address; else that of the namespace.",
    "MODELCAR_ENDPOINT_TOKEN": "The token that the endpoint is shown; else the kubeconfig's.",
    "MODELCAR_CA_BUNDLE": "More CA certificates to trust: a file in PEM, or a folder of `*.crt`.",
    "MODELCAR_WORKDIR": "The work folder; else `modelcar` in the cache.",
    "XDG_CACHE_HOME": "The cache; else `~/.cache`.",
    "HTTPS_PROXY": "The proxy for `https`; also `HTTP_PROXY`, and `NO_PROXY` for hosts without.",
    "SSL_CERT_FILE": "CA certificates in place of the system's.",
}
"""What each says; those that nobody sets by hand are in _OWN."""
_OWN = {
    "KUBERNETES_SERVICE_HOST": "the cluster sets it in pods",
    "MODELCAR_RUN_ID": "the pipeline sets it",
    "TERM": "the terminal sets it",
    "MODELCAR_TERMINATION_LOG": "the tests set it",
}
_ELSEWHERE = {
    "HTTPS_PROXY": "urllib reads it",
    "SSL_CERT_FILE": "OpenSSL reads it",
}


def variables() -> Iterator[tuple[str, str]]:
    """Yield each variable and what it says; raise ValueError where one is read that has no words.

    Also raised for words on one that nothing reads.
    """
    read = set(names())
    silent = read - MEANINGS.keys() - _OWN.keys()
    idle = MEANINGS.keys() - read - _ELSEWHERE.keys()
    if odd := sorted(silent | idle):
        raise ValueError(f"{', '.join(odd)}: see MEANINGS in scripts/docs_variables.py")
    for name, meaning in MEANINGS.items():
        yield f"`{name}`", meaning


def names() -> Iterator[str]:
    """Yield the names of the variables that the source reads."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))]
    constants = {name: text for tree in trees for name, text in _constants(tree)}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if found := _asked(node):
            yield _text(found, constants)


def _asked(node: ast.AST) -> ast.expr | None:
    """Return the name that `environ.get(NAME)`, `NAME in environ` or `envvar=NAME` has."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[name, *_]):
            return name if _is_environ(value) else None
        case ast.Compare(left=name, ops=[ast.In()], comparators=[value]):
            return name if _is_environ(value) else None
        case ast.Subscript(value=value, slice=name):
            return name if _is_environ(value) else None
        case ast.keyword(arg="envvar", value=name):
            return name
    return None


def _is_environ(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"


def _text(name: ast.expr, constants: dict[str, str]) -> str:
    """Return a literal, or the constant of that name in the source."""
    if isinstance(name, ast.Constant):
        return str(name.value)
    return constants[name.attr if isinstance(name, ast.Attribute) else ast.unparse(name)]


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str() as text)):
                yield name, text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str() as text)):
                yield name, text
