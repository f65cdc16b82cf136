"""A trained model as a folder without pickle: LightGBM text models, JSON, and a manifest.

``manifest.json`` names every file with its SHA-256, the library versions and what the model was
made from; ``digest`` covers all of it.  A folder that was changed, cut short or made by something
else refuses to load, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import lightgbm as lgb

MANIFEST = "manifest.json"
FORMAT = "imr-model"
FORMAT_VERSION = 3
DIGEST_DIGITS = 16
LIBRARIES = ("lightgbm", "numpy", "pandas", "scipy")

Reason = Literal["missing", "foreign", "truncated", "tampered", "incompatible"]


class BundleError(Exception):
    """A model folder that must not be used; ``reason`` is a short code, the message one line."""

    def __init__(self, folder: str | Path, reason: Reason, message: str, remedy: str) -> None:
        self.folder, self.reason, self.remedy = str(folder), reason, remedy
        super().__init__(f"{folder}: {message} ({remedy})")


@dataclass
class Bundle:
    """The contents of a model folder.

    ``documents``: name -> plain data (``<name>.json``); ``boosters``: name -> trees
    (``<name>_00.txt`` …); ``about``: what the model was made from, free of machine names.
    """

    documents: dict[str, Any]
    boosters: dict[str, list[lgb.Booster]]
    about: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


def save(bundle: Bundle, folder: str | Path) -> str:
    """Write the folder, whole or not at all; the digest of what was written.

    A folder that already holds a model is replaced; any other non-empty folder is left alone
    (BundleError ``foreign``).
    """
    target = Path(folder)
    if target.exists() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise BundleError(target, "foreign", "holds something else than a model", "name a new one")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".{target.name}.{secrets.token_hex(8)}"
    draft.mkdir()
    try:
        digest = _write(bundle, draft)
        if target.exists():
            shutil.rmtree(target)
        os.replace(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return digest


def load(folder: str | Path) -> Bundle:
    """Read and check a model folder; raises :class:`BundleError`."""
    import lightgbm as lgb

    root = Path(folder)
    manifest = _manifest(root)
    contents = {name: _checked(root, name, sha) for name, sha in manifest["files"].items()}
    bundle = Bundle({}, {}, manifest["about"], manifest["digest"])
    for name, content in sorted(contents.items()):
        stem, _, ending = name.rpartition(".")
        if ending == "json":
            bundle.documents[stem] = json.loads(content)
        else:
            trees = bundle.boosters.setdefault(stem.rpartition("_")[0], [])
            trees.append(lgb.Booster(model_str=content.decode()))
    return bundle


def model_address(name: str, digest: str) -> str:
    """What a model is called in results: ``models:/imr/3#sha256=0123456789abcdef``.

    ``name`` is the address it was loaded by, with the registry's version and not an alias.
    """
    return f"{name}#sha256={digest[:DIGEST_DIGITS]}"


def digest_of(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over the manifest without its own digest, and so over every file."""
    body = {key: value for key, value in manifest.items() if key != "digest"}
    return sha256(_json(body))


def _write(bundle: Bundle, folder: Path) -> str:
    files = {f"{name}.json": _json(data) for name, data in bundle.documents.items()}
    for name, members in bundle.boosters.items():
        for number, booster in enumerate(members):
            files[f"{name}_{number:02d}.txt"] = booster.model_to_string().encode()
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "libraries": {name: version(name) for name in LIBRARIES},
        "about": bundle.about,
        "files": {name: sha256(content) for name, content in sorted(files.items())},
    }
    manifest["digest"] = digest_of(manifest)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(_json(manifest))
    return str(manifest["digest"])


def _manifest(root: Path) -> dict[str, Any]:
    if not root.is_dir():
        raise BundleError(root, "missing", "no such model folder", "train one with imr train")
    try:
        manifest = json.loads((root / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise BundleError(
            root, "foreign", f"has no {MANIFEST}: not a model folder", "train one with imr train"
        ) from None
    except ValueError:
        raise BundleError(root, "truncated", f"{MANIFEST} is not whole", "copy it again") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(root, "foreign", "made by something else", "train one with imr train")
    if manifest.get("digest") != digest_of(manifest):
        raise BundleError(root, "tampered", f"{MANIFEST} was changed", "copy or train it again")
    if manifest["format_version"] != FORMAT_VERSION:
        message = f"format {manifest['format_version']}, this program reads {FORMAT_VERSION}"
        raise BundleError(root, "incompatible", message, "train it again")
    made, here = manifest["libraries"]["lightgbm"], version("lightgbm")
    if made.split(".")[0] != here.split(".")[0]:
        message = f"made with lightgbm {made}, installed is {here}"
        raise BundleError(root, "incompatible", message, f"install lightgbm {made} or train again")
    return manifest


def _checked(root: Path, name: str, expected: str) -> bytes:
    path = root / name
    if Path(name).name != name or not path.is_file():
        raise BundleError(root, "truncated", f"{name} is missing", "copy it again")
    content = path.read_bytes()
    if sha256(content) != expected:
        raise BundleError(root, "tampered", f"{name} was changed", "copy or train it again")
    return content


def _json(data: Any) -> bytes:
    text = json.dumps(
        data, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False, default=_plain
    )
    return text.encode() + b"\n"


def _plain(value: Any) -> Any:
    """Arrays, sets and the fields of a dataclass as JSON holds them."""
    if isinstance(value, frozenset):
        return sorted(value)
    return value.tolist() if hasattr(value, "tolist") else asdict(value)


def sha256(content: str | bytes) -> str:
    """The digest of a text or of bytes, in hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
