//! The pictures and the height map, strip by strip.

use dermalia_findings::Region;
use dermalia_surface::{NO_TRIANGLE, rasterize_uv};
use rayon::prelude::*;

use crate::areas::Areas;
use crate::drawing::{Drawing, NO_REGION, Sums};
use crate::features::Features;
use crate::light::{Capture, Filter};
use crate::look::{Cover, Look};
use crate::noise::gradient_noise;
use crate::optics::{self, Encoder, HAEMOGLOBIN};
use crate::options::PhantomOptions;
use crate::random::{Rng, mix};
use crate::skin::{Chart, Skin, cross, norm};
use crate::strokes::{Box2, Planes, Stroke, strokes};

/// Density that a millimetre of depth adds by keeping light out.
const MICRO_DENSITY_PER_MM: f32 = 1.2;
/// Unevenness of melanin and haemoglobin in skin without features.
const MOTTLE: [f32; 2] = [0.025, 0.018];
/// Lattice and height of the micro-relief's octaves.
const MICRO_MM: [(f32, f32); 3] = [(0.45, 0.0035), (0.9, 0.005), (1.8, 0.006)];
/// Factor on it of rough skin; what a step towards the lamp adds to the light there, and that
/// step.
const ROUGH: f64 = 2.0;
const SLOPE_LIGHT: f32 = 0.4;
const SLOPE_STEP_MM: f32 = 0.1;
const STRIP_ROWS: usize = 32;
/// Pixels painted beyond the mesh, so that interpolation at its rim finds skin.
const PADDING_PX: usize = 4;
const PADDED: u32 = 1 << 31;

struct Scene<'a> {
    skin: &'a Skin,
    areas: &'a Areas,
    look: Option<&'a Look>,
    base: optics::Skin,
    capture: &'a Capture,
    filters: &'a [Filter],
    size: usize,
    strokes: Vec<(Stroke<'a>, Box2)>,
    triangle: &'a [u32],
    pixel_mm2: &'a [f64],
    encoder: Encoder,
    mottle: [u64; 2],
    micro: [u64; 3],
    micro_scale: f32,
    /// Whether its slopes are lit.
    rough: bool,
}

/// The rows of every output that one task fills.
struct Strip<'a> {
    top: usize,
    pictures: Vec<&'a mut [u8]>,
    displacement: &'a mut [f32],
    region: &'a mut [u8],
}
pub(crate) fn draw(
    skin: &Skin,
    areas: &Areas,
    look: Option<&Look>,
    features: &Features,
    options: &PhantomOptions,
    capture: &Capture,
    filters: &[Filter],
) -> Drawing {
    let size = options.size_px;
    let mut shifted = skin.mesh.clone();
    let shift = shift_uv(capture, size);
    for uv in &mut shifted.uvs {
        *uv = [0, 1].map(|k| (f64::from(uv[k]) + shift[k]) as f32);
    }
    let mut triangle = rasterize_uv(&shifted, size, size).triangle;
    pad(&mut triangle, size);
    let pixel_mm2: Vec<f64> = skin
        .charts
        .iter()
        .map(|c| norm(cross(c.du, c.dv)) / (size * size) as f64)
        .collect();
    let seed = options.seed;
    let mut rng = Rng::stream(seed, "texture");
    let scene = Scene {
        skin,
        areas,
        look,
        base: optics::Skin::of(options.tone, options.melanin),
        capture,
        filters,
        size,
        strokes: strokes(skin, features, capture, size),
        triangle: &triangle,
        pixel_mm2: &pixel_mm2,
        encoder: Encoder::new(),
        mottle: [0; 2].map(|_| rng.next()),
        micro: [0; 3].map(|_| rng.next()),
        micro_scale: (rng.range(0.8, 1.3) * if options.rough { ROUGH } else { 1.0 }) as f32,
        rough: options.rough,
    };
    let strip_px = size * STRIP_ROWS;
    let count = size.div_ceil(STRIP_ROWS);
    let mut bins = vec![vec![]; count];
    for (i, (_, area)) in scene.strokes.iter().enumerate() {
        for bin in &mut bins[area.y[0] / STRIP_ROWS..=area.y[1] / STRIP_ROWS] {
            bin.push(i);
        }
    }
    let mut pictures = vec![vec![0_u8; size * size * 3]; filters.len()];
    let mut displacement_mm = vec![0.0_f32; size * size];
    let mut region = vec![NO_REGION; size * size];
    let mut strips: Vec<Strip<'_>> = displacement_mm
        .chunks_mut(strip_px)
        .zip(region.chunks_mut(strip_px))
        .enumerate()
        .map(|(i, (displacement, region))| Strip {
            top: i * STRIP_ROWS,
            pictures: vec![],
            displacement,
            region,
        })
        .collect();
    for picture in &mut pictures {
        for (strip, rows) in strips.iter_mut().zip(picture.chunks_mut(strip_px * 3)) {
            strip.pictures.push(rows);
        }
    }
    let partial: Vec<Vec<Sums>> = strips
        .into_par_iter()
        .zip(bins)
        .map(|(strip, bin)| scene.strip(strip, &bin))
        .collect();
    let mut sums = vec![Sums::default(); Region::ALL.len()];
    for strip in &partial {
        for (sum, part) in sums.iter_mut().zip(strip) {
            sum.add(part);
        }
    }
    drop(scene);
    Drawing {
        pictures,
        displacement_mm,
        region,
        sums,
        pixel_mm2,
        triangle,
        relief_noise: (options.noise_scale > 0.0).then(|| {
            Rng::stream(seed ^ mix(options.recapture.unwrap_or(0)), "relief noise").next()
        }),
    }
}

/// The capture's shift in units of the atlas, v up.
pub(crate) fn shift_uv(capture: &Capture, size: usize) -> [f64; 2] {
    [
        capture.shift_px[0] / size as f64,
        -capture.shift_px[1] / size as f64,
    ]
}

/// Lets the triangles at the rim reach some pixels beyond it.
fn pad(triangle: &mut [u32], size: usize) {
    let neighbours = |i: usize| {
        let (x, y) = (i % size, i / size);
        [
            (x > 0).then(|| i - 1),
            (x + 1 < size).then_some(i + 1),
            (y > 0).then(|| i.wrapping_sub(size)),
            (y + 1 < size).then_some(i + size),
        ]
    };
    let mut rim: Vec<usize> = (0..triangle.len())
        .filter(|&i| {
            triangle[i] != NO_TRIANGLE
                && neighbours(i)
                    .into_iter()
                    .flatten()
                    .any(|j| triangle[j] == NO_TRIANGLE)
        })
        .collect();
    for _ in 0..PADDING_PX {
        let mut next = vec![];
        for &i in &rim {
            for j in neighbours(i).into_iter().flatten() {
                if triangle[j] == NO_TRIANGLE {
                    triangle[j] = triangle[i] | PADDED;
                    next.push(j);
                }
            }
        }
        rim = next;
    }
}
impl Scene<'_> {
    /// The place of a pixel's middle in the atlas of the mesh that is not shifted.
    fn uv(&self, x: usize, y: usize) -> [f64; 2] {
        let size = self.size as f64;
        let [sx, sy] = self.capture.shift_px;
        [
            (x as f64 + 0.5 - sx) / size,
            1.0 - (y as f64 + 0.5 - sy) / size,
        ]
    }

    fn chart(&self, i: usize) -> Option<(usize, &Chart)> {
        let t = self.triangle[i];
        (t != NO_TRIANGLE).then(|| {
            let t = (t & !PADDED) as usize;
            (t, &self.skin.charts[t])
        })
    }

    fn strip(&self, strip: Strip<'_>, bin: &[usize]) -> Vec<Sums> {
        let n = strip.region.len();
        let mut planes = Planes::new(strip.top..strip.top + n / self.size, self.size);
        for i in 0..n {
            let at = strip.top * self.size + i;
            if let Some((_, chart)) = self.chart(at) {
                let uv = self.uv(at % self.size, at / self.size);
                planes.position[i] = chart.at(uv).map(|c| c as f32);
            }
        }
        for &k in bin {
            let (stroke, area) = &self.strokes[k];
            planes.paint(stroke, *area);
        }
        self.finish(strip, &planes)
    }

    /// Unevenness of the skin's own chromophores at a point.
    fn mottle(&self, p: [f32; 3]) -> [f32; 2] {
        [0, 1].map(|k| {
            let wide = gradient_noise(self.mottle[k], p, 11.0);
            let fine = gradient_noise(self.mottle[k] ^ 1, p, 2.6);
            MOTTLE[k] * (0.8 * wide + 0.6 * fine)
        })
    }

    fn micro(&self, p: [f32; 3]) -> f32 {
        MICRO_MM
            .iter()
            .zip(self.micro)
            .map(|(&(wavelength, height), seed)| height * gradient_noise(seed, p, wavelength))
            .sum::<f32>()
            * self.micro_scale
    }

    /// Density that a slope of rough skin has by turning away from the lamp.
    fn slope(&self, p: [f32; 3], normal: [f32; 3], micro: f32) -> f32 {
        if !self.rough {
            return 0.0;
        }
        let towards = self.capture.along(normal);
        let there = [0, 1, 2].map(|c| p[c] + SLOPE_STEP_MM * towards[c]);
        SLOPE_LIGHT * (self.micro(there) - micro) / SLOPE_STEP_MM
    }

    fn finish(&self, mut strip: Strip<'_>, planes: &Planes) -> Vec<Sums> {
        let mut sums = vec![Sums::default(); Region::ALL.len()];
        for i in 0..strip.region.len() {
            let at = strip.top * self.size + i;
            let Some((t, _)) = self.chart(at) else {
                continue;
            };
            let uv = self.uv(at % self.size, at / self.size);
            let p = planes.position[i];
            let mottle = self.mottle(p);
            let micro = self.micro(p);
            strip.displacement[i] = micro + planes.height[i];
            if self.triangle[at] & PADDED == 0
                && let Some(region) = self.areas.measured(uv)
            {
                strip.region[i] = region.index() as u8;
                let w = self.pixel_mm2[t];
                sums[region.index()].add(&Sums {
                    area_mm2: w,
                    melanin: w * f64::from(mottle[0]),
                    haemoglobin: w * f64::from(mottle[1]),
                });
            }
            let weights = self.skin.weights(t, uv);
            let corners = self.skin.mesh.triangles[t];
            let mut normal = [0.0_f32; 3];
            for k in 0..3 {
                let n = self.skin.normals[corners[k] as usize];
                for c in 0..3 {
                    normal[c] += (weights[k] * n[c]) as f32;
                }
            }
            let length = normal.iter().map(|c| c * c).sum::<f32>().sqrt().max(1e-6);
            let normal = normal.map(|c| c / length);
            let shade = self.capture.shade(p, normal) * libm::expf(-self.slope(p, normal, micro));
            let covers: Vec<Cover> = self
                .look
                .filter(|l| l.near(uv))
                .map(|l| l.covers(uv, p).collect())
                .unwrap_or_default();
            let melanin = planes.melanin[i] + mottle[0] + self.base.melanin as f32;
            let haemoglobin = planes.haemoglobin[i] + mottle[1] + self.base.haemoglobin as f32;
            let mut seen = None;
            for (k, filter) in self.filters.iter().enumerate() {
                let amounts = [
                    melanin * filter.melanin + planes.deep_melanin[i] * filter.deep_melanin,
                    haemoglobin * filter.haemoglobin,
                ];
                let colour = match seen {
                    Some((same, colour)) if same == amounts => colour,
                    _ => self.colour(amounts, &covers),
                };
                seen = Some((amounts, colour));
                let structure =
                    filter.structure * (planes.cavity[i] - micro * MICRO_DENSITY_PER_MM);
                let light = shade * libm::expf(-structure - planes.hair[i]);
                let gloss = self.capture.gloss(filter, normal, structure);
                let mut linear = filter.tinted(colour.map(|c| c * light + gloss));
                for c in 0..3 {
                    linear[c] *= self.capture.balance[c];
                }
                let noisy = self.capture.noisy(linear, k, at);
                for c in 0..3 {
                    strip.pictures[k][i * 3 + c] = self.encoder.level(noisy[c]);
                }
            }
        }
        sums
    }

    fn colour(&self, [m, h]: [f32; 2], covers: &[Cover]) -> [f32; 3] {
        [0, 1, 2].map(|k| {
            let mut density = m * self.base.absorption[k] as f32
                + h * HAEMOGLOBIN[k] as f32
                + optics::GREY as f32;
            for cover in covers {
                density += (cover.density[k] as f32 - density) * cover.opacity as f32;
            }
            libm::expf(-density)
        })
    }
}
