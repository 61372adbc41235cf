"""Tessellation files of Neper (.tess): convex cells with planar faces, in two or three dimensions."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from meshes.errors import MeshError
from meshes.polycrystal_cells import ConvexGrains, Floats, Grain
from meshes.polycrystal_voronoi import triple_lines

#: Corners nearer than this share of the box are one: files have twelve digits.
_SAME = 1e-9


def read_tess(path: str | Path, unit_nm: float) -> tuple[ConvexGrains, Floats | None]:
    """Cells of a .tess file (its lengths times ``unit_nm``) and their orientations (g, 4), None if it has none.

    Format 2 and 3, https://neper.info/doc/fileformat.html: sections ``**vertex``, ``**edge``, ``**face``,
    ``**polyhedron`` (3D), ``**periodicity`` and ``*ori`` are read, the others are passed over. Periodic axes must be
    those that the file says; cells end at the surfaces of the domain along others. Faces of a regularised tessellation
    may be bent: they are taken as planes through their corners. Raises MeshError where the file is something else.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MeshError(f"{path}: cannot be read ({error})") from error
    try:
        sections = _sections(text)
        return _grains(sections, unit_nm), _orientations(sections)
    except (KeyError, IndexError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise MeshError(f"{path}: no tessellation of Neper can be read from it ({what})") from error


def _sections(text: str) -> dict[str, list[str]]:
    """Words of every section, by "section" or "section/part"."""
    found: dict[str, list[str]] = {}
    major, key = "", ""
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0].startswith("**"):
            major = key = words[0].lstrip("*")
            words = words[1:]
        elif words[0].startswith("*"):
            key = f"{major}/{words[0][1:]}"
            words = words[1:]
        found.setdefault(key, []).extend(words)
    if "tess" not in found:
        raise ValueError("it does not begin with ***tess")
    return found


def _grains(sections: dict[str, list[str]], unit_nm: float) -> ConvexGrains:
    dim = int(sections["general"][0])
    if dim not in (2, 3):
        raise ValueError(f"its dimension is {dim}, 2 or 3 is needed")
    count = int(sections["cell"][0])
    words = sections["vertex"]
    table = np.array(words[1 : 1 + 5 * int(words[0])], dtype=float).reshape(-1, 5)
    place = dict(zip(table[:, 0].astype(int).tolist(), table[:, 1 : 1 + dim] * unit_nm, strict=True))
    faces = _edges(sections["edge"]) if dim == 2 else _faces(sections["face"])
    cells = _polygons(sections["face"]) if dim == 2 else _polyhedra(sections["polyhedron"])
    if len(cells) != count:
        raise ValueError(f"{len(cells)} cells where {count} are announced")
    wraps, root = (False, False, False), {number: number for number in faces}
    period: Floats | None = None
    periodicity = next((name for name in ("periodicity", "periodic") if f"{name}/general" in sections), None)
    if periodicity:
        general = sections[f"{periodicity}/general"]
        wraps = (general[0] == "1", general[1] == "1", general[2] == "1")
        period = np.array(general[3:6], dtype=float) * unit_nm
        words = sections.get(f"{periodicity}/{'edge' if dim == 2 else 'face'}", ["0"])
        for row in np.array(words[1 : 1 + 6 * int(words[0])], dtype=int).reshape(-1, 6).tolist():
            root[row[0]] = row[1]
    low, high = _domain(sections, place, unit_nm, dim)
    size = high - low
    if period is not None:
        size = np.where(wraps[:dim], period[:dim], size)
    periodic = wraps[:dim]
    return _convex(cells, faces, root, {k: p - low for k, p in place.items()}, size, periodic)


def _domain(
    sections: dict[str, list[str]], place: dict[int, Floats], unit_nm: float, dim: int
) -> tuple[Floats, Floats]:
    """Ends of the box of the domain's corners, or of the tessellation's without them."""
    words = sections.get("domain/vertex", ["0"])
    corners, at = [], 1
    for _ in range(int(words[0])):
        corners.append(np.array(words[at + 1 : at + 1 + dim], dtype=float) * unit_nm)
        at += 5
        at += 1 + int(words[at])
    points = np.array(corners or list(place.values()))
    return points.min(axis=0), points.max(axis=0)


def _edges(words: list[str]) -> dict[int, tuple[int, ...]]:
    rows = np.array(words[1 : 1 + 4 * int(words[0])], dtype=int).reshape(-1, 4).tolist()
    return {row[0]: (row[1], row[2]) for row in rows}


def _faces(words: list[str]) -> dict[int, tuple[int, ...]]:
    """Corners of each face, in order around it."""
    found, at = {}, 1
    for _ in range(int(words[0])):
        number, corners = int(words[at]), int(words[at + 1])
        found[number] = tuple(map(int, words[at + 2 : at + 2 + corners]))
        at += 2 + corners
        at += 1 + int(words[at])  # its edges
        at += 4 + 5  # its plane; its state and the point it was interpolated from
    return found


def _polygons(words: list[str]) -> list[list[int]]:
    """Edges of each face: the cells in two dimensions."""
    found, at = [], 1
    for _ in range(int(words[0])):
        at += 2 + int(words[at + 1])
        edges = int(words[at])
        found.append([abs(int(word)) for word in words[at + 1 : at + 1 + edges]])
        at += 1 + edges + 4 + 5
    return found


def _polyhedra(words: list[str]) -> list[list[int]]:
    """Faces of each polyhedron."""
    found, at = [], 1
    for _ in range(int(words[0])):
        faces = int(words[at + 1])
        found.append([abs(int(word)) for word in words[at + 2 : at + 2 + faces]])
        at += 2 + faces
    return found


def _convex(
    cells: list[list[int]],
    faces: dict[int, tuple[int, ...]],
    root: dict[int, int],
    place: dict[int, Floats],
    size: Floats,
    periodic: tuple[bool, ...],
) -> ConvexGrains:
    dim = size.size
    beside: dict[int, list[int]] = {}
    for cell, own in enumerate(cells):
        for face in own:
            beside.setdefault(root[face], []).append(cell)
    pairs = sorted({tuple(sorted(both)) for both in beside.values() if len(both) == 2})
    if any(a == b for a, b in pairs):
        raise ValueError("a cell is its own neighbour across the period")
    number = {pair: k for k, pair in enumerate(pairs)}
    grains, volume = [], np.zeros(len(cells))
    same = _SAME * float(size.max())
    for cell, own in enumerate(cells):
        points = np.array([place[k] for k in sorted({k for face in own for k in faces[face]})])
        inside = points.mean(axis=0)
        measured = [_plane(np.array([place[k] for k in faces[face]]), inside) for face in own]
        parts = [area * height / dim for _, height, area, _ in measured]
        volume[cell] = sum(parts)
        weighted = [part * dim / (dim + 1) * middle for part, (_, _, _, middle) in zip(parts, measured, strict=True)]
        centre = inside + np.sum(weighted, axis=0) / volume[cell]
        inner = [k for k, face in enumerate(own) if len(beside[root[face]]) == 2]
        normal = np.array([measured[k][0] for k in inner]).reshape(-1, dim)
        corners = tuple(np.array([place[n] for n in faces[own[k]]]) - centre for k in inner)
        grains.append(
            Grain(
                centre=centre,
                normal=normal,
                offset=np.array([measured[k][1] for k in inner]) - normal @ (centre - inside),
                boundary=np.array([number[_both(beside[root[own[k]]])] for k in inner], dtype=np.int64),
                corners=corners,
                lines=triple_lines(corners, dim, same),
            )
        )
    return ConvexGrains(size, periodic, tuple(grains), np.array(pairs, dtype=np.int64).reshape(-1, 2), volume)


def _both(cells: list[int]) -> tuple[int, ...]:
    return tuple(sorted(cells))


def _plane(corners: Floats, inside: Floats) -> tuple[Floats, float, float, Floats]:
    """Outward normal, height over the point ``inside``, area and centroid relative to it, of a face's corners."""
    local = corners - inside
    if corners.shape[1] == 2:
        along = local[1] - local[0]
        area = float(np.linalg.norm(along))
        normal = np.array([-along[1], along[0]]) / area
        middle = local.mean(axis=0)
    else:
        about = local - local.mean(axis=0)
        after = np.roll(about, -1, axis=0)
        vector = 0.5 * np.cross(about, after).sum(axis=0)
        area = float(np.linalg.norm(vector))
        normal = vector / area
        part = 0.5 * np.cross(about, after) @ normal
        middle = local.mean(axis=0) + part @ (about + after) / (3.0 * part.sum())
    height = float(local.mean(axis=0) @ normal)
    return (normal, height, area, middle) if height >= 0.0 else (-normal, -height, area, middle)


def _orientations(sections: dict[str, list[str]]) -> Floats | None:
    """Orientations (g, 4) that turn vectors of the crystal into those of the sample, as Neper's active convention."""
    words = sections.get("cell/ori")
    if not words:
        return None
    kind, _, convention = words[0].partition(":")
    numbers = np.array(words[1:], dtype=float)
    if kind == "rodrigues":
        vectors = numbers.reshape(-1, 3)
        turned = Rotation.from_quat(np.column_stack([vectors, np.ones(len(vectors))]))
    elif kind == "quaternion":
        turned = Rotation.from_quat(np.roll(numbers.reshape(-1, 4), -1, axis=1))
    elif kind == "euler-bunge":
        turned = Rotation.from_euler("ZXZ", numbers.reshape(-1, 3), degrees=True)
    else:
        raise ValueError(f"orientations as {kind!r}; rodrigues, quaternion and euler-bunge are read")
    return np.asarray((turned.inv() if convention == "passive" else turned).as_quat())
