//! What a camera sees of the head, before a parameter is painted on it.

use std::borrow::Cow;

use dermalia_findings::{BaseTexture, Parameter, ParameterMap};
use dermalia_surface::{Mesh, NO_TRIANGLE, Vec3, add, dot, normalize, scale, sub};
use rayon::prelude::*;

use super::paint::Painter;
use super::reduce;
use super::view::{Strip, View};

/// Samples a side of each pixel.
const SUPERSAMPLING: usize = 2;
/// Rows that are drawn together: what is seen in them fits the processor's own memory.
const STRIP_ROWS: usize = 16;
/// Distance of the camera in millimetres: far enough not to swell the nose.
const CAMERA_MM: f32 = 1100.0;
/// Light directions in the frame of the view.
const KEY: Vec3 = [-0.42, 0.52, 0.74];
const FILL: Vec3 = [0.68, 0.10, 0.72];

/// One pixel of a view: linear light, and how strongly each map shows there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pixel {
    /// Share of the pixel that the head covers.
    pub(super) cover: f32,
    /// Skin in linear sRGB, already lit.
    pub(super) natural: [f32; 3],
    /// The relative lightness of the skin against its own median, not lit.
    pub(super) tone: f32,
    /// The light that falls here, about 1 in the middle of the face.
    pub(super) light: f32,
}

/// For each map the mean strength (0 to 1) over the measured part of a pixel and the share
/// of the pixel that was measured.
pub(super) type Strengths = [[f32; 2]; Parameter::ALL.len()];

/// sRGB levels in linear light.
pub(super) fn linear_table() -> [f32; 256] {
    std::array::from_fn(|i| {
        let c = i as f64 / 255.0;
        (if c <= 0.04045 {
            c / 12.92
        } else {
            libm::pow((c + 0.055) / 1.055, 2.4)
        }) as f32
    })
}

fn luminance(rgb: [f32; 3]) -> f32 {
    0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
}

/// The median luminance of the measured skin, by a histogram over its square root.
fn median_luminance(base: &BaseTexture, maps: &[ParameterMap], linear: &[f32; 256]) -> f32 {
    let mut bins = [0_u64; 1024];
    let mut count = |i: usize| {
        let rgb = [0, 1, 2].map(|c| linear[usize::from(base.rgb[3 * i + c])]);
        bins[((luminance(rgb).sqrt() * 1023.0) as usize).min(1023)] += 1;
    };
    let measured = |x: usize, y: usize| {
        maps.iter().any(|m| {
            let (mx, my) = (x * m.width / base.width, y * m.height / base.height);
            m.strength[my * m.width + mx] > 0
        })
    };
    let step = (base.width.max(base.height) / 512).max(1);
    let mut any = false;
    for pass in 0..2 {
        for y in (0..base.height).step_by(step) {
            for x in (0..base.width).step_by(step) {
                if pass == 1 || measured(x, y) {
                    count(y * base.width + x);
                    any = true;
                }
            }
        }
        if any {
            break;
        }
    }
    let total: u64 = bins.iter().sum();
    let mut seen = 0;
    for (i, n) in bins.iter().enumerate() {
        seen += n;
        if 2 * seen >= total {
            let root = (i as f32 + 0.5) / 1023.0;
            return (root * root).max(0.004);
        }
    }
    0.3
}

/// Bilinear taps of a raster of `width` x `height` at (`x`, `y`) in pixels.
fn taps(x: f32, y: f32, width: usize, height: usize) -> [(usize, f32); 4] {
    let (x, y) = (
        (x - 0.5).clamp(0.0, width as f32 - 1.0),
        (y - 0.5).clamp(0.0, height as f32 - 1.0),
    );
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    [
        (y0 * width + x0, (1.0 - fx) * (1.0 - fy)),
        (y0 * width + x1, fx * (1.0 - fy)),
        (y1 * width + x0, (1.0 - fx) * fy),
        (y1 * width + x1, fx * fy),
    ]
}

fn colour_at(base: &BaseTexture, linear: &[f32; 256], uv: [f32; 2]) -> [f32; 3] {
    let (x, y) = (
        uv[0] * base.width as f32,
        (1.0 - uv[1]) * base.height as f32,
    );
    let mut out = [0.0; 3];
    for (i, weight) in taps(x, y, base.width, base.height) {
        for c in 0..3 {
            out[c] += weight * linear[usize::from(base.rgb[3 * i + c])];
        }
    }
    out
}

/// The strength of each level and whether it was measured.
fn level_table() -> [[f32; 2]; 256] {
    std::array::from_fn(|level| match level {
        0 => [0.0; 2],
        _ => [(level - 1) as f32 / 254.0, 1.0],
    })
}

/// Of each map its strength times its measured share, and that share.
#[inline(always)]
fn strengths_at(maps: &[ParameterMap], levels: &[[f32; 2]; 256], uv: [f32; 2]) -> Strengths {
    let mut out = Strengths::default();
    let (mut size, mut places) = ((0, 0), [(0, 0.0); 4]);
    for (map, out) in maps.iter().zip(&mut out) {
        // All maps are of one size as a rule.
        if (map.width, map.height) != size {
            size = (map.width, map.height);
            let (x, y) = (uv[0] * map.width as f32, (1.0 - uv[1]) * map.height as f32);
            places = taps(x, y, map.width, map.height);
        }
        for (i, weight) in places {
            let [strength, measured] = levels[usize::from(map.strength[i])];
            out[0] += weight * strength;
            out[1] += weight * measured;
        }
    }
    out
}

/// The part of the head that a still shows: its middle and half its height in mm.
pub(super) struct Frame {
    centre: Vec3,
    half_height_mm: f32,
    /// Whether the surface is deep enough for views from the side.
    pub(super) is_solid: bool,
}

impl Frame {
    /// Frames what was measured, or the whole mesh where nothing was.
    pub(super) fn of(mesh: &Mesh, maps: &[ParameterMap], aspect: f32) -> Option<Self> {
        let levels = level_table();
        let measured = |t: usize| {
            let uv = mesh.uv_corners(t);
            let middle = [0, 1].map(|k| (uv[0][k] + uv[1][k] + uv[2][k]) / 3.0);
            let strengths = strengths_at(maps, &levels, middle);
            strengths.iter().any(|s| s[1] > 0.5)
        };
        let bounds = |all: bool| {
            let none = || ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
            let wider = |a: (Vec3, Vec3), b: (Vec3, Vec3)| {
                (
                    [0, 1, 2].map(|k| a.0[k].min(b.0[k])),
                    [0, 1, 2].map(|k| a.1[k].max(b.1[k])),
                )
            };
            let (lo, hi) = (0..mesh.triangles.len())
                .into_par_iter()
                .filter(|&t| all || measured(t))
                .map(|t| {
                    let corners = mesh.corners(t);
                    corners.into_iter().fold(none(), |b, p| wider(b, (p, p)))
                })
                .reduce(none, wider);
            (lo[1] < hi[1] && lo[0] < hi[0]).then_some((lo, hi))
        };
        let ((lo, hi), margin) = match bounds(false) {
            Some(b) => (b, 1.42),
            None => (bounds(true)?, 1.1),
        };
        let size = sub(hi, lo);
        Some(Self {
            centre: scale(add(lo, hi), 0.5),
            half_height_mm: 0.5 * (size[1] * margin).max(size[0] * margin / aspect),
            is_solid: size[2] > 0.2 * size[0],
        })
    }
}

/// A view as an orthonormal frame: right, up, towards the camera.
fn camera(view: super::View) -> [Vec3; 3] {
    // +x is the patient's left. 38 degrees: cos and sin spelt out.
    let (c, s) = match view {
        super::View::Front => (1.0, 0.0),
        super::View::Left => (0.788_010_8, 0.615_661_5),
        super::View::Right => (0.788_010_8, -0.615_661_5),
    };
    [[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]]
}

/// The light on a surface whose normal is given in the frame of the view.
fn light_on(normal: Vec3) -> f32 {
    let wrapped = |direction: Vec3, wrap: f32| {
        ((dot(normal, normalize(direction)) + wrap) / (1.0 + wrap)).max(0.0)
    };
    let sky = 0.5 + 0.5 * normal[1];
    0.24 + 0.10 * sky + 0.60 * wrapped(KEY, 0.35) + 0.20 * wrapped(FILL, 0.2)
}

/// Texels of the atlas for one pixel of the view, along a line.
fn texels_per_pixel(mesh: &Mesh, base: &BaseTexture, frame: &Frame, px_per_mm: f32) -> usize {
    let mut ratios: Vec<f32> = (0..mesh.triangles.len())
        .step_by((mesh.triangles.len() / 4096).max(1))
        .filter(|&t| {
            let p = sub(mesh.corners(t)[0], frame.centre);
            p[0].abs().max(p[1].abs()) < frame.half_height_mm
        })
        .filter_map(|t| {
            let q = mesh.uv_corners(t);
            let uv = (q[1][0] - q[0][0]) * (q[2][1] - q[0][1])
                - (q[2][0] - q[0][0]) * (q[1][1] - q[0][1]);
            let texels = 0.5 * uv.abs() * (base.width * base.height) as f32;
            let mm2 = mesh.area_mm2(t);
            (mm2 > 0.0).then(|| (texels / mm2).sqrt() / px_per_mm)
        })
        .collect();
    if ratios.is_empty() {
        return 1;
    }
    ratios.sort_by(f32::total_cmp);
    (ratios[ratios.len() / 2] as usize).clamp(1, 16)
}

/// Picture and maps in texels as large as a pixel of the view, for all views of one size.
pub(super) struct Reduced<'a> {
    block: usize,
    texture: Cow<'a, BaseTexture>,
    maps: Cow<'a, [ParameterMap]>,
    median: f32,
}

impl<'a> Reduced<'a> {
    fn of(
        base: &'a BaseTexture,
        maps: &'a [ParameterMap],
        block: usize,
        linear: &[f32; 256],
    ) -> Self {
        let texture = reduce::texture(base, block);
        let maps = reduce::maps(maps, block, base.width);
        let median = median_luminance(&texture, &maps, linear);
        Self {
            block,
            texture,
            maps,
            median,
        }
    }
}

/// Draws the head from one side, each pixel by `paint`, which is given its column and row;
/// one picture a `&mut [u8]`.
pub(super) fn of_mesh<'a>(
    mesh: &Mesh,
    normals: &[Vec3],
    base: &'a BaseTexture,
    maps: &'a [ParameterMap],
    frame: &Frame,
    side: super::View,
    painter: &Painter<'_>,
    reduced: &mut Option<Reduced<'a>>,
) -> Vec<Vec<u8>> {
    let (width, height) = (painter.width, painter.height);
    let ss = SUPERSAMPLING;
    let (sw, sh) = (width * ss, height * ss);
    let px_per_mm = 0.5 * sh as f32 / frame.half_height_mm;
    let block = texels_per_pixel(mesh, base, frame, px_per_mm / ss as f32);
    let (linear, levels) = (linear_table(), level_table());
    let reduced = match reduced {
        Some(known) if known.block == block => known,
        other => other.insert(Reduced::of(base, maps, block, &linear)),
    };
    let (texture, maps, median) = (&*reduced.texture, &*reduced.maps, reduced.median);
    let [right, up, towards] = camera(side);
    let view = View::of(mesh, (sw, sh), STRIP_ROWS * ss, |p| {
        let d = sub(p, frame.centre);
        let depth = dot(d, towards);
        let room = CAMERA_MM - depth;
        if room < 50.0 {
            return None;
        }
        let s = px_per_mm * CAMERA_MM / room;
        Some([
            0.5 * sw as f32 + s * dot(d, right),
            0.5 * sh as f32 - s * dot(d, up),
            -depth,
        ])
    });
    let sample = |t: u32, column: usize, row: usize, share: f32, out: &mut (Pixel, Strengths)| {
        let (pixel, strengths) = out;
        let corners = mesh.triangles[t as usize];
        let w = view.weights(corners, column, row);
        let q = mesh.uv_triangles[t as usize].map(|i| mesh.uvs[i as usize]);
        let uv = [0, 1].map(|k| w[0] * q[0][k] + w[1] * q[1][k] + w[2] * q[2][k]);
        let [a, b, c] = corners.map(|i| normals[i as usize]);
        let n = [0, 1, 2].map(|k| w[0] * a[k] + w[1] * b[k] + w[2] * c[k]);
        let n = normalize(n);
        let mut seen = [dot(n, right), dot(n, up), dot(n, towards)];
        if seen[2] < 0.0 {
            seen = scale(seen, -1.0);
        }
        let light = light_on(seen);
        let albedo = colour_at(texture, &linear, uv);
        // The picture brings some of its own light: ours only shapes it.
        let lit = 0.35 + 0.65 * light;
        pixel.cover += share;
        pixel.light += share * light;
        pixel.tone += share * (luminance(albedo) / median).min(4.0);
        for c in 0..3 {
            pixel.natural[c] += share * albedo[c] * lit;
        }
        for (sum, [s, m]) in strengths.iter_mut().zip(strengths_at(maps, &levels, uv)) {
            sum[0] += share * s;
            sum[1] += share * m;
        }
    };
    painter.strips(STRIP_ROWS, |number, pictures| {
        let mut strip = Strip::default();
        view.draw(mesh, number, &mut strip);
        for y in number * STRIP_ROWS..((number + 1) * STRIP_ROWS).min(height) {
            for x in 0..width {
                let place = |k: usize| (x * ss + k % ss, y * ss + k / ss);
                let seen: [u32; SUPERSAMPLING * SUPERSAMPLING] = std::array::from_fn(|k| {
                    let (column, row) = place(k);
                    strip.triangles[(row - number * STRIP_ROWS * ss) * sw + column]
                });
                // Textures are reduced to pixels already: where the head fills the pixel
                // one sample speaks for all, only its outline needs every one.
                let full = seen.iter().all(|&t| t != NO_TRIANGLE);
                let samples = if full { 1 } else { ss * ss };
                let share = 1.0 / samples as f32;
                let mut sums = (Pixel::default(), Strengths::default());
                for (k, &t) in seen.iter().enumerate().take(samples) {
                    if t != NO_TRIANGLE {
                        let (column, row) = place(k);
                        sample(t, column, row, share, &mut sums);
                    }
                }
                let (mut pixel, mut strengths) = sums;
                finish(&mut pixel, &mut strengths);
                painter.pixel(
                    (x, y),
                    y - number * STRIP_ROWS,
                    &pixel,
                    &strengths,
                    pictures,
                );
            }
        }
    })
}

/// Turns sums over the covered samples into means.
fn finish(pixel: &mut Pixel, strengths: &mut Strengths) {
    if pixel.cover > 0.0 {
        let n = 1.0 / pixel.cover;
        pixel.light *= n;
        pixel.tone *= n;
        pixel.natural = pixel.natural.map(|c| c * n);
        for s in strengths {
            if s[1] > 0.0 {
                s[0] /= s[1];
            }
            s[1] *= n;
        }
    }
}

/// Room around the measured part of a photograph, as a share of its longer side.
const PHOTO_MARGIN: f32 = 0.3;

/// The part of a photograph that shows what was measured, with some room: left, top, right
/// and bottom in pixels; all of it where nothing was measured.
fn measured_part(base: &BaseTexture, maps: &[ParameterMap]) -> [usize; 4] {
    let mut part: Option<[f32; 4]> = None;
    for map in maps {
        for (i, _) in map.strength.iter().enumerate().filter(|(_, s)| **s > 0) {
            let (x, y) = ((i % map.width) as f32, (i / map.width) as f32);
            let (w, h) = (map.width as f32, map.height as f32);
            let own = [x / w, y / h, (x + 1.0) / w, (y + 1.0) / h];
            let p = part.get_or_insert(own);
            *p = [
                p[0].min(own[0]),
                p[1].min(own[1]),
                p[2].max(own[2]),
                p[3].max(own[3]),
            ];
        }
    }
    let (w, h) = (base.width as f32, base.height as f32);
    let Some([left, top, right, bottom]) = part.map(|p| [p[0] * w, p[1] * h, p[2] * w, p[3] * h])
    else {
        return [0, 0, base.width, base.height];
    };
    let margin = PHOTO_MARGIN * (right - left).max(bottom - top);
    [
        (left - margin).max(0.0) as usize,
        (top - margin).max(0.0) as usize,
        ((right + margin).ceil() as usize).min(base.width),
        ((bottom + margin).ceil() as usize).min(base.height),
    ]
}

fn cut(base: &BaseTexture, [left, top, right, bottom]: [usize; 4]) -> BaseTexture {
    let rows = (top..bottom).map(|y| 3 * (y * base.width + left)..3 * (y * base.width + right));
    BaseTexture {
        width: right - left,
        height: bottom - top,
        rgb: rows.flat_map(|row| base.rgb[row].iter().copied()).collect(),
    }
}

/// The measured part of a photograph, to be drawn at most `most` pixels a side.
pub(super) struct Photo<'a> {
    /// Columns and rows of the picture, and the side of a block of the photograph that
    /// makes a pixel.
    pub(super) width: usize,
    pub(super) height: usize,
    block: usize,
    part: [usize; 4],
    base: &'a BaseTexture,
    maps: &'a [ParameterMap],
    small: BaseTexture,
}

impl<'a> Photo<'a> {
    pub(super) fn of(base: &'a BaseTexture, maps: &'a [ParameterMap], most: usize) -> Self {
        let part = measured_part(base, maps);
        let [left, top, right, bottom] = part;
        let block = reduce::block_for((right - left).max(bottom - top), most);
        let small = reduce::texture(&cut(base, part), block).into_owned();
        Self {
            width: small.width,
            height: small.height,
            block,
            part,
            base,
            maps,
            small,
        }
    }

    /// Draws it as it is.
    pub(super) fn draw(&self, painter: &Painter<'_>) -> Vec<Vec<u8>> {
        let (linear, levels) = (linear_table(), level_table());
        let (base, [left, top, ..]) = (self.base, self.part);
        let maps = reduce::maps(self.maps, self.block, base.width);
        let median = median_luminance(base, self.maps, &linear);
        let place = |at: usize, from: usize, side: usize| {
            (from as f32 + (at as f32 + 0.5) * self.block as f32) / side as f32
        };
        painter.strips(STRIP_ROWS, |number, pictures| {
            for y in number * STRIP_ROWS..((number + 1) * STRIP_ROWS).min(self.height) {
                for x in 0..self.width {
                    let rgb = &self.small.rgb[3 * (y * self.width + x)..][..3];
                    let natural = [0, 1, 2].map(|c| linear[usize::from(rgb[c])]);
                    let mut pixel = Pixel {
                        cover: 1.0,
                        natural,
                        tone: (luminance(natural) / median).min(4.0),
                        light: 1.0,
                    };
                    let uv = [place(x, left, base.width), 1.0 - place(y, top, base.height)];
                    let mut strengths = strengths_at(&maps, &levels, uv);
                    finish(&mut pixel, &mut strengths);
                    painter.pixel(
                        (x, y),
                        y - number * STRIP_ROWS,
                        &pixel,
                        &strengths,
                        pictures,
                    );
                }
            }
        })
    }
}
