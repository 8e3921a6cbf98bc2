//! What is no skin on a face: brows, eyes, lips and nostrils, as optical densities that
//! lie over the skin.

use dermalia_landmarks::{Mask, mask_polygons, mirrored};

use crate::areas::{EYE, MOUTH, Polygon};
use crate::noise::gradient_noise;

/// The parts of a face that are painted over the skin, in the atlas.
pub(crate) struct Look {
    brows: Vec<Polygon>,
    eyes: [Eye; 2],
    lips: Vec<Polygon>,
    mouth: Polygon,
    nostrils: Vec<Polygon>,
    /// Millimetres a unit of the atlas, about the features of the face.
    mm_per_uv: f64,
    /// All of it, with its soft edges.
    bounds: [f64; 4],
    seed: u64,
    iris: [f64; 3],
    hair: [f64; 3],
    lips_density: [f64; 3],
}

struct Eye {
    opening: Polygon,
    middle: [f64; 2],
}

/// Something that covers the skin.
pub(crate) struct Cover {
    /// Density in red, green, blue.
    pub(crate) density: [f64; 3],
    /// How much of the skin it hides.
    pub(crate) opacity: f64,
}

fn smooth(from: f64, to: f64, x: f64) -> f64 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

impl Look {
    /// `skin` is the density of the skin around.
    pub(crate) fn face(
        landmark_uvs: &[[f64; 2]],
        mm_per_uv: f64,
        seed: u64,
        skin: [f64; 3],
    ) -> Self {
        let outline =
            |list: &[usize]| Polygon::new(list.iter().map(|&i| landmark_uvs[i]).collect());
        let masks = |wanted: Mask| {
            mask_polygons()
                .into_iter()
                .filter(|(mask, _)| *mask == wanted)
                .map(|(_, list)| outline(&list))
                .collect()
        };
        let eye = |opening: Polygon| {
            let b = opening.bounds();
            Eye {
                middle: [0.5 * (b[0] + b[2]), 0.5 * (b[1] + b[3])],
                opening,
            }
        };
        const IRIS: [[f64; 3]; 3] = [[2.2, 2.7, 3.4], [1.7, 1.5, 1.3], [1.9, 1.6, 1.9]];
        const HAIR: [[f64; 3]; 3] = [[1.9, 2.3, 2.7], [2.4, 2.6, 2.8], [1.4, 1.8, 2.4]];
        let mut look = Self {
            brows: masks(Mask::Brow),
            eyes: [
                eye(outline(&EYE)),
                eye(outline(&EYE.map(|i| mirrored()[i]))),
            ],
            lips: masks(Mask::Lips),
            mouth: outline(&MOUTH),
            nostrils: masks(Mask::Nostril),
            mm_per_uv,
            bounds: [f64::MAX, f64::MAX, f64::MIN, f64::MIN],
            seed,
            iris: IRIS[(seed % 3) as usize],
            // Hair is darker than any skin; lips are redder than their own.
            hair: [0, 1, 2].map(|k| HAIR[(seed / 3 % 3) as usize][k] + 0.6 * skin[k]),
            lips_density: [0, 1, 2].map(|k| [0.08, 0.62, 0.40][k] + 0.85 * skin[k]),
        };
        let parts = look.brows.iter().chain(&look.lips).chain(&look.nostrils);
        for part in parts.chain(look.eyes.iter().map(|e| &e.opening)) {
            let (b, margin) = (part.bounds(), 3.0 / mm_per_uv);
            for k in 0..2 {
                look.bounds[k] = look.bounds[k].min(b[k] - margin);
                look.bounds[k + 2] = look.bounds[k + 2].max(b[k + 2] + margin);
            }
        }
        look
    }

    /// Whether anything may lie over a point.
    pub(crate) fn near(&self, uv: [f64; 2]) -> bool {
        (0..2).all(|k| uv[k] >= self.bounds[k] && uv[k] <= self.bounds[k + 2])
    }

    /// Everything that lies over a point, the lowest first.
    pub(crate) fn covers(&self, uv: [f64; 2], mm: [f32; 3]) -> impl Iterator<Item = Cover> {
        [
            self.lips(uv, mm),
            self.mouth(uv),
            self.brow(uv, mm),
            self.nostril(uv),
        ]
        .into_iter()
        .chain(self.eyes.iter().flat_map(move |e| self.eye(e, uv, mm)))
        .flatten()
    }

    /// Distance to the nearest of some outlines, negative inside.
    fn distance_mm(&self, outlines: &[Polygon], uv: [f64; 2], margin_mm: f64) -> f64 {
        outlines
            .iter()
            .map(|o| o.distance(uv, margin_mm / self.mm_per_uv) * self.mm_per_uv)
            .fold(f64::INFINITY, f64::min)
    }

    fn lips(&self, uv: [f64; 2], mm: [f32; 3]) -> Option<Cover> {
        let d = self.distance_mm(&self.lips, uv, 1.0);
        let opacity = 0.9 * smooth(0.6, -0.8, d);
        let fold = gradient_noise(self.seed ^ 0x11b5, [mm[0], mm[1] / 6.0, mm[2] / 6.0], 0.9);
        let grain = 1.0 + 0.06 * f64::from(fold);
        (opacity > 0.0).then(|| Cover {
            density: self.lips_density.map(|d| d * grain),
            opacity,
        })
    }

    fn mouth(&self, uv: [f64; 2]) -> Option<Cover> {
        let d = self.distance_mm(std::slice::from_ref(&self.mouth), uv, 1.0);
        let opacity = 0.85 * smooth(0.7, -0.5, d);
        (opacity > 0.0).then_some(Cover {
            density: self.lips_density.map(|d| d + 1.3),
            opacity,
        })
    }

    fn brow(&self, uv: [f64; 2], mm: [f32; 3]) -> Option<Cover> {
        let d = self.distance_mm(&self.brows, uv, 2.0);
        let body = smooth(1.4, -2.2, d);
        if body <= 0.0 {
            return None;
        }
        // Hairs run outward and a little upward: noise stretched along that direction.
        let side = if mm[0] < 0.0 { -1.0 } else { 1.0 };
        let (x, y) = (mm[0] * side, mm[1]);
        let (run, across) = (0.94 * x + 0.34 * y, -0.34 * x + 0.94 * y);
        let hairs = gradient_noise(self.seed ^ 0xb207, [run / 9.0, across, mm[2] / 9.0], 0.55);
        let strand = 0.72 + 0.28 * f64::from(hairs.clamp(-1.5, 1.5));
        Some(Cover {
            density: self.hair,
            opacity: (body * strand).clamp(0.0, 0.95),
        })
    }

    fn nostril(&self, uv: [f64; 2]) -> Option<Cover> {
        let d = self.distance_mm(&self.nostrils, uv, 1.0);
        let opacity = 0.9 * smooth(-0.2, -2.0, d);
        (opacity > 0.0).then_some(Cover {
            density: self.lips_density.map(|d| d + 1.9),
            opacity,
        })
    }

    fn eye(&self, eye: &Eye, uv: [f64; 2], mm: [f32; 3]) -> [Option<Cover>; 4] {
        let d = self.distance_mm(std::slice::from_ref(&eye.opening), uv, 2.5);
        if d.is_infinite() {
            return [const { None }; 4];
        }
        let open = smooth(0.25, -0.25, d);
        let q = [0, 1].map(|k| (uv[k] - eye.middle[k]) * self.mm_per_uv);
        // The upper lid hides the top of the iris a little.
        let r = (q[0] * q[0] + (q[1] - 0.3) * (q[1] - 0.3)).sqrt();
        let fibre = 1.0 + 0.12 * f64::from(gradient_noise(self.seed ^ 0xe7e, mm, 0.8));
        let cover =
            |density: [f64; 3], opacity: f64| (opacity > 0.0).then_some(Cover { density, opacity });
        let lashes = smooth(1.3, 0.1, d.abs()) * if q[1] > 0.0 { 0.85 } else { 0.35 };
        // The eyeball curves away towards the corners.
        let corner = 0.05 + 0.25 * smooth(7.0, 14.0, q[0].abs());
        [
            cover([0.36 + corner, 0.42 + corner, 0.44 + corner], open),
            cover(self.iris.map(|d| d * fibre), open * smooth(6.1, 5.6, r)),
            cover([4.2, 4.2, 4.2], open * smooth(2.2, 1.8, r)),
            cover(self.hair, lashes),
        ]
    }
}
