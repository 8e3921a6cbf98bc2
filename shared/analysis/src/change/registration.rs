//! The earlier surface brought onto the later one: landmarks, then ICP.

use dermalia_findings::Region;
use dermalia_landmarks::{FaceMap, Tree};
use dermalia_surface::{Mesh, Vec3};
use rayon::prelude::*;
use serde::Serialize;

use super::ChangeError;
use super::rigid::{Rigid, V3, cross, distance, dot, mean, solve6, sub};
use crate::Analysis;

/// Regions that expression moves least.
const STABLE: [Region; 5] = [
    Region::Forehead,
    Region::Glabella,
    Region::Nose,
    Region::CheekLeft,
    Region::CheekRight,
];
/// Points of the earlier surface that are brought onto the later one.
const MOST_POINTS: usize = 4000;
const LEAST_POINTS: usize = 100;
/// Of the points that are near, this share counts: the rest is what has really changed,
/// or is not there.
const KEPT: f64 = 0.8;
/// A counterpart is sought within this.
const REACH_MM: f32 = 12.0;
/// Sheets whose normals differ more (as a cosine) are not the same.
const LEAST_AGREEMENT: f64 = 0.5;
const MOST_STEPS: usize = 60;
/// Residual of the kept points, as a root mean square, from which two scans are not
/// compared: about twice what whole-face meshes of one resting face repeat to
/// (0.15-0.26 mm, PubMed 29360971).
pub(super) const MOST_RESIDUAL_MM: f64 = 0.5;
/// Share of the points that need a counterpart.
const LEAST_OVERLAP: f64 = 0.6;

/// How the earlier surface was brought onto the later one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Registration {
    /// Rotation of the earlier scan's frame into the later one's, row by row.
    pub rotation: [[f64; 3]; 3],
    /// Shift after the rotation.
    pub shift_mm: [f64; 3],
    /// Angle of the rotation.
    pub angle_deg: f64,
    /// How far the middle of the face moved.
    pub moved_mm: f64,
    /// Root mean square distance of the kept points from the later surface.
    pub residual_mm: f64,
    /// Points of the earlier surface that were used.
    pub points: usize,
    /// The share of them that have a counterpart.
    pub overlap: f64,
}

impl Registration {
    pub(super) fn motion(&self) -> Rigid {
        Rigid {
            rotation: self.rotation,
            shift: self.shift_mm,
        }
    }
}

pub(super) fn wide(p: Vec3) -> V3 {
    p.map(f64::from)
}

pub(super) fn narrow(p: V3) -> Vec3 {
    p.map(|c| c as f32)
}

/// The unit normal of a triangle.
pub(super) fn normal(mesh: &Mesh, triangle: usize) -> V3 {
    let n = wide(mesh.area_normal(triangle));
    let length = dot(n, n).sqrt().max(1e-30);
    n.map(|c| c / length)
}

/// Points of measured skin in the stable regions, evenly from all of the mesh.
fn stable_points(mesh: &Mesh, landmarks: &[Vec3]) -> Result<Vec<(V3, V3)>, ChangeError> {
    let map = FaceMap::new(landmarks).map_err(|e| ChangeError::Landmarks(e.to_string()))?;
    let normals = mesh.vertex_normals();
    let all: Vec<(V3, V3)> = mesh
        .positions
        .par_iter()
        .zip(&normals)
        .filter(|(p, n)| {
            map.coordinate(**p, **n)
                .and_then(|uv| map.label(uv).measured())
                .is_some_and(|r| STABLE.contains(&r))
        })
        .map(|(p, n)| (wide(*p), wide(*n)))
        .collect();
    let step = all.len().div_ceil(MOST_POINTS).max(1);
    Ok(all.into_iter().step_by(step).collect())
}

/// Landmarks onto landmarks, the half that fits best once more.
fn by_landmarks(from: &[Vec3], to: &[Vec3]) -> Rigid {
    let mut pairs: Vec<(V3, V3)> = from
        .iter()
        .zip(to)
        .map(|(a, b)| (wide(*a), wide(*b)))
        .collect();
    let fit = |pairs: &[(V3, V3)]| {
        let (a, b): (Vec<V3>, Vec<V3>) = pairs.iter().copied().unzip();
        Rigid::of_pairs(&a, &b)
    };
    let first = fit(&pairs);
    pairs.sort_by(|a, b| {
        distance(first.apply(a.0), a.1).total_cmp(&distance(first.apply(b.0), b.1))
    });
    pairs.truncate(pairs.len().div_ceil(2).max(3));
    fit(&pairs)
}

/// A point of the earlier surface and the plane that it ought to lie on.
struct Pair {
    p: V3,
    n: V3,
    off: f64,
}

/// The kept pairs, and how many points have a counterpart.
fn pairs(points: &[(V3, V3)], motion: &Rigid, mesh: &Mesh, tree: &Tree) -> (Vec<Pair>, usize) {
    let mut found: Vec<(f64, Pair)> = points
        .par_iter()
        .filter_map(|&(p, towards)| {
            let p = motion.apply(p);
            let near = tree.closest(narrow(p), REACH_MM)?;
            let n = normal(mesh, near.triangle);
            if dot(n, motion.rotate(towards)) < LEAST_AGREEMENT {
                return None;
            }
            let q = wide(mesh.point(near.triangle, near.bary));
            let off = dot(n, sub(p, q));
            Some((distance(p, q), Pair { p, n, off }))
        })
        .collect();
    let count = found.len();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.truncate((count as f64 * KEPT) as usize);
    (found.into_iter().map(|f| f.1).collect(), count)
}

/// The motion of least squares towards the planes, to first order (Chen & Medioni).
fn step(pairs: &[Pair]) -> Option<(Rigid, f64)> {
    let centre = mean(&pairs.iter().map(|p| p.p).collect::<Vec<_>>());
    let (mut a, mut b) = ([[0.0; 6]; 6], [0.0; 6]);
    for pair in pairs {
        let t = cross(sub(pair.p, centre), pair.n);
        let row = [t[0], t[1], t[2], pair.n[0], pair.n[1], pair.n[2]];
        for i in 0..6 {
            for j in 0..6 {
                a[i][j] += row[i] * row[j];
            }
            b[i] -= row[i] * pair.off;
        }
    }
    let x = solve6(a, b)?;
    let (turn, shift) = ([x[0], x[1], x[2]], [x[3], x[4], x[5]]);
    // What a point 100 mm from the middle moves.
    let size = 100.0 * dot(turn, turn).sqrt() + dot(shift, shift).sqrt();
    Some((Rigid::about(centre, turn, shift), size))
}

/// Brings `previous` onto `current`.
pub(super) fn register(
    previous: &Analysis,
    current: &Analysis,
    tree: &Tree,
) -> Result<Registration, ChangeError> {
    let face = |a: &'_ Analysis, which| match &a.landmarks_mm {
        _ if !a.has_surface => Err(ChangeError::NoSurface(which)),
        None => Err(ChangeError::NoFace(which)),
        Some(points) => Ok(points.clone()),
    };
    let (from, to) = (face(previous, "earlier")?, face(current, "later")?);
    let points = stable_points(&previous.mesh, &from)?;
    if points.len() < LEAST_POINTS {
        return Err(ChangeError::FewPoints {
            got: points.len(),
            expected: LEAST_POINTS,
        });
    }
    let mut motion = by_landmarks(&from, &to);
    for _ in 0..MOST_STEPS {
        let (kept, _) = pairs(&points, &motion, &current.mesh, tree);
        let Some((next, size)) = (kept.len() >= LEAST_POINTS / 2)
            .then(|| step(&kept))
            .flatten()
        else {
            return Err(ChangeError::Undetermined);
        };
        motion = motion.then(&next);
        if size < 1e-4 {
            break;
        }
    }
    let (kept, near) = pairs(&points, &motion, &current.mesh, tree);
    let overlap = near as f64 / points.len() as f64;
    let square: f64 = kept.iter().map(|p| p.off * p.off).sum();
    let residual_mm = (square / kept.len().max(1) as f64).sqrt();
    if overlap < LEAST_OVERLAP {
        return Err(ChangeError::Overlap {
            got: overlap,
            expected: LEAST_OVERLAP,
        });
    }
    if residual_mm.is_nan() || residual_mm > MOST_RESIDUAL_MM {
        return Err(ChangeError::Residual {
            got_mm: residual_mm,
            expected_mm: MOST_RESIDUAL_MM,
        });
    }
    let middle = mean(&from.iter().map(|p| wide(*p)).collect::<Vec<_>>());
    Ok(Registration {
        rotation: motion.rotation,
        shift_mm: motion.shift,
        angle_deg: motion.angle_deg(),
        moved_mm: distance(motion.apply(middle), middle),
        residual_mm,
        points: points.len(),
        overlap,
    })
}
