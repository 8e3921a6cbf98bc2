//! The pictures and the height map, strip by strip.

use dermalia_findings::Region;
use dermalia_surface::{NO_TRIANGLE, rasterize_uv};
use rayon::prelude::*;

use crate::areas::Areas;
use crate::features::{Blob, Features, Line, Pit, gaussian};
use crate::light::{Capture, Filter};
use crate::look::{Cover, Look};
use crate::noise::gradient_noise;
use crate::optics::{self, Encoder, HAEMOGLOBIN};
use crate::options::PhantomOptions;
use crate::random::{Rng, hash_normal, mix};
use crate::skin::{Chart, Point, Skin, cross, norm};

/// Density that a millimetre of depth adds by keeping light out.
const PIT_DENSITY_PER_MM: f32 = 2.6;
const LINE_DENSITY_PER_MM: f32 = 1.3;
const MICRO_DENSITY_PER_MM: f32 = 1.2;
/// Unevenness of melanin and haemoglobin in skin without features.
const MOTTLE: [f32; 2] = [0.025, 0.018];
/// Lattice and height of the micro-relief's octaves.
const MICRO_MM: [(f32, f32); 3] = [(0.45, 0.0035), (0.9, 0.005), (1.8, 0.006)];
/// Noise of the height map.
const RELIEF_NOISE_MM: f32 = 0.0004;
/// Millimetres a level of the height map, and the level of no displacement.
pub(crate) const MM_PER_LEVEL: f64 = 0.0001;
pub(crate) const ZERO_LEVEL: f64 = 32768.0;

const STRIP_ROWS: usize = 32;
/// Pixels painted beyond the mesh, so that interpolation at its rim finds skin.
const PADDING_PX: usize = 4;
const PADDED: u32 = 1 << 31;
const NO_REGION: u8 = u8::MAX;

/// What was drawn.
pub(crate) struct Drawing {
    /// In step with the filters: RGB, three bytes a pixel.
    pub(crate) pictures: Vec<Vec<u8>>,
    /// Signed displacement before rounding and noise; empty where none was asked for.
    pub(crate) displacement_mm: Vec<f32>,
    /// The measured region of each pixel by index, or 255.
    region: Vec<u8>,
    sums: Vec<Sums>,
    /// Surface of each pixel by its triangle.
    pixel_mm2: Vec<f64>,
    triangle: Vec<u32>,
    relief_noise: Option<u64>,
}

/// Sums over the measured skin of one region.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    pub(crate) area_mm2: f64,
    melanin: f64,
    haemoglobin: f64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
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

enum Stroke<'a> {
    Pit(&'a Pit),
    Blob(&'a Blob),
    Line {
        line: &'a Line,
        hair: bool,
        segments: Vec<Box2>,
    },
}

/// Pixels x0..=x1, y0..=y1.
#[derive(Debug, Clone, Copy)]
struct Box2 {
    x: [usize; 2],
    y: [usize; 2],
}

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
}

/// The rows of every output that one task fills.
struct Strip<'a> {
    top: usize,
    pictures: Vec<&'a mut [u8]>,
    displacement: &'a mut [f32],
    region: &'a mut [u8],
}

/// What the strokes paint, before lamps and camera.
struct Planes {
    position: Vec<[f32; 3]>,
    melanin: Vec<f32>,
    haemoglobin: Vec<f32>,
    /// Density of pits and lines in white light.
    cavity: Vec<f32>,
    hair: Vec<f32>,
    height: Vec<f32>,
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
        micro_scale: rng.range(0.8, 1.3) as f32,
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

/// Each feature with the pixels it may touch.
fn strokes<'a>(
    skin: &Skin,
    features: &'a Features,
    capture: &Capture,
    size: usize,
) -> Vec<(Stroke<'a>, Box2)> {
    let [sx, sy] = capture.shift_px;
    let scale = size as f64;
    let around = |p: &Point, reach_mm: f64| {
        let b = skin.bounds(p, reach_mm);
        let px = |v: f64| (v.max(0.0) as usize).min(size - 1);
        Box2 {
            x: [px(b[0] * scale + sx - 1.5), px(b[2] * scale + sx + 1.5)],
            y: [
                px((1.0 - b[3]) * scale + sy - 1.5),
                px((1.0 - b[1]) * scale + sy + 1.5),
            ],
        }
    };
    let mut all = vec![];
    for blob in features.red_areas.iter().chain(&features.spots) {
        all.push((Stroke::Blob(blob), around(&blob.centre, blob.reach_mm())));
    }
    for (line, hair) in features
        .wrinkles
        .iter()
        .map(|l| (l, false))
        .chain(features.hairs.iter().map(|l| (l, true)))
    {
        let segments: Vec<Box2> = line
            .points
            .windows(2)
            .zip(line.at_mm.windows(2))
            .map(|(p, s)| around(&p[0], line.reach_mm() + s[1] - s[0]))
            .collect();
        let Some(&first) = segments.first() else {
            continue;
        };
        let whole = segments.iter().fold(first, |a, b| Box2 {
            x: [a.x[0].min(b.x[0]), a.x[1].max(b.x[1])],
            y: [a.y[0].min(b.y[0]), a.y[1].max(b.y[1])],
        });
        all.push((
            Stroke::Line {
                line,
                hair,
                segments,
            },
            whole,
        ));
    }
    for pit in features.pores.iter().chain(&features.small_pits) {
        all.push((Stroke::Pit(pit), around(&pit.centre, pit.reach_mm())));
    }
    all
}

impl Planes {
    fn new(n: usize) -> Self {
        Self {
            position: vec![[f32::INFINITY; 3]; n],
            melanin: vec![0.0; n],
            haemoglobin: vec![0.0; n],
            cavity: vec![0.0; n],
            hair: vec![0.0; n],
            height: vec![0.0; n],
        }
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
        let rows = strip.top..strip.top + n / self.size;
        let mut planes = Planes::new(n);
        for i in 0..n {
            let at = strip.top * self.size + i;
            if let Some((_, chart)) = self.chart(at) {
                let uv = self.uv(at % self.size, at / self.size);
                planes.position[i] = chart.at(uv).map(|c| c as f32);
            }
        }
        for &k in bin {
            let (stroke, area) = &self.strokes[k];
            match stroke {
                Stroke::Pit(pit) => self.pit(&mut planes, &rows, *area, pit),
                Stroke::Blob(blob) => self.blob(&mut planes, &rows, *area, blob),
                Stroke::Line {
                    line,
                    hair,
                    segments,
                } => self.line(&mut planes, &rows, *area, line, *hair, segments),
            }
        }
        self.finish(strip, &planes)
    }

    /// Calls `visit` with the index in the strip and the position of each pixel of a box.
    fn each(
        &self,
        rows: &std::ops::Range<usize>,
        area: Box2,
        position: &[[f32; 3]],
        mut visit: impl FnMut(usize, [f32; 3]),
    ) {
        for y in area.y[0].max(rows.start)..(area.y[1] + 1).min(rows.end) {
            let row = (y - rows.start) * self.size;
            for x in area.x[0]..=area.x[1] {
                let p = position[row + x];
                if p[0].is_finite() {
                    visit(row + x, p);
                }
            }
        }
    }

    fn pit(&self, planes: &mut Planes, rows: &std::ops::Range<usize>, area: Box2, pit: &Pit) {
        let c = pit.centre.mm.map(|c| c as f32);
        let reach = (pit.reach_mm() * pit.reach_mm()) as f32;
        let Planes {
            position,
            cavity,
            height,
            ..
        } = planes;
        self.each(rows, area, position, |i, p| {
            let d = [p[0] - c[0], p[1] - c[1], p[2] - c[2]];
            let r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            if r2 < reach {
                let depth = (pit.depth_mm * pit.profile(f64::from(r2.sqrt()))) as f32;
                cavity[i] += depth * PIT_DENSITY_PER_MM;
                height[i] -= depth;
            }
        });
    }

    fn blob(&self, planes: &mut Planes, rows: &std::ops::Range<usize>, area: Box2, blob: &Blob) {
        let Planes {
            position,
            melanin,
            haemoglobin,
            ..
        } = planes;
        self.each(rows, area, position, |i, p| {
            let amount = blob.profile(blob.rho(p.map(f64::from)));
            melanin[i] += (blob.melanin * amount) as f32;
            haemoglobin[i] += (blob.haemoglobin * amount) as f32;
        });
    }

    /// The nearest point of the whole line counts once, whatever the number of segments
    /// that a pixel is near to.
    fn line(
        &self,
        planes: &mut Planes,
        rows: &std::ops::Range<usize>,
        area: Box2,
        line: &Line,
        hair: bool,
        segments: &[Box2],
    ) {
        let reach = line.reach_mm() as f32;
        let (x0, y0) = (area.x[0], area.y[0].max(rows.start));
        let y1 = (area.y[1] + 1).min(rows.end);
        if y0 >= y1 {
            return;
        }
        let width = area.x[1] + 1 - x0;
        // Squared distance and running length at the nearest point.
        let mut nearest = vec![(reach * reach, 0.0_f32); width * (y1 - y0)];
        let offset = (y0 - rows.start) * self.size + x0;
        let local = |i: usize| {
            let j = i - offset;
            j / self.size * width + j % self.size
        };
        for (k, segment) in segments.iter().enumerate() {
            let a = line.points[k].mm.map(|c| c as f32);
            let b = line.points[k + 1].mm.map(|c| c as f32);
            let d = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
            let l2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            let (from, to) = (line.at_mm[k] as f32, line.at_mm[k + 1] as f32);
            self.each(rows, *segment, &planes.position, |i, p| {
                let q = [p[0] - a[0], p[1] - a[1], p[2] - a[2]];
                let t = ((q[0] * d[0] + q[1] * d[1] + q[2] * d[2]) / l2).clamp(0.0, 1.0);
                let r = [q[0] - t * d[0], q[1] - t * d[1], q[2] - t * d[2]];
                let r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
                let best = &mut nearest[local(i)];
                if r2 < best.0 {
                    *best = (r2, from + (to - from) * t);
                }
            });
        }
        for (j, &(r2, s)) in nearest.iter().enumerate() {
            if r2 < reach * reach {
                let i = offset + j / width * self.size + j % width;
                let across = gaussian(f64::from(r2.sqrt()) / line.width_mm);
                let depth = (line.depth_at(f64::from(s)) * across) as f32;
                if hair {
                    planes.hair[i] += depth;
                } else {
                    planes.cavity[i] += depth * LINE_DENSITY_PER_MM;
                    planes.height[i] -= depth;
                }
            }
        }
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
            let shade = self.capture.shade(p, normal);
            let covers: Vec<Cover> = self
                .look
                .filter(|l| l.near(uv))
                .map(|l| l.covers(uv, p).collect())
                .unwrap_or_default();
            let chromophores = [
                planes.melanin[i] + mottle[0] + self.base.melanin as f32,
                planes.haemoglobin[i] + mottle[1] + self.base.haemoglobin as f32,
            ];
            let mut seen = None;
            for (k, filter) in self.filters.iter().enumerate() {
                let gains = (filter.melanin, filter.haemoglobin);
                let colour = match seen {
                    Some((same, colour)) if same == gains => colour,
                    _ => self.colour(chromophores, gains, &covers),
                };
                seen = Some((gains, colour));
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

    fn colour(&self, [m, h]: [f32; 2], gains: (f32, f32), covers: &[Cover]) -> [f32; 3] {
        [0, 1, 2].map(|k| {
            let mut density = m * gains.0 * self.base.absorption[k] as f32
                + h * gains.1 * HAEMOGLOBIN[k] as f32
                + optics::GREY as f32;
            for cover in covers {
                density += (cover.density[k] as f32 - density) * cover.opacity as f32;
            }
            libm::expf(-density)
        })
    }
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
