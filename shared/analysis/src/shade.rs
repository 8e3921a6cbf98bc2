//! The shade that the form of a face has under a lamp.
//!
//! A nose or a chin turns from the light within a centimetre, which no baseline follows that
//! is wider than a spot. Its normals tell how much darker it is there (Lambert), once the lamp
//! is known.

use dermalia_surface::{Vec3, cross, dot, norm, normalize, sub};

use crate::Atlas;
use crate::chromophores::Directions;
use crate::field::Field;
use crate::flatten::Light;
use crate::full_light::lamp;
use crate::gaussian::{enlarge, gaussian};

/// Normals are read so far apart …
const APART_MM: f32 = 0.4;
/// … and smoothed so far, which takes the noise of a scanner's points off and leaves the wings
/// of a nose.
const SMOOTH_MM: f32 = 0.8;
/// A lamp that takes less than this from skin turned away is none.
const LEAST_SHARE: f32 = 0.02;

/// The density of each cell that a lamp makes; `None` where none is borne out.
pub(crate) fn shade(field: &Field, atlas: &Atlas) -> Option<Vec<f32>> {
    let normals = atlas.mesh.vertex_normals();
    shade_of(field, |at| surface_at(atlas, &normals, at))
}

fn shade_of(field: &Field, surface: impl Fn([f64; 2]) -> Option<[Vec3; 2]>) -> Option<Vec<f32>> {
    let light = Light::of(field, &field.weight, Directions::default(), &surface);
    let lamp = lamp(&light.pieces)?;
    let share = lamp.share as f32;
    if share < LEAST_SHARE {
        return None;
    }
    let step = (field.cell_mm).map(|mm| (APART_MM / mm).round().max(1.0) as usize);
    let size = [
        field.width.div_ceil(step[0]),
        field.height.div_ceil(step[1]),
    ];
    let mut normals: [Vec<f32>; 3] = std::array::from_fn(|_| vec![0.0; size[0] * size[1]]);
    for block in 0..size[0] * size[1] {
        let at = [block % size[0], block / size[0]];
        let [x, y] = [0, 1].map(|k| (at[k] as f64 + 0.5) * step[k] as f64 - 0.5);
        if let Some([_, normal]) = surface(field.pixel(x, y)) {
            for (plane, v) in normals.iter_mut().zip(normal) {
                plane[block] = v;
            }
        }
    }
    // Whichever way round the triangles are, a face looks to the front.
    let front = 1.0_f32.copysign(normals[2].iter().sum());
    let sigma = [0, 1].map(|k| SMOOTH_MM / (field.cell_mm[k] * step[k] as f32));
    let normals = normals.map(|plane| gaussian(&plane, size[0], size[1], sigma));
    let blocks: Vec<f32> = (0..size[0] * size[1])
        .map(|block| {
            let normal = [0, 1, 2].map(|k| front * normals[k][block]);
            let length = norm(normal);
            if length <= f32::EPSILON {
                return 0.0;
            }
            let received = (dot(normal, lamp.to) / length).max(0.0);
            -libm::logf(1.0 - share * (1.0 - received))
        })
        .collect();
    Some(enlarge(&blocks, size, [field.width, field.height], step))
}

/// The place and the unit normal of a point of the raster, without the edges of triangles.
fn surface_at(atlas: &Atlas, normals: &[Vec3], [x, y]: [f64; 2]) -> Option<[Vec3; 2]> {
    let place = atlas.surface_point(x, y)?.map(|c| c as f32);
    let triangle = atlas.triangle[atlas.pixel(x, y)?] as usize;
    let [a, b, c] = atlas.mesh.corners(triangle);
    let whole = cross(sub(b, a), sub(c, a));
    let part = |from: Vec3, to: Vec3| {
        dot(cross(sub(to, from), sub(place, from)), whole) / dot(whole, whole)
    };
    let (u, v) = (part(b, c), part(c, a));
    let weights = [u, v, 1.0 - u - v];
    let corners = atlas.mesh.triangles[triangle].map(|i| normals[i as usize]);
    let normal = [0, 1, 2].map(|k| (0..3).map(|i| weights[i] * corners[i][k]).sum());
    Some([place, normalize(normal)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Extent, Sample};

    /// Skin of one colour on a dome with a nose, under some light for each normal.
    fn face(light: impl Fn(Vec3) -> f32 + Sync) -> (Field, impl Fn([f64; 2]) -> Option<[Vec3; 2]>) {
        let side = 600;
        let height = |x: f32, y: f32| {
            let nose = (-(x / 9.0).powi(2) - (y / 18.0).powi(2)).exp();
            (95.0_f32.powi(2) - x * x - 0.6 * y * y).max(1.0).sqrt() + 18.0 * nose
        };
        let surface = move |[x, y]: [f64; 2]| {
            let (x, y) = (0.25 * x as f32 - 75.0, 75.0 - 0.25 * y as f32);
            let z = height(x, y);
            let slope = [
                height(x - 0.5, y) - height(x + 0.5, y),
                height(x, y - 0.5) - height(x, y + 0.5),
                1.0,
            ];
            Some([[x, y, z], normalize(slope)])
        };
        let extent = Extent {
            origin: [0, 0],
            size: [side, side],
            px_mm: [0.25, 0.25],
            aim_mm: 0.25,
        };
        let field = Field::reduce(extent, |x, y| {
            let [_, normal] = surface([x as f64 + 0.5, y as f64 + 0.5])?;
            let shade = -libm::logf(light(normal));
            Some(Sample {
                density: [1.4, 1.9, 2.4].map(|d| d + shade),
                area_mm2: 0.0625 / normal[2],
                usable: true,
            })
        });
        (field, surface)
    }

    #[test]
    fn what_a_nose_has_of_shade_is_known() {
        let to = normalize([-0.5, 0.3, 0.8]);
        let (field, surface) = face(|normal| 0.4 + 0.6 * dot(normal, to).max(0.0));
        let shade = shade_of(&field, surface).unwrap();
        // 40 by 40 mm around the nose.
        let spread = |density: &dyn Fn(usize) -> f32| {
            let cells = (220..380).flat_map(|y| (220..380).map(move |x| 600 * y + x));
            let mut values: Vec<f32> = cells.map(density).collect();
            values.sort_by(f32::total_cmp);
            values[24_320] - values[1_280]
        };
        let before = spread(&|i| field.density[0][i]);
        let after = spread(&|i| field.density[0][i] - shade[i]);
        assert!(before > 0.4 && after < 0.15 * before, "{before} {after}");
    }

    #[test]
    fn light_from_all_around_makes_none() {
        let (field, surface) = face(|_| 1.0);
        assert!(shade_of(&field, surface).is_none());
    }
}
