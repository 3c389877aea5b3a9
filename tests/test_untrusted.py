"""What every loader refuses: whatever is no regular file of bounded size, and pickles in any disguise."""

import ast
import io
import json
import os
import pickle
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fuzz.archives import array_bytes
from fuzz.loaders import LOADERS, Certificates, Properties
from irl_ident import untrusted
from irl_ident.evidence import read

ROOT = Path(__file__).resolve().parents[1]

FILES = [name for name in LOADERS if name not in ("gymnasium-table", "imitation-trajectories", "study-results")]

FORBIDDEN = {
    *(
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "joblib.load",
        "dill.load",
        "cloudpickle.load",
        "marshal.load",
    ),
    *("marshal.loads", "pandas.read_pickle", "pd.read_pickle", "yaml.load", "yaml.unsafe_load", "shelve.open", "eval"),
    *("jsonpickle.decode", "datasets.load_from_disk", "serialize.load", "exec"),
}
CAREFUL = {"np.load": "allow_pickle", "numpy.load": "allow_pickle", "npy.read_array": "allow_pickle"}


class Payload:
    """A pickle of this touches a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return (Path.touch, (self.file,))


def refused(loader, path: Path) -> str:
    """What is said of a file that has to be refused; verdicts say it without an exception."""
    try:
        value = loader.load(path)
    except loader.documented as error:
        return str(error)
    assert value is None
    return "refused"


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def test_the_library_and_the_studies_unpickle_nothing():
    seen = 0
    for folder in ("irl_ident", "studies", "environments"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                seen += 1
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                assert called(node) not in FORBIDDEN, f"{file}:{node.lineno}"
                if called(node) in CAREFUL:
                    allowed = given.get(CAREFUL[called(node)])
                    assert isinstance(allowed, ast.Constant), f"{file}:{node.lineno}"
                    assert allowed.value is False, f"{file}:{node.lineno}"
                if called(node) == "torch.load":
                    assert ast.unparse(given["weights_only"]) == "True", f"{file}:{node.lineno}"
    assert seen > 10_000


def disguises(payload: Payload) -> dict[str, bytes]:
    """A pickle that acts when it is read, bare and in other clothes."""
    bare = pickle.dumps(payload)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as inside:
        for name in ("format", "metadata", "states", "sha256"):
            inside.writestr(f"{name}.npy", array_bytes(np.array([payload], dtype=object)))
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as inside:
        inside.writestr("data.pkl", bare)
        inside.writestr("format.npy", bare)
    line = json.dumps({"kind": "campaign", "format": bare.decode("latin-1")}).encode()
    return {
        "bare": bare,
        "array": array_bytes(np.array([payload], dtype=object)),
        "archive": archive.getvalue(),
        "torch": raw.getvalue(),
        "in JSON": line,
        "as parquet": b"PAR1" + bare + b"PAR1",
    }


@pytest.mark.parametrize("name", FILES)
def test_no_pickle_acts_in_any_disguise(name, tmp_path):
    loader, touched = LOADERS[name](), tmp_path / "touched"
    for disguise, content in disguises(Payload(touched)).items():
        path = tmp_path / "given.npz"
        path.write_bytes(content)
        said = refused(loader, path)
        assert said, disguise
        assert not touched.exists(), disguise
    pickle.loads(pickle.dumps(Payload(touched)))
    assert touched.exists()


@pytest.mark.parametrize("name", FILES)
def test_only_regular_files_are_read(name, tmp_path):
    loader = LOADERS[name]()
    os.mkfifo(tmp_path / "given.pipe")
    (tmp_path / "given.folder").mkdir()
    (tmp_path / "given.link").symlink_to(tmp_path / "given.pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.path.relpath(tmp_path / "given.socket"))
    (tmp_path / "given.device").symlink_to("/dev/zero")
    (tmp_path / "given.gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "given.empty").touch()
    for path in sorted(tmp_path.iterdir()):
        if name == "journal" and path.suffix in (".empty", ".gone"):
            continue
        said = refused(loader, path)
        assert said
        assert path.name in said or isinstance(loader, Properties | Certificates)
    listening.close()


def test_archives_that_unpack_to_more_than_is_allowed_are_not_unpacked(tmp_path, monkeypatch):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data.npy", "w") as member:
        for _ in range(5):
            member.write(bytes(1 << 20))
    path = tmp_path / "bomb.npz"
    path.write_bytes(packed.getvalue())
    monkeypatch.setattr(untrusted, "UNPACKED", 1 << 22)
    with pytest.raises(ValueError, match=r"bomb.npz: archive: says that it holds 5242880 bytes, at most 4194304"):
        read(path)


def test_archives_that_hide_what_they_unpack_to_are_damaged():
    content = array_bytes(np.zeros(100_000))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.npy", content)
    size = len(content).to_bytes(4, "little")
    assert packed.getvalue().count(size) == 2
    with pytest.raises(ValueError, match=r"damaged|size"):
        untrusted.members(packed.getvalue().replace(size, (1000).to_bytes(4, "little")))


@pytest.mark.parametrize("header", ["(10000000000000,)", "(4611686018427387904, 4)", "(-1,)", "(", "(1e3,)", "(2,)*90"])
def test_arrays_are_as_long_as_they_say(header):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {header}, }}".encode().ljust(117) + b"\n"
    content = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + bytes(64)
    with pytest.raises(ValueError, match="is no array of numbers or words"):
        untrusted.array(content)


def test_arrays_hold_nothing_but_their_entries():
    with pytest.raises(ValueError, match="are not those of"):
        untrusted.array(array_bytes(np.zeros(3)) + b"more")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b'{"a": 1, "a": 1}', "a: is given twice"),
        (b"[NaN]", "holds NaN"),
        (b"[-Infinity]", "holds -Infinity"),
        (b"[1e400]", "holds 1e400, which is too large or too small"),
        (b"[-1e-400]", "holds -1e-400, which is too large or too small"),
        (b"9" * 5000, "Exceeds the limit"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe[\0]\0", "not text in UTF-8"),
        (b"\xef\xbb\xbf[]", "BOM"),
        (b"", "is damaged or is not JSON"),
        (b"[1,]", "is damaged or is not JSON"),
    ],
)
def test_json_is_strict(text, fault):
    with pytest.raises(ValueError, match=fault):
        untrusted.parsed(text)


def test_zeros_are_numbers():
    assert untrusted.parsed(b"[0e5, -0.0, 0.00E-400, 5e-324]") == [0, 0, 0, 5e-324]
