"""Decide from a source's listing which files go into the image: one weight set, no copies."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import basename, dirname, join

from modelcar.errors import SelectionError
from modelcar.formats import Part, foreign, is_pickle, is_variant_folder, is_weight
from modelcar.listing import LARGE, Listing
from modelcar.remote_code import remote_code
from modelcar.values import FileRules, LeftOut, SourceFile
from modelcar.wording import line

__all__ = ["Selection", "choose", "group", "is_weight"]

_ADAPTER = "a LoRA adapter beside full weights"
_COMPANIONS = {
    "params.json": ("consolidated", "belongs to consolidated*: vLLM would pick Mistral's format"),
    "adapter_config.json": ("adapter_model", _ADAPTER),
}
_UNNAMED = "a base model that it does not name"
_TORN = "wait until the upload is complete, or pin another revision"

Reasons = dict[str, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """What goes into the image and what does not, each sorted by path; every file is in one."""

    files: tuple[SourceFile, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]


def choose(
    name: str, files: Sequence[SourceFile], rules: FileRules, read: Callable[[str], str]
) -> Selection:
    """Choose what of the repository `name` goes into the image, and say why the rest does not.

    `read` returns the text of a listed JSON file (an index or a config), none above 64 MiB.
    Raises SelectionError for an unsafe path, a torn weight set, or no set that may be chosen.
    """
    listing = Listing.of(name, files, read)
    reasons, code_warnings = _reasons(listing, rules)
    chosen = tuple(file for path, file in listing.files.items() if path not in reasons)
    left_out = (LeftOut(p, f.size, reasons[p]) for p, f in listing.files.items() if p in reasons)
    warnings = (*_unmatched(listing, rules), *_weight_warnings(chosen), *code_warnings)
    return Selection(chosen, tuple(left_out), warnings)


def group(files: Sequence[SourceFile]) -> tuple[tuple[SourceFile, ...], ...]:
    """Group files into layers: those under 64 MiB share the first, each other has its own."""
    ordered = sorted(files, key=lambda file: file.path)
    small = tuple(file for file in ordered if file.size < LARGE)
    large = tuple((file,) for file in ordered if file.size >= LARGE)
    return ((small,) if small else ()) + large


def _reasons(listing: Listing, rules: FileRules) -> tuple[Reasons, tuple[str, ...]]:
    """Return why each file that is not chosen is left out, and warnings about remote code."""
    excluded = dict.fromkeys(_matching(listing, rules.exclude), "excluded by the catalog")
    forced = _matching(listing, rules.include) - excluded.keys()
    reasons = {path: why for path in listing.files if (why := foreign(path))} | excluded
    reasons |= _weight_reasons(listing, rules, reasons, forced)
    reasons = {path: why for path, why in reasons.items() if path not in forced}
    reasons |= {p: why for p, why in _companions(listing, reasons) if p not in forced}
    unnamed, warnings = remote_code(listing, listing.files.keys() - reasons.keys())
    return reasons | dict.fromkeys(unnamed - forced, "code that no config names"), warnings


def _matching(listing: Listing, globs: Iterable[str]) -> set[str]:
    return {path for glob in globs for path in listing.files if fnmatchcase(path, glob)}


def _weight_reasons(
    listing: Listing, rules: FileRules, reasons: Reasons, forced: Collection[str]
) -> Reasons:
    """Return why weight files and indexes are left out; raise SelectionError when none is left.

    The rules decide as if nothing were forced; forced weights serve where the rules find none.
    """
    folders: dict[str, list[Part]] = defaultdict(list)
    for path in listing.files:
        if path not in reasons and (part := Part.parse(path)):
            folders[dirname(path)].append(part)
    found = dict(_not_the_model(listing, folders))
    left = {f: [part for part in folders[f] if part.path not in found] for f in sorted(folders)}
    sets = {folder: parts for folder, parts in left.items() if parts}
    listing.hold_few(sets, "weights lie")
    spare = {dirname(path) for path in forced if is_weight(path)}
    for folder, parts in sets.items():
        found |= _folder_reasons(listing, parts, rules.allow_pickle, folder in spare)
    every = reasons | found
    if not any(is_weight(path) for path in listing.files if path not in every or path in forced):
        raise _nothing_to_serve(listing, every)
    return found


def _not_the_model(
    listing: Listing, folders: Mapping[str, Sequence[Part]]
) -> Iterator[tuple[str, str]]:
    """Yield the weights that are no part of the model, whatever else lies in their folder."""
    models = {folder for folder in folders if folder and _has_config(listing, folder)}
    for folder, parts in folders.items():
        for part in parts:
            if part.stem.startswith("adapter_model"):
                yield part.path, _ADAPTER
            elif is_variant_folder(folder):
                yield part.path, "a variant; the plain file is used"
            elif folder and folder not in models:
                yield part.path, f"no config in {folder}/: not part of the model"
            elif not folder and models and "model_index.json" in listing.files:
                yield part.path, "a second copy of the weights; model_index.json names folders"


def _has_config(listing: Listing, folder: str) -> bool:
    names = map(basename, listing.in_folder(folder))
    return any(name.endswith("config.json") and name not in _COMPANIONS for name in names)


def _folder_reasons(
    listing: Listing, parts: Sequence[Part], allow_pickle: bool, spare: bool
) -> Reasons:
    """Choose one set among the parts of one folder, and return why the others are left out.

    `spare`: weights of this folder are forced in, which serve where no set may be chosen.
    """
    sets: dict[tuple[str | int | bool, ...], list[Part]] = defaultdict(list)
    for part in parts:
        sets[part.set_key].append(part)
    best, *others = sorted(sets.values(), key=_rank)
    refusal = _refusal(listing, best, others, allow_pickle)
    if refusal and not spare:
        raise refusal
    chosen = set() if refusal else _set_paths(listing, best, parts)
    beside = "other weights are forced in" if refusal else ""
    return {p.path: beside or p.reason_beside(best[0]) for p in parts if p.path not in chosen}


def _rank(parts: Sequence[Part]) -> tuple[int | bool, ...]:
    return (*parts[0].rank, _is_torn(parts), parts[0].total > 0)


def _is_torn(parts: Sequence[Part]) -> bool:
    total = parts[0].total
    whole = len(parts) == total and sorted(p.number for p in parts) == [*range(1, total + 1)]
    return total > 0 and not whole


def _refusal(
    listing: Listing, best: Sequence[Part], others: Sequence[Sequence[Part]], allow_pickle: bool
) -> SelectionError | None:
    """Return why the user must decide: the weights are pickles, or there are two sets."""
    path = best[0].path
    if best[0].pickle and not allow_pickle:
        return listing.refusal(
            f"{path} is a pickle, which runs code when loaded, and no safetensors file replaces it",
            "use a repository with safetensors or, if you trust this one, --allow-pickle"
            " (allow_pickle: true in catalog or pipeline)",
        )
    if others and _rank(best) == _rank(others[0]):
        why = f"{path} and {others[0][0].path} are two weight sets, and no index says which to use"
        return listing.refusal(why, "leave one out with --exclude, or --include both")
    return None


def _set_paths(listing: Listing, best: Sequence[Part], parts: Sequence[Part]) -> set[str]:
    """Return the files of the set `best`, with its index; raise SelectionError if one is absent."""
    first = best[0]
    if not first.index:
        if _is_torn(best):
            why = f"there is no index, and {len(best)} of {first.total} shards like {first.path}"
            raise listing.refusal(why, _TORN)
        return {part.path for part in best}
    named = _shards(listing, first.path)
    there = {part.path for part in parts if part.suffix == first.suffix and not part.index}
    if missing := sorted(named - there):
        why = f"{first.path} names {line(missing[0])}, which is not there"
        raise listing.refusal(why, _TORN)
    return named | {first.path}


def _shards(listing: Listing, index: str) -> set[str]:
    data = listing.json(index)
    shards = data.get("weight_map") if isinstance(data, dict) else None
    names = list(shards.values()) if isinstance(shards, dict) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise listing.refusal(f"{index} has no weight_map to file names", _TORN)
    for name in names:
        if "/" in name or "\\" in name:
            why = f"{index} names {name[:200]!r}, which is outside its folder"
            raise listing.refusal(why, "do not use this repository")
    return {join(dirname(index), name) for name in names}


def _nothing_to_serve(listing: Listing, reasons: Reasons) -> SelectionError:
    weights = [path for path in listing.files if is_weight(path)]
    if not weights:
        return listing.refusal("it lists no weights", "check the repository's name and revision")
    if adapters := [path for path in weights if reasons[path] == _ADAPTER]:
        return _adapter_alone(listing, adapters[0])
    if all(path.lower().endswith(".gguf") for path in weights):
        remedy = "use a repository with safetensors, or force it with --include '*.gguf'"
        return listing.refusal("its weights are GGUF only, made for llama.cpp", remedy)
    why = f"none of its weights can be used ({weights[0]}: {reasons[weights[0]]})"
    return listing.refusal(why, "use a repository with safetensors, or force files with --include")


def _adapter_alone(listing: Listing, path: str) -> SelectionError:
    config = join(dirname(path), "adapter_config.json")
    data = listing.json(config) if config in listing.files else None
    base = data.get("base_model_name_or_path") if isinstance(data, dict) else None
    told = line(base, 100) if isinstance(base, str) and base else _UNNAMED
    why = f"it is a LoRA adapter for {told}, not a model"
    return listing.refusal(
        why, f"merge it into its base model, or force it with --include '{path}'"
    )


def _companions(listing: Listing, reasons: Reasons) -> Iterator[tuple[str, str]]:
    """Yield the configs whose weights are all left out."""
    for path in listing.files:
        if path not in reasons and basename(path) in _COMPANIONS:
            prefix, why = _COMPANIONS[basename(path)]
            beside = filter(is_weight, listing.in_folder(dirname(path)))
            owners = [owner for owner in beside if basename(owner).startswith(prefix)]
            if owners and all(owner in reasons for owner in owners):
                yield path, why


def _unmatched(listing: Listing, rules: FileRules) -> Iterator[str]:
    for verb, globs in (("include", rules.include), ("exclude", rules.exclude)):
        yield from (f"{verb} {g!r} matches no file" for g in globs if not _matching(listing, (g,)))


def _weight_warnings(chosen: Sequence[SourceFile]) -> Iterator[str]:
    weights = [file.path for file in chosen if is_weight(file.path)]
    if pickles := [path for path in weights if is_pickle(path)]:
        yield f"pickle files run code when they are loaded: {', '.join(pickles)}"
    if all(dirname(path) for path in weights):
        yield "no weights lie in the root, where vLLM looks for them"
