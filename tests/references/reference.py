"""What OpenCV, scikit-image, SciPy and libigl compute from real pictures and a real head.

    reference.py DATA OUT

Each array goes to OUT as two little-endian u32 (rows, columns) and the numbers as f32.
"""

import json
import struct
import sys
from pathlib import Path

import cv2
import igl
import numpy as np
from scipy import ndimage
from skimage import color, feature, io, measure

data, out = map(Path, sys.argv[1:])
out.mkdir(parents=True, exist_ok=True)


def write(name, array):
    array = np.atleast_2d(np.asarray(array))
    head = struct.pack("<2I", *array.shape)
    (out / name).write_bytes(head + array.astype("<f4").tobytes())


def lines():
    """Hessian eigenvalues of the vessels of a retina, which are dark lines."""
    green = io.imread(data / "ridges/retina.jpg")[300:812, 300:900, 1]
    depth = 1.0 - green.astype(np.float64) / 255.0
    write("lines_depth", depth)
    for sigma in (2.0, 4.0):
        hessian = feature.hessian_matrix(
            depth, sigma, mode="nearest", order="rc", use_gaussian_derivatives=True
        )
        larger, smaller = feature.hessian_matrix_eigvals(hessian)
        write(f"lines_across_{sigma:.0f}", smaller * sigma**2)
        write(f"lines_along_{sigma:.0f}", larger * sigma**2)
    # Components of what is dark, diagonal neighbours included, by two libraries.
    mask = ndimage.gaussian_filter(depth, 2.0) - ndimage.gaussian_filter(depth, 12.0) > 0.02
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    again = measure.label(mask, connectivity=2)
    assert count - 1 == again.max(), (count - 1, again.max())
    assert len(np.unique(labels.astype(np.int64) * count + again)) == count
    write("components", labels)


def blobs():
    """The scale-normalised Laplacian of Gaussian of a photographed face."""
    grey = color.rgb2gray(io.imread(data / "face_photos/astronaut.png")[..., :3])
    write("blobs_depth", 1.0 - grey)
    for sigma in (2.0, 5.0):
        # To eight standard deviations: at SciPy's four the tails cut off are 1 % of it.
        response = -(sigma**2) * ndimage.gaussian_laplace(
            1.0 - grey, sigma, mode="nearest", truncate=8.0
        )
        write(f"blobs_response_{sigma:.0f}", response)


def colours():
    """CIELAB of a photograph's pixels and CIEDE2000 of neighbours in a list of them."""
    rgb = io.imread(data / "face_photos/astronaut.png")[..., :3].reshape(-1, 3)[::97]
    lab = color.rgb2lab(rgb[None])[0]
    opencv = cv2.cvtColor((rgb[None] / 255.0).astype(np.float32), cv2.COLOR_RGB2Lab)[0]
    # OpenCV interpolates in tables.
    assert np.abs(lab - opencv).max() < 0.5, np.abs(lab - opencv).max()
    write("colours_rgb", rgb)
    write("colours_lab", lab)
    # The list is rounded as it is written, so that both compute from the same colours.
    rounded = lab.astype(np.float32).astype(np.float64)
    write("colours_de00", color.deltaE_ciede2000(rounded[:-1], rounded[1:]))


def head():
    """Mean curvature of a scanned head in 1/mm."""
    blob = (data / "heads/lee_perry_smith/LeePerrySmith.glb").read_bytes()
    length = struct.unpack_from("<I", blob, 12)[0]
    gltf = json.loads(blob[20 : 20 + length])
    body = blob[20 + length + 8 :]
    primitive = gltf["meshes"][0]["primitives"][0]

    def accessor(index, kind, width):
        a = gltf["accessors"][index]
        view = gltf["bufferViews"][a["bufferView"]]
        start = view.get("byteOffset", 0) + a.get("byteOffset", 0)
        return np.frombuffer(body, kind, a["count"] * width, start).reshape(-1, width)

    millimetres = 50.35
    points = accessor(primitive["attributes"]["POSITION"], "<f4", 3) * np.float32(millimetres)
    kind = {5123: "<u2", 5125: "<u4"}[gltf["accessors"][primitive["indices"]]["componentType"]]
    corners = accessor(primitive["indices"], kind, 1).reshape(-1, 3).astype(np.int64)
    # One point a place: the seams of the texture are no borders of the head.
    points, place = np.unique(points, axis=0, return_inverse=True)
    corners = place.reshape(-1)[corners]
    distinct = (
        (corners[:, 0] != corners[:, 1])
        & (corners[:, 1] != corners[:, 2])
        & (corners[:, 2] != corners[:, 0])
    )
    corners = corners[distinct]
    v = points.astype(np.float64)
    laplacian = igl.cotmatrix(v, corners)
    mass = igl.massmatrix(v, corners, igl.MASSMATRIX_TYPE_VORONOI).diagonal()
    normals = igl.per_vertex_normals(v, corners)
    inner = np.ones(len(v), bool)
    inner[np.unique(igl.boundary_facets(corners)[0])] = False
    with np.errstate(divide="ignore", invalid="ignore"):
        curvature = -0.5 * ((laplacian @ v) * normals).sum(1) / mass
    usable = inner & np.isfinite(curvature)
    write("head_points", points)
    write("head_corners", corners)
    write("head_usable", usable)
    write("head_curvature", np.where(usable, curvature, 0.0))


for step in (lines, blobs, colours, head):
    step()
    print(step.__doc__.splitlines()[0], flush=True)
