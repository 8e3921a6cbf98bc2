//! What was drawn, and what can be reckoned from it.

use dermalia_findings::Region;
use dermalia_surface::NO_TRIANGLE;
use rayon::prelude::*;

use crate::random::{hash_normal, mix};

/// Noise of the height map.
const RELIEF_NOISE_MM: f32 = 0.0004;
/// Millimetres a level of the height map, and the level of no displacement.
pub(crate) const MM_PER_LEVEL: f64 = 0.0001;
pub(crate) const ZERO_LEVEL: f64 = 32768.0;
/// The mark of a pixel that is no measured skin.
pub(crate) const NO_REGION: u8 = u8::MAX;

/// What was drawn.
pub(crate) struct Drawing {
    /// In step with the filters: RGB, three bytes a pixel.
    pub(crate) pictures: Vec<Vec<u8>>,
    /// Signed displacement before rounding and noise; empty where none was asked for.
    pub(crate) displacement_mm: Vec<f32>,
    /// The measured region of each pixel by index, or 255.
    pub(crate) region: Vec<u8>,
    pub(crate) sums: Vec<Sums>,
    /// Surface of each pixel by its triangle.
    pub(crate) pixel_mm2: Vec<f64>,
    pub(crate) triangle: Vec<u32>,
    pub(crate) relief_noise: Option<u64>,
}

/// Sums over the measured skin of one region.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    pub(crate) area_mm2: f64,
    pub(crate) melanin: f64,
    pub(crate) haemoglobin: f64,
}

impl Sums {
    pub(crate) fn add(&mut self, other: &Self) {
        self.area_mm2 += other.area_mm2;
        self.melanin += other.melanin;
        self.haemoglobin += other.haemoglobin;
    }

    /// Mean deviation of melanin and haemoglobin from the skin's own.
    pub(crate) fn chromophores(&self) -> [f64; 2] {
        if self.area_mm2 > 0.0 {
            [self.melanin, self.haemoglobin].map(|s| s / self.area_mm2)
        } else {
            [0.0; 2]
        }
    }
}

/// Height statistics of one region (ISO 25178-2), in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heights {
    pub(crate) sa: f64,
    pub(crate) sq: f64,
    pub(crate) sz: f64,
    pub(crate) ssk: f64,
    pub(crate) sku: f64,
}

impl Drawing {
    /// Sums of one region; of the face, those of all.
    pub(crate) fn sums(&self, region: Region) -> Sums {
        let mut sum = self.sums[region.index()];
        if region == Region::Face {
            for part in &self.sums[..Region::Face.index()] {
                sum.add(part);
            }
        }
        sum
    }

    /// Height statistics of the measured skin of every region, weighted by surface.
    pub(crate) fn heights(&self) -> Vec<Option<Heights>> {
        let face = Region::Face.index();
        let each = |visit: &mut dyn FnMut(usize, f64, f64)| {
            for (i, &r) in self.region.iter().enumerate() {
                if r != NO_REGION {
                    let w = self.pixel_mm2[self.triangle[i] as usize];
                    let z = f64::from(self.displacement_mm[i]);
                    visit(usize::from(r), w, z);
                    if usize::from(r) != face {
                        visit(face, w, z);
                    }
                }
            }
        };
        let mut first = vec![(0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY); face + 1];
        each(&mut |r, w, z| {
            let (area, sum, lo, hi) = &mut first[r];
            *area += w;
            *sum += w * z;
            *lo = lo.min(z);
            *hi = hi.max(z);
        });
        let mut moments = vec![[0.0; 4]; face + 1];
        each(&mut |r, w, z| {
            let (area, sum, ..) = first[r];
            let d = z - sum / area;
            let d2 = d * d;
            for (m, v) in moments[r].iter_mut().zip([d.abs(), d2, d2 * d, d2 * d2]) {
                *m += w * v;
            }
        });
        first
            .iter()
            .zip(moments)
            .map(|(&(area, _, lo, hi), m)| {
                let m = m.map(|v| v / area);
                let sq = m[1].sqrt();
                (sq > 0.0).then(|| Heights {
                    sa: m[0],
                    sq,
                    sz: hi - lo,
                    ssk: m[2] / (sq * sq * sq),
                    sku: m[3] / (m[1] * m[1]),
                })
            })
            .collect()
    }

    /// The height map's levels.
    pub(crate) fn levels(&self) -> Vec<u16> {
        self.displacement_mm
            .par_iter()
            .enumerate()
            .map(|(i, &z)| {
                if self.triangle[i] == NO_TRIANGLE {
                    return ZERO_LEVEL as u16;
                }
                let noise = self.relief_noise.map_or(0.0, |seed| {
                    RELIEF_NOISE_MM * hash_normal(mix(seed ^ mix(i as u64)))
                });
                let level = ZERO_LEVEL + f64::from(z + noise) / MM_PER_LEVEL;
                libm::round(level).clamp(0.0, 65535.0) as u16
            })
            .collect()
    }

    /// Median side of a pixel on the skin.
    pub(crate) fn mm_per_px(&self) -> f64 {
        let mut areas: Vec<f64> = self
            .region
            .iter()
            .zip(&self.triangle)
            .filter(|(r, _)| **r != NO_REGION)
            .map(|(_, &t)| self.pixel_mm2[t as usize])
            .collect();
        if areas.is_empty() {
            return 0.0;
        }
        let middle = areas.len() / 2;
        let (_, median, _) = areas.select_nth_unstable_by(middle, f64::total_cmp);
        median.sqrt()
    }
}
