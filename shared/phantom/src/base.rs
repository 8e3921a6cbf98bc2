//! The meshes: a face that differs from seed to seed, and a plain sheet.

use dermalia_landmarks::canonical;
use dermalia_surface::{Mesh, Vec3};

use crate::PhantomError;
use crate::noise::gradient_noise;
use crate::options::Base;
use crate::random::Rng;
use crate::subdivide::Net;

/// A surface with its landmarks, if it has any.
pub(crate) struct Surface {
    pub(crate) mesh: Mesh,
    pub(crate) landmarks: Option<Vec<Vec3>>,
    /// In step with `landmarks`.
    pub(crate) landmark_uvs: Vec<[f64; 2]>,
}

/// Most steps of subdivision that are offered: 898 x 4^5 triangles.
const MOST_LEVELS: u32 = 5;

pub(crate) fn surface(base: Base, seed: u64) -> Result<Surface, PhantomError> {
    match base {
        Base::Face { levels } if levels > MOST_LEVELS => Err(PhantomError::Levels { levels }),
        Base::Face { levels } => face(seed, levels),
        Base::Patch { side_mm, radius_mm } => patch(side_mm, radius_mm),
    }
}

fn face(seed: u64, levels: u32) -> Result<Surface, PhantomError> {
    let canonical = canonical();
    let shape = identity(seed);
    let mut net = Net::<5> {
        points: canonical
            .positions_mm
            .iter()
            .zip(&canonical.uvs)
            .map(|(&p, uv)| {
                let q = shape(p);
                [q[0], q[1], q[2], f64::from(uv[0]), f64::from(uv[1])]
            })
            .collect(),
        triangles: canonical.triangles.clone(),
    };
    for _ in 0..levels {
        net = net.subdivided();
    }
    let positions: Vec<Vec3> = net
        .points
        .iter()
        .map(|p| [p[0] as f32, p[1] as f32, p[2] as f32])
        .collect();
    let uvs: Vec<[f32; 2]> = net
        .points
        .iter()
        .map(|p| [p[3] as f32, p[4] as f32])
        .collect();
    let count = canonical.positions_mm.len();
    Ok(Surface {
        landmarks: Some(positions[..count].to_vec()),
        landmark_uvs: uvs[..count].iter().map(|uv| uv.map(f64::from)).collect(),
        mesh: Mesh::new(positions, uvs, net.triangles.clone(), net.triangles)?,
    })
}

/// A smooth change of the canonical shape: size, proportions and a slow bending of some
/// millimetres, a third of it one-sided.
fn identity(seed: u64) -> impl Fn(Vec3) -> [f64; 3] {
    let mut rng = Rng::stream(seed, "identity");
    let whole = rng.range(0.95, 1.05);
    let scale = [0; 3].map(|_| whole * rng.range(0.97, 1.03));
    let fields = [0; 6].map(|_| rng.next());
    move |p| {
        let mirrored = [p[0].abs(), p[1], p[2]];
        let both = [0, 1, 2].map(|k| gradient_noise(fields[k], mirrored, 70.0));
        let one = [0, 1, 2].map(|k| gradient_noise(fields[k + 3], p, 70.0));
        // The mirrored field moves points of either side alike; on the midline it must
        // not move them sideways.
        let side = libm::tanh(f64::from(p[0]) / 20.0);
        [0, 1, 2].map(|k| {
            let sideways = if k == 0 { side } else { 1.0 };
            f64::from(p[k]) * scale[k]
                + 1.3 * f64::from(both[k]) * sideways
                + 0.4 * f64::from(one[k])
        })
    }
}

fn patch(side_mm: f64, radius_mm: Option<f64>) -> Result<Surface, PhantomError> {
    let bent = radius_mm.unwrap_or(f64::INFINITY);
    if !(side_mm > 1.0 && side_mm <= 1000.0) || bent.is_nan() || bent < side_mm / 2.0 {
        return Err(PhantomError::Patch { side_mm, radius_mm });
    }
    const CELLS: u32 = 96;
    let (mut positions, mut uvs, mut triangles) = (vec![], vec![], vec![]);
    for j in 0..=CELLS {
        for i in 0..=CELLS {
            let (u, v) = (
                f64::from(i) / f64::from(CELLS),
                f64::from(j) / f64::from(CELLS),
            );
            let (x, y) = ((u - 0.5) * side_mm, (v - 0.5) * side_mm);
            let (x, z) = match radius_mm {
                Some(r) => (r * libm::sin(x / r), r * (libm::cos(x / r) - 1.0)),
                None => (x, 0.0),
            };
            positions.push([x as f32, y as f32, z as f32]);
            uvs.push([u as f32, v as f32]);
        }
    }
    for j in 0..CELLS {
        for i in 0..CELLS {
            let a = j * (CELLS + 1) + i;
            let b = a + CELLS + 1;
            triangles.extend([[a, a + 1, b + 1], [a, b + 1, b]]);
        }
    }
    Ok(Surface {
        mesh: Mesh::new(positions, uvs, triangles.clone(), triangles)?,
        landmarks: None,
        landmark_uvs: vec![],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermalia_surface::rasterize_uv;

    #[test]
    fn faces_differ_but_each_lies_in_its_atlas_once() {
        let one = surface(Base::Face { levels: 3 }, 1).unwrap();
        let two = surface(Base::Face { levels: 3 }, 2).unwrap();
        assert_eq!(one.mesh.triangles.len(), 898 * 64);
        assert_eq!(one.landmarks.as_ref().unwrap().len(), 468);
        assert_ne!(one.mesh.positions, two.mesh.positions);
        for s in [&one, &two] {
            let raster = rasterize_uv(&s.mesh, 1024, 1024);
            assert_eq!(raster.overlapping_px, 0);
            let area: f32 = (0..s.mesh.triangles.len())
                .map(|t| s.mesh.area_mm2(t))
                .sum();
            assert!((28_000.0..42_000.0).contains(&area), "{area}");
        }
    }

    #[test]
    fn a_bent_patch_keeps_its_size() {
        let s = surface(
            Base::Patch {
                side_mm: 60.0,
                radius_mm: Some(70.0),
            },
            1,
        )
        .unwrap();
        let area: f32 = (0..s.mesh.triangles.len())
            .map(|t| s.mesh.area_mm2(t))
            .sum();
        assert!((area - 3600.0).abs() < 1.0, "{area}");
    }
}
