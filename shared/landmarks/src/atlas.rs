//! The labels of the canonical atlas, drawn once a process.

use std::sync::OnceLock;

use dermalia_findings::Region;
use dermalia_surface::{Mesh, NO_TRIANGLE, Vec3, add, dot, norm, rasterize_uv, scale, sub};

use crate::canonical::canonical;
use crate::label::{Label, Mask};
use crate::polygons::{folds, mask_polygons, region_polygons};

/// Pixels a side; one is about 0.17 mm on the face, far below what landmarks repeat to.
const SIDE: usize = 1024;
/// Hairs leave the outline of the brow; a band of this width belongs to it.
const BROW_MARGIN_MM: f32 = 3.0;
/// The part of the cheek that belongs to the fold.
const FOLD_MARGIN_MM: f32 = 3.0;

/// The label at a coordinate of the canonical atlas (v up).
pub(crate) fn label(uv: [f32; 2]) -> Label {
    let (x, y) = (uv[0] * SIDE as f32, (1.0 - uv[1]) * SIDE as f32);
    // A NaN fails the comparison too.
    if !(x >= 0.0 && y >= 0.0 && x < SIDE as f32 && y < SIDE as f32) {
        return Label::OUTSIDE;
    }
    labels()[y as usize * SIDE + x as usize]
}

/// The one label of all coordinates between two corners; `None` where there may be more.
pub(crate) fn one_label(low: [f32; 2], high: [f32; 2]) -> Option<Label> {
    let side = SIDE as f32;
    let corner = |uv: [f32; 2]| [uv[0] * side, (1.0 - uv[1]) * side];
    let ([left, bottom], [right, top]) = (corner(low), corner(high));
    if right < 0.0 || left >= side || bottom < 0.0 || top >= side {
        return Some(Label::OUTSIDE);
    }
    if !(left >= 0.0 && top >= 0.0 && right < side && bottom < side) {
        return None;
    }
    let block = |px: f32| px as usize / BLOCK;
    let blocks = blocks();
    let first = blocks[block(top) * BLOCKS + block(left)]?;
    for y in block(top)..=block(bottom) {
        let row = &blocks[y * BLOCKS + block(left)..=y * BLOCKS + block(right)];
        if row.iter().any(|b| *b != Some(first)) {
            return None;
        }
    }
    Some(first)
}

/// Pixels a side of a block, and blocks a side of the raster.
const BLOCK: usize = 4;
const BLOCKS: usize = SIDE / BLOCK;

/// The label of each block that has but one.
fn blocks() -> &'static [Option<Label>] {
    static BLOCKS_OF: OnceLock<Vec<Option<Label>>> = OnceLock::new();
    BLOCKS_OF.get_or_init(|| {
        let labels = labels();
        (0..BLOCKS * BLOCKS)
            .map(|i| {
                let from = i / BLOCKS * BLOCK * SIDE + i % BLOCKS * BLOCK;
                let first = labels[from];
                let same = |row: usize| {
                    let from = from + row * SIDE;
                    labels[from..from + BLOCK].iter().all(|l| *l == first)
                };
                (0..BLOCK).all(same).then_some(first)
            })
            .collect()
    })
}

fn labels() -> &'static [Label] {
    static LABELS: OnceLock<Vec<Label>> = OnceLock::new();
    LABELS.get_or_init(draw)
}

#[derive(Clone, Copy, Default)]
struct Parts {
    region: Option<Region>,
    mask: Option<Mask>,
}

fn draw() -> Vec<Label> {
    let mesh = canonical().mesh();
    let raster = rasterize_uv(&mesh, SIDE, SIDE);
    let mut parts = vec![Parts::default(); SIDE * SIDE];
    // Nasolabial polygons come last and so take their share of perioral.
    for (region, corners) in region_polygons() {
        fill(&mesh, &corners, |px| parts[px].region = Some(region));
    }
    let near = |px: usize, chain: &[Vec3], margin: f32| {
        position(&mesh, raster.triangle[px], px).is_some_and(|p| {
            chain
                .windows(2)
                .any(|s| to_segment(p, s[0], s[1]) <= margin)
        })
    };
    for (region, chain) in folds() {
        let line: Vec<Vec3> = chain.iter().map(|&i| mesh.positions[i]).collect();
        around(&mesh, &chain, |px| {
            // The nose ends at its wing.
            if parts[px].region != Some(Region::Nose) && near(px, &line, FOLD_MARGIN_MM) {
                parts[px].region = Some(region);
            }
        });
    }
    for (mask, corners) in mask_polygons() {
        fill(&mesh, &corners, |px| parts[px].mask = Some(mask));
        if mask == Mask::Brow {
            let outline: Vec<Vec3> = corners
                .iter()
                .chain(corners.first())
                .map(|&i| mesh.positions[i])
                .collect();
            around(&mesh, &corners, |px| {
                if parts[px].mask.is_none() && near(px, &outline, BROW_MARGIN_MM) {
                    parts[px].mask = Some(mask);
                }
            });
        }
    }
    parts
        .iter()
        .zip(&raster.triangle)
        .map(|(p, &t)| match t {
            NO_TRIANGLE => Label::OUTSIDE,
            _ => Label::new(p.region, p.mask),
        })
        .collect()
}

/// Landmarks as pixels of the label raster.
fn corners_px(mesh: &Mesh, corners: &[usize]) -> Vec<[f32; 2]> {
    let side = SIDE as f32;
    corners
        .iter()
        .map(|&i| [mesh.uvs[i][0] * side, (1.0 - mesh.uvs[i][1]) * side])
        .collect()
}

/// Calls `paint` for each pixel whose middle is inside of the polygon (even-odd).
fn fill(mesh: &Mesh, corners: &[usize], mut paint: impl FnMut(usize)) {
    let polygon = corners_px(mesh, corners);
    for y in 0..SIDE {
        let middle = y as f32 + 0.5;
        let mut crossings: Vec<f32> = polygon
            .iter()
            .zip(polygon.iter().cycle().skip(1))
            .filter(|(a, b)| (a[1] > middle) != (b[1] > middle))
            .map(|(a, b)| a[0] + (middle - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
            .collect();
        crossings.sort_by(f32::total_cmp);
        for pair in crossings.chunks_exact(2) {
            let from = (pair[0] - 0.5).ceil().max(0.0) as usize;
            let to = (pair[1] - 0.5).ceil().clamp(0.0, SIDE as f32) as usize;
            for x in from..to {
                paint(y * SIDE + x);
            }
        }
    }
}

/// Calls `visit` for each pixel of the box around landmarks, with room for any margin.
fn around(mesh: &Mesh, corners: &[usize], mut visit: impl FnMut(usize)) {
    let points = corners_px(mesh, corners);
    let room = SIDE as f32 / 20.0;
    let range = |k: usize| {
        let lo = points.iter().map(|p| p[k]).fold(f32::INFINITY, f32::min) - room;
        let hi = points.iter().map(|p| p[k]).fold(0.0, f32::max) + room;
        (lo.max(0.0) as usize)..(hi.min(SIDE as f32) as usize)
    };
    for y in range(1) {
        for x in range(0) {
            visit(y * SIDE + x);
        }
    }
}

/// The point of the canonical face at a pixel's middle.
fn position(mesh: &Mesh, triangle: u32, px: usize) -> Option<Vec3> {
    if triangle == NO_TRIANGLE {
        return None;
    }
    let at = [
        ((px % SIDE) as f32 + 0.5) / SIDE as f32,
        1.0 - ((px / SIDE) as f32 + 0.5) / SIDE as f32,
    ];
    let weights = weights_2d(mesh.uv_corners(triangle as usize), at)?;
    Some(mesh.point(triangle as usize, weights))
}

/// Barycentric weights of a point in the plane; `None` for a triangle without area.
pub(crate) fn weights_2d(q: [[f32; 2]; 3], at: [f32; 2]) -> Option<Vec3> {
    let (ax, ay) = (q[1][0] - q[0][0], q[1][1] - q[0][1]);
    let (bx, by) = (q[2][0] - q[0][0], q[2][1] - q[0][1]);
    let (px, py) = (at[0] - q[0][0], at[1] - q[0][1]);
    let det = ax * by - bx * ay;
    if det == 0.0 || !det.is_finite() {
        return None;
    }
    let (v, w) = ((px * by - bx * py) / det, (ax * py - px * ay) / det);
    Some([1.0 - v - w, v, w])
}

fn to_segment(p: Vec3, a: Vec3, b: Vec3) -> f32 {
    let along = sub(b, a);
    let length2 = dot(along, along);
    let t = if length2 > 0.0 {
        (dot(sub(p, a), along) / length2).clamp(0.0, 1.0)
    } else {
        0.0
    };
    norm(sub(p, add(a, scale(along, t))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_have_one_label_has_it_everywhere() {
        let (mut one, mut more) = (0, 0);
        for k in 0..20_000_u32 {
            let at = [k * 7919 % 1200, k * 104_729 % 1201].map(|v| v as f32 / 1100.0 - 0.05);
            let size = (k % 13) as f32 / 1300.0;
            let high = at.map(|v| v + size);
            let Some(said) = one_label(at, high) else {
                more += 1;
                continue;
            };
            one += 1;
            for i in 0..=8 {
                for j in 0..=8 {
                    let uv = [at[0] + size * i as f32 / 8.0, at[1] + size * j as f32 / 8.0];
                    let uv = [uv[0].min(high[0]), uv[1].min(high[1])];
                    assert_eq!(label(uv), said, "{at:?} {size}");
                }
            }
        }
        assert!(one > 10_000 && more > 1000, "{one} {more}");
        assert_eq!(one_label([f32::NAN; 2], [0.5; 2]), None);
    }
}
