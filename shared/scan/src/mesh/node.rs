//! The nodes of a glTF scene and where they put their meshes.

use super::Builder;
use super::document::{Document, Node};
use crate::ScanError;

/// An affine map: three rows of four.
pub(crate) type Affine = [[f64; 4]; 3];

const IDENTITY: Affine = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
];

pub(crate) fn apply(m: &Affine, p: [f32; 3]) -> [f32; 3] {
    let p = p.map(f64::from);
    m.map(|r| (r[0] * p[0] + r[1] * p[1] + r[2] * p[2] + r[3]) as f32)
}

/// Whether a map turns counter-clockwise triangles clockwise.
pub(crate) fn mirrors(m: &Affine) -> bool {
    let [a, b, c] = m;
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
        < 0.0
}

fn product(a: &Affine, b: &Affine) -> Affine {
    a.map(|row| {
        let mut out = [0.0; 4];
        for (column, value) in out.iter_mut().enumerate() {
            *value = (0..3).map(|k| row[k] * b[k][column]).sum();
        }
        out[3] += row[3];
        out
    })
}

fn local(out: &Builder, index: u32, node: &Node) -> Result<Affine, ScanError> {
    let fault = |reason: &str| out.broken(format!("node {index} {reason}"));
    let split = node.translation.is_some() || node.rotation.is_some() || node.scale.is_some();
    if let Some(m) = node.matrix {
        if split {
            return Err(fault("has a matrix and its parts"));
        }
        if m[3].abs() + m[7].abs() + m[11].abs() + (m[15] - 1.0).abs() > 1e-6 {
            return Err(fault("has a matrix that is not affine"));
        }
        // Columns in the file, rows here.
        return Ok([0, 1, 2].map(|r| [m[r], m[r + 4], m[r + 8], m[r + 12]]));
    }
    let t = node.translation.unwrap_or_default();
    let s = node.scale.unwrap_or([1.0; 3]);
    let [x, y, z, w] = node.rotation.unwrap_or([0.0, 0.0, 0.0, 1.0]);
    let length = (x * x + y * y + z * z + w * w).sqrt();
    if (length - 1.0).abs() > 1e-2 {
        return Err(fault("has a rotation that is not a unit quaternion"));
    }
    let [x, y, z, w] = [x, y, z, w].map(|v| v / length);
    let rotation = [
        [
            1.0 - 2.0 * (y * y + z * z),
            2.0 * (x * y - z * w),
            2.0 * (x * z + y * w),
        ],
        [
            2.0 * (x * y + z * w),
            1.0 - 2.0 * (x * x + z * z),
            2.0 * (y * z - x * w),
        ],
        [
            2.0 * (x * z - y * w),
            2.0 * (y * z + x * w),
            1.0 - 2.0 * (x * x + y * y),
        ],
    ];
    Ok([0, 1, 2].map(|i| {
        let r = rotation[i];
        [r[0] * s[0], r[1] * s[1], r[2] * s[2], t[i]]
    }))
}

/// Every mesh of the scene with its map, in the order of the tree. A document without
/// nodes places each mesh once.
pub(crate) fn placed_meshes(
    out: &Builder,
    document: &Document<'_>,
) -> Result<Vec<(u32, Affine)>, ScanError> {
    let nodes = &document.nodes.0;
    if nodes.is_empty() {
        let meshes = 0..document.meshes.0.len() as u32;
        return Ok(meshes.map(|mesh| (mesh, IDENTITY)).collect());
    }
    let scenes = &document.scenes.0;
    let roots: Vec<u32> = match (document.scene, scenes.first()) {
        (Some(index), _) => scenes
            .get(index as usize)
            .ok_or_else(|| out.no_such("scene", index.into(), scenes.len()))?
            .nodes
            .0
            .clone(),
        (None, Some(first)) => first.nodes.0.clone(),
        (None, None) => {
            let mut is_child = vec![false; nodes.len()];
            for &child in nodes.iter().flat_map(|n| &n.children.0) {
                if let Some(flag) = is_child.get_mut(child as usize) {
                    *flag = true;
                }
            }
            (0..nodes.len() as u32)
                .filter(|&i| !is_child[i as usize])
                .collect()
        }
    };
    let mut placed = Vec::new();
    let mut seen = vec![false; nodes.len()];
    let mut stack: Vec<(u32, Affine)> = roots.iter().rev().map(|&i| (i, IDENTITY)).collect();
    while let Some((index, parent)) = stack.pop() {
        let node = nodes
            .get(index as usize)
            .ok_or_else(|| out.no_such("node", index.into(), nodes.len()))?;
        // The format demands trees; a node met twice could also be a circle.
        if std::mem::replace(&mut seen[index as usize], true) {
            return Err(out.broken(format!("node {index} has two parents")));
        }
        let map = product(&parent, &local(out, index, node)?);
        if map.iter().flatten().any(|v| !v.is_finite()) {
            return Err(out.broken(format!("node {index} has a map that is not finite")));
        }
        if let Some(mesh) = node.mesh {
            if node.skin.is_some() {
                return Err(out.feature("a skinned mesh"));
            }
            placed.push((mesh, map));
        }
        stack.extend(node.children.0.iter().rev().map(|&child| (child, map)));
    }
    Ok(placed)
}
