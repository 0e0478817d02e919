"""Sources: the registry, fetching from a real server on loopback, placed files, formats of other programs."""

import os
import re
import shutil
import threading
from dataclasses import replace
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from ase import units
from examples import ROOT, water

from bornflow.config import registry
from bornflow.errors import BornflowError
from bornflow.io import frames
from bornflow.structures import download, n2p2, sources

WATER27 = ROOT.parent / "shared/data/water27"
HEADER = "name,description,structures,format,keys,files,sha256,url,page,version,licence,citation\n"


class Server(SimpleHTTPRequestHandler):
    """Files of a folder, with ranges; each file listed in `cuts` is cut once after that many bytes."""

    def do_GET(self):
        if not (self.server.folder / self.path[1:]).exists():
            self.send_error(404)
            return
        content = (self.server.folder / self.path[1:]).read_bytes()
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.server.requests.append((self.path, first))
        if first > len(content):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        self.wfile.write(content[first : self.server.cuts.pop(self.path, None)])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A server of the folder `served`, with its url."""
    (tmp_path / "served").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as found:
        found.folder, found.cuts, found.requests = tmp_path / "served", {}, []
        found.url = f"http://127.0.0.1:{found.server_address[1]}/"
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def checksum(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_the_shipped_registry_is_complete():
    found = registry.read(ROOT / "resources/sources.csv")
    assert {"water27", "bulk-water", "begdb-water", "published-labels"} <= found.keys()
    assert len(found["water27"].files) == found["water27"].structures == 15


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a b,x,1,xyz,,f,,,p,,l,c", "line 2: name 'a b'"),
        ("a,x,1.5,xyz,,f,,,p,,l,c", "line 2: structures is 1.5"),
        ("a,x,1,xyz,,,,,p,,l,c", "line 2: files is empty"),
        ("a,x,1,xyz,,f,12,,p,,l,c", "line 2: sha256 '12'"),
        ("a,x,1,xyz,,../f,,,p,,l,c", "is outside the folder"),
        ("a,x,1,xyz,,f,,http://h,p,,l,c", "does not end with /"),
        ("a,x,1,xyz,,*.xyz,,http://h/,p,,l,c", "it names one file"),
        ("a,x,1,xyz,,*.xyz," + 64 * "a" + ",,p,,l,c", "it names one file"),
        ("a,x,1,extxyz,charge=q,f,,,p,,l,c", "keys has 'charge=q'"),
        ("a,x,1,extxyz,energy=E forces=E,f,,,p,,l,c", "'forces=E' repeats a key"),
        ("a,x,1,xyz,energy=E,f,,,p,,l,c", "only extxyz files have keys"),
        ("2a,x,1,xyz,,f,,,p,,l,c", "line 2: name '2a'"),
        ("a,x,1,xyz,,f,,,p,,l,c\na,x,1,xyz,,f,,,p,,l,c", "line 3: name 'a' is there twice"),
        ("a,x,1,xyz,,,none.sha256,,p,,l,c", "none.sha256"),
    ],
)
def test_wrong_rows_are_named(tmp_path, row, message):
    path = tmp_path / "sources.csv"
    path.write_text(HEADER + row + "\n")
    with pytest.raises(BornflowError, match=message.replace("*", r"\*")):
        registry.read(path)


def test_an_interrupted_file_is_continued(tmp_path, server):
    content = np.random.default_rng(0).bytes(3 * download.PIECE)
    (server.folder / "a.xyz").write_bytes(content)
    server.cuts["/a.xyz"] = download.PIECE + 7
    path = download.fetch(server.url, "a.xyz", tmp_path / "new", checksum(content))
    assert path.read_bytes() == content
    assert server.requests == [("/a.xyz", 0), ("/a.xyz", download.PIECE)]
    assert sorted(file.name for file in path.parent.iterdir()) == ["a.xyz"]
    download.fetch(server.url, "a.xyz", tmp_path / "new", checksum(content))
    assert len(server.requests) == 2  # it is there already


def test_files_that_are_not_those_of_the_registry_are_refused(tmp_path, server, monkeypatch):
    monkeypatch.setattr(download, "RETRIES", 0)
    (server.folder / "a.xyz").write_bytes(b"damaged")
    with pytest.raises(BornflowError, match="another SHA-256 than the registry"):
        download.fetch(server.url, "a.xyz", tmp_path, checksum(b"right"))
    assert not (tmp_path / "a.xyz").exists()
    (tmp_path / "a.xyz").write_bytes(b"placed by a person")
    with pytest.raises(BornflowError, match="of another version; remove it"):
        download.fetch(server.url, "a.xyz", tmp_path, checksum(b"right"))
    assert (tmp_path / "a.xyz").read_bytes() == b"placed by a person"
    with pytest.raises(BornflowError, match=r"none.xyz cannot be fetched: 404"):
        download.fetch(server.url, "none.xyz", tmp_path, None)


def test_a_file_without_a_checksum_is_reported(tmp_path, server, caplog):
    (server.folder / "a.xyz").write_bytes(b"content")
    download.fetch(server.url, "a.xyz", tmp_path, None)
    assert checksum(b"content") in caplog.text


@pytest.mark.skipif(not WATER27.exists(), reason="the files of WATER27 are not beside the project")
@pytest.mark.parametrize("placed", [True, False])
def test_water27_is_read_from_placed_or_fetched_files(tmp_path, server, placed):
    source = registry.read(ROOT / "resources/sources.csv")["water27"]
    folder = tmp_path / "downloads" / "water27" if placed else server.folder
    for file in WATER27.glob("*.xyz"):
        (folder / file.stem).mkdir(parents=True)
        shutil.copy(file, folder / file.stem / "struc.xyz")
    source = replace(source, url=source.url if placed else server.url)
    files = sources.present_files(source, tmp_path / "downloads" / "water27")
    structures = sources.read_structures(source, files)
    assert len(structures) == 15
    names = {frames.name(atoms) for atoms in structures}
    assert {"water27-H2O20es", "water27-H2O"} <= names
    assert all(3 * atoms.symbols.count("O") == len(atoms) for atoms in structures)


def test_what_to_place_where_is_said(tmp_path):
    source = registry.read(ROOT / "resources/sources.csv")["begdb-water"]
    with pytest.raises(BornflowError, match=r"begdb-water/\*.xyz is missing.*take it from http"):
        sources.present_files(source, tmp_path / "begdb-water")


def n2p2_text(atoms, length: float = units.Bohr) -> str:
    """A structure as n2p2 writes it, in bohr and hartree."""
    lines = ["begin", "comment made by a test"]
    if atoms.pbc.any():
        lines += ["lattice " + " ".join(f"{x / length:.10f}" for x in vector) for vector in atoms.cell]
    forces = frames.label(atoms, "forces") / (units.Hartree / units.Bohr)
    for symbol, position, force in zip(atoms.symbols, atoms.positions / length, forces, strict=True):
        numbers = [*(f"{x:.10f}" for x in position), symbol, "0.0", "0.0", *(f"{x:.10f}" for x in force)]
        lines.append("atom " + " ".join(numbers))
    lines += [f"energy {frames.label(atoms, 'energy') / units.Hartree:.10f}"]
    return "\n".join([*lines, f"charge {atoms.info.get('charge', 0)}.0", "end", ""])


def shipped(count: int) -> list:
    every = frames.read(ROOT / "resources/labels/water.extxyz")
    boxes = [atoms for atoms in every if atoms.pbc.any()][:count]
    return boxes + [atoms for atoms in every if not atoms.pbc.any()][-count:]


def test_files_of_n2p2_are_read(tmp_path):
    structures = shipped(2)
    structures[-1].info["charge"] = -1
    structures[0] = structures[0][np.random.default_rng(0).permutation(96)]
    path = tmp_path / "input.data"
    structures[0] = frames.with_labels(structures[0], {"energy": -3.0, "forces": structures[0].positions})
    path.write_text("".join(map(n2p2_text, structures)))
    read = n2p2.read(path)
    assert len(read) == len(structures)
    for ours, theirs in zip(structures, read, strict=True):
        assert str(ours.symbols) == str(theirs.symbols)
        assert ours.info.get("charge") == theirs.info.get("charge")
        np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-8)
        np.testing.assert_allclose(ours.cell.array, theirs.cell.array, atol=1e-8)
        np.testing.assert_allclose(frames.label(ours, "energy"), frames.label(theirs, "energy"), atol=1e-6)
        np.testing.assert_allclose(frames.label(ours, "forces"), frames.label(theirs, "forces"), atol=1e-6)


def source_of(path, count: int, format: str = "n2p2") -> registry.Source:
    row = f"a,x,{count},{format},,{path.name},,,p,,l,c\n"
    (path.parent / "sources.csv").write_text(HEADER + row)
    return registry.read(path.parent / "sources.csv")["a"]


@pytest.mark.parametrize("length", [1.0, units.Bohr**2])
def test_other_units_of_length_are_found(tmp_path, length):
    path = tmp_path / "input.data"
    path.write_text("".join(n2p2_text(atoms, length) for atoms in shipped(1)))
    with pytest.raises(BornflowError, match=r"a-input.data-0 of source a: (atoms are closer|no two atoms)"):
        sources.read_structures(source_of(path, 2), [path])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "no `end`"),
        (lambda text: text.replace("energy", "enregy"), "line 1: the structure needs one line `energy`"),
        (lambda text: text.replace("lattice", "comment", 1), "needs three lines, or no line, `lattice`"),
        (lambda text: text.replace("end", "energy 1\nend"), "needs one line `energy`"),
        (lambda text: text.replace("end", "stress 1\nend"), "`stress` is no line"),
        (lambda text: text + "end\n", "`begin` is expected, found 'end'"),
        (lambda text: "0 " + text, "line 1: `begin` is expected"),
        (lambda text: text.replace("charge 0.0", "charge 0.4"), "charge 0.4, but an integer"),
        (lambda text: re.sub("energy .*", "energy nan", text), "1 finite numbers are expected"),
        (lambda text: re.sub("atom [^ ]*", "atom inf", text, count=1), "8 finite numbers are expected"),
        (lambda text: re.sub("lattice .*", "lattice 0 0 0", text), "has no volume|cannot be read"),
        (lambda text: re.sub("atom .*\n", "", text), "one line or more `atom`"),
        (lambda text: text + "begin\n", "no `end`"),
        (lambda text: text.replace("atom", "atom x", 1), "8 finite numbers are expected"),
        (lambda text: text + text, "2 structures found"),
    ],
)
def test_damaged_files_of_n2p2_are_named(tmp_path, change, message):
    path = tmp_path / "input.data"
    path.write_text(change(n2p2_text(shipped(1)[0])))
    with pytest.raises(BornflowError, match=message):
        sources.read_structures(source_of(path, 1), [path])


def test_formats_of_ase_keep_their_labels(tmp_path):
    atoms = water(2)
    path = tmp_path / "two.xyz"
    frames.write(path, [atoms])
    (read,) = sources.read_structures(source_of(path, 1, "extxyz"), [path])
    np.testing.assert_allclose(read.positions, atoms.positions, atol=1e-7)
    path.write_text("not a structure")
    with pytest.raises(BornflowError, match=r"two.xyz cannot be read as xyz"):
        sources.read_structures(source_of(path, 1, "xyz"), [path])
    path.write_text("1\n\nH 0 0 0\n")
    with pytest.raises(BornflowError, match="cannot be read as vasp-xyz"):
        sources.read_structures(source_of(path, 1, "vasp-xyz"), [path])


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("vasp", "not a structure"),
        ("lammps-data", "not a structure"),
        ("traj", "not a structure"),
        ("proteindatabank", ""),
        ("xyz", "2\n\nH 0 0 nan\nH 0 0 1\n"),
    ],
)
def test_faults_of_formats_of_ase_name_the_file_or_the_structure(tmp_path, format, text):
    path = tmp_path / "a.data"
    path.write_text(text)
    with pytest.raises(BornflowError, match=r"a\.data"):
        sources.read_structures(source_of(path, 1, format), [path])


def test_another_row_or_file_is_another_state(tmp_path):
    path = tmp_path / "downloads/a/a.xyz"
    path.parent.mkdir(parents=True)
    path.write_text("1\n\nH 0 0 0\n")

    def state(count: int) -> str:
        (tmp_path / "sources.csv").write_text(HEADER + f"a,x,{count},xyz,,a.xyz,,,p,,l,c\n")
        os.utime(tmp_path / "sources.csv", (0, count))
        return registry.state(tmp_path / "sources.csv", "a", tmp_path / "downloads")

    first = state(1)
    assert state(1) == first and state(2) != first
    path.write_text("1\n\nHe 0 0 0\n")
    assert state(1) != first
