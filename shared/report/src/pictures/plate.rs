//! What a camera sees of the head, before a parameter is painted on it.

use std::borrow::Cow;

use dermalia_findings::{BaseTexture, ParameterMap};
use dermalia_surface::{
    Mesh, NO_TRIANGLE, Vec3, Work, add, dot, in_vectors, normalize, scale, sub,
};
use rayon::prelude::*;

use super::paint::{LANES, Lane, Painter, Pixels};
use super::reduce;
use super::texels::{colours_at, is_measured, strengths_at};
use super::view::{Plane, Strip, View};

/// Samples a side of each pixel.
const SUPERSAMPLING: usize = 2;
/// Rows that are drawn together: what is seen in them fits the processor's own memory.
const STRIP_ROWS: usize = 16;
/// Distance of the camera in millimetres: far enough not to swell the nose.
const CAMERA_MM: f32 = 1100.0;
/// Light directions in the frame of the view.
const KEY: Vec3 = [-0.42, 0.52, 0.74];
const FILL: Vec3 = [0.68, 0.10, 0.72];

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

#[inline(always)]
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
    let step = (base.width.max(base.height) / 512).max(1);
    let columns = || (0..base.width).step_by(step);
    // Where the columns lie in each map.
    let across: Vec<Vec<usize>> = maps
        .iter()
        .map(|m| columns().map(|x| x * m.width / base.width).collect())
        .collect();
    let mut any = false;
    let mut is_measured = vec![false; columns().len()];
    for pass in 0..2 {
        for y in (0..base.height).step_by(step) {
            is_measured.fill(pass == 1);
            for (m, across) in maps.iter().zip(&across) {
                let row = &m.strength[y * m.height / base.height * m.width..][..m.width];
                for (is, &x) in is_measured.iter_mut().zip(across) {
                    *is |= row[x] > 0;
                }
            }
            for (x, _) in columns().zip(&is_measured).filter(|(_, is)| **is) {
                count(y * base.width + x);
                any = true;
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
        let measured = |t: usize| {
            let uv = mesh.uv_corners(t);
            let middle = [0, 1].map(|k| (uv[0][k] + uv[1][k] + uv[2][k]) / 3.0);
            is_measured(maps, middle)
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
                .fold(none, |b, t| {
                    let corners = mesh.corners(t);
                    let wide = corners.into_iter().fold(b, |b, p| wider(b, (p, p)));
                    // Most change nothing, whether they were measured or not.
                    if wide != b && (all || measured(t)) {
                        wide
                    } else {
                        b
                    }
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
#[inline(always)]
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
        heats: &[Cow<'_, ParameterMap>],
        block: usize,
        linear: &[f32; 256],
    ) -> Self {
        let texture = reduce::texture(base, block);
        let maps = reduce::maps(maps, heats, block, base.width);
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
    heats: &[Cow<'_, ParameterMap>],
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
    let linear = linear_table();
    let reduced = match reduced {
        Some(known) if known.block == block => known,
        other => other.insert(Reduced::of(base, maps, heats, block, &linear)),
    };
    let camera = camera(side);
    let [right, up, towards] = camera;
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
    let plate = Plate {
        mesh,
        normals,
        texture: &reduced.texture,
        maps: &reduced.maps,
        median: reduced.median,
        linear: &linear,
        camera,
        view: &view,
        painter,
    };
    painter.strips(STRIP_ROWS, |number, pictures| {
        in_vectors(Drawing {
            plate: &plate,
            number,
            pictures,
        });
    })
}

/// Everything that a view is drawn of.
struct Plate<'a> {
    mesh: &'a Mesh,
    normals: &'a [Vec3],
    texture: &'a BaseTexture,
    maps: &'a [ParameterMap],
    median: f32,
    linear: &'a [f32; 256],
    camera: [Vec3; 3],
    view: &'a View,
    painter: &'a Painter<'a>,
}

/// Samples of a view: the triangle, the column and the row of each.
#[derive(Default)]
struct Samples {
    count: usize,
    triangles: [u32; LANES],
    places: [Lane; 2],
}

impl Samples {
    #[inline(always)]
    fn push(&mut self, triangle: u32, (column, row): (usize, usize)) {
        if self.count < LANES {
            self.triangles[self.count] = triangle;
            self.places[0][self.count] = column as f32 + 0.5;
            self.places[1][self.count] = row as f32 + 0.5;
            self.count += 1;
        }
    }
}

impl Plate<'_> {
    /// What is seen at samples, each as if it were a whole pixel.
    #[inline(always)]
    fn seen(&self, samples: &Samples) -> Pixels {
        // Of each corner.
        let (mut places, mut uvs, mut normals) = (
            [[[0.0; LANES]; 2]; 3],
            [[[0.0; LANES]; 2]; 3],
            [[[0.0; LANES]; 3]; 3],
        );
        for (l, &t) in samples.triangles.iter().enumerate().take(samples.count) {
            let corners = self.mesh.triangles[t as usize];
            let uv = self.mesh.uv_triangles[t as usize];
            for k in 0..3 {
                let place = self.view.places[corners[k] as usize];
                let normal = self.normals[corners[k] as usize];
                let uv = self.mesh.uvs[uv[k] as usize];
                for i in 0..2 {
                    places[k][i][l] = place[i];
                    uvs[k][i][l] = uv[i];
                }
                for i in 0..3 {
                    normals[k][i][l] = normal[i];
                }
            }
        }
        let (mut uv, mut light) = ([[0.0; LANES]; 2], [0.0; LANES]);
        let [right, up, towards] = self.camera;
        for l in 0..LANES {
            let corner = |k: usize| [places[k][0][l], places[k][1][l], 0.0];
            let [a, b, c] = [corner(0), corner(1), corner(2)];
            let (dx, dy) = (samples.places[0][l] - a[0], samples.places[1][l] - a[1]);
            let [v, w] = Plane::of(a, b, c).weights(dx, dy);
            let u = 1.0 - v - w;
            for i in 0..2 {
                uv[i][l] = u * uvs[0][i][l] + v * uvs[1][i][l] + w * uvs[2][i][l];
            }
            let along =
                |i: usize| u * normals[0][i][l] + v * normals[1][i][l] + w * normals[2][i][l];
            let n = normalize([along(0), along(1), along(2)]);
            let seen = [dot(n, right), dot(n, up), dot(n, towards)];
            let side = if seen[2] < 0.0 { -1.0 } else { 1.0 };
            light[l] = light_on(scale(seen, side));
        }
        let albedo = colours_at(self.texture, self.linear, &uv, samples.count);
        let mut out = Pixels {
            count: samples.count,
            cover: [1.0; LANES],
            light,
            strengths: strengths_at(self.maps, &uv, samples.count),
            ..Pixels::default()
        };
        for l in 0..LANES {
            // The picture brings some of its own light: ours only shapes it.
            let lit = 0.35 + 0.65 * light[l];
            let rgb = [albedo[0][l], albedo[1][l], albedo[2][l]];
            out.tone[l] = (luminance(rgb) / self.median).min(4.0);
            for c in 0..3 {
                out.natural[c][l] = rgb[c] * lit;
            }
        }
        out
    }
}

/// The drawing of one strip.
struct Drawing<'a, 'b, 'c> {
    plate: &'a Plate<'a>,
    number: usize,
    pictures: &'b mut [&'c mut [u8]],
}

impl Work for Drawing<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            plate,
            number,
            pictures,
        } = self;
        let painter = plate.painter;
        let ss = SUPERSAMPLING;
        let mut strip = Strip::default();
        plate.view.draw(plate.mesh, number, &mut strip);
        let mut room = vec![];
        for y in number * STRIP_ROWS..((number + 1) * STRIP_ROWS).min(painter.height) {
            let strip_row = y - number * STRIP_ROWS;
            painter.behind(y, strip_row, &mut room, pictures);
            let rows: [&[u32]; SUPERSAMPLING] = std::array::from_fn(|k| {
                &strip.triangles[(strip_row * ss + k) * strip.stride..][..painter.width * ss]
            });
            let place = |x: usize, k: usize| (x * ss + k % ss, y * ss + k / ss);
            let (mut full, mut columns) = (Samples::default(), [0; LANES]);
            let mut edge = Pixels::default();
            // The place after the last column ends what is left.
            for x in 0..=painter.width {
                let is_end = x == painter.width;
                let seen: [u32; SUPERSAMPLING * SUPERSAMPLING] = std::array::from_fn(|k| {
                    let triangle = rows[k / ss].get(x * ss + k % ss);
                    triangle.copied().unwrap_or(NO_TRIANGLE)
                });
                let nothing = seen.iter().filter(|&&t| t == NO_TRIANGLE).count();
                if nothing == 0 {
                    // Textures are reduced to pixels already: where the head fills the pixel
                    // one sample speaks for all, only its outline needs every one.
                    columns[full.count] = x;
                    full.push(seen[0], place(x, 0));
                } else if nothing < ss * ss {
                    let mut samples = Samples::default();
                    for (k, &t) in seen.iter().enumerate().filter(|s| *s.1 != NO_TRIANGLE) {
                        samples.push(t, place(x, k));
                    }
                    edge.columns[edge.count] = x;
                    add_samples(&mut edge, &plate.seen(&samples));
                    edge.count += 1;
                }
                if full.count == LANES || (is_end && full.count > 0) {
                    let mut pixels = plate.seen(&full);
                    pixels.columns = columns;
                    finish(&mut pixels);
                    painter.pixels(y, strip_row, &pixels, pictures);
                    full.count = 0;
                }
                if edge.count == LANES || (is_end && edge.count > 0) {
                    finish(&mut edge);
                    painter.pixels(y, strip_row, &edge, pictures);
                    edge = Pixels::default();
                }
            }
        }
    }
}

/// Adds up samples of one pixel behind those that there are.
#[inline(always)]
fn add_samples(pixels: &mut Pixels, samples: &Pixels) {
    const SHARE: f32 = 1.0 / (SUPERSAMPLING * SUPERSAMPLING) as f32;
    let at = pixels.count;
    for l in 0..samples.count {
        pixels.cover[at] += SHARE;
        pixels.light[at] += SHARE * samples.light[l];
        pixels.tone[at] += SHARE * samples.tone[l];
        for (sum, of) in pixels.natural.iter_mut().zip(&samples.natural) {
            sum[at] += SHARE * of[l];
        }
        let sums = pixels.strengths.iter_mut().flatten();
        for (sum, of) in sums.zip(samples.strengths.iter().flatten()) {
            sum[at] += SHARE * of[l];
        }
    }
}

/// Turns sums over the covered samples into means.
#[inline(always)]
fn finish(pixels: &mut Pixels) {
    for l in 0..LANES {
        let n = 1.0 / pixels.cover[l];
        pixels.light[l] *= n;
        pixels.tone[l] *= n;
        for c in 0..3 {
            pixels.natural[c][l] *= n;
        }
        for [strength, measured] in &mut pixels.strengths {
            let mean = strength[l] / measured[l];
            strength[l] = if measured[l] > 0.0 { mean } else { 0.0 };
            measured[l] *= n;
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
        let linear = linear_table();
        let maps = reduce::maps(self.maps, &[], self.block, self.base.width);
        let median = median_luminance(self.base, self.maps, &linear);
        painter.strips(STRIP_ROWS, |number, pictures| {
            in_vectors(Printing {
                photo: self,
                painter,
                maps: &maps,
                linear: &linear,
                median,
                number,
                pictures,
            });
        })
    }
}

/// The drawing of one strip of a photograph.
struct Printing<'a, 'b, 'c> {
    photo: &'a Photo<'a>,
    painter: &'a Painter<'a>,
    maps: &'a [ParameterMap],
    linear: &'a [f32; 256],
    median: f32,
    number: usize,
    pictures: &'b mut [&'c mut [u8]],
}

impl Work for Printing<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (photo, [left, top, ..]) = (self.photo, self.photo.part);
        let place = |at: usize, from: usize, side: usize| {
            (from as f32 + (at as f32 + 0.5) * photo.block as f32) / side as f32
        };
        let (texels, _) = photo.small.rgb.as_chunks::<3>();
        let rows = self.number * STRIP_ROWS..((self.number + 1) * STRIP_ROWS).min(photo.height);
        for y in rows {
            for from in (0..photo.width).step_by(LANES) {
                let mut pixels = Pixels {
                    count: LANES.min(photo.width - from),
                    cover: [1.0; LANES],
                    light: [1.0; LANES],
                    ..Pixels::default()
                };
                let mut uv = [[0.0; LANES]; 2];
                for l in 0..pixels.count {
                    let x = from + l;
                    pixels.columns[l] = x;
                    let rgb = texels[y * photo.width + x].map(|c| self.linear[usize::from(c)]);
                    for c in 0..3 {
                        pixels.natural[c][l] = rgb[c];
                    }
                    pixels.tone[l] = (luminance(rgb) / self.median).min(4.0);
                    uv[0][l] = place(x, left, photo.base.width);
                    uv[1][l] = 1.0 - place(y, top, photo.base.height);
                }
                pixels.strengths = strengths_at(self.maps, &uv, pixels.count);
                finish(&mut pixels);
                let strip_row = y - self.number * STRIP_ROWS;
                self.painter.pixels(y, strip_row, &pixels, self.pictures);
            }
        }
    }
}
