//! How far one increment reaches: the surface inside half of its height.

use crate::discriminant::Discriminant;
use crate::field::{Field, gaussian, quantile, smooth_weighted};
use crate::segments::{Basins, NO_BASIN};
use crate::summit::{Point, height};

/// One increment above the local skin.
#[derive(Debug, Clone)]
pub(crate) struct Increment {
    /// The surface inside half of the increment.
    pub(crate) area_mm2: f64,
    /// The height above the local skin, in the units of the plane.
    pub(crate) height: f32,
    /// The middle, weighted by height, in cells of the field.
    pub(crate) centre: [f64; 2],
    /// The shorter and the longer axis of the ellipse of the same moments, in mm.
    pub(crate) axes_mm: [f64; 2],
    /// The cells inside half, in ascending order.
    pub(crate) inside: Vec<u32>,
    /// Cells of the local skin around.
    pub(crate) around: Vec<u32>,
    /// How far it stands out of the noise around it, in standard deviations.
    pub(crate) sigmas: f32,
    /// What the search says of it: CIEDE2000 or a*.
    pub(crate) contrast: f64,
}

impl Increment {
    /// Whether a cell lies inside half.
    pub(crate) fn holds(&self, cell: u32) -> bool {
        self.inside.binary_search(&cell).is_ok()
    }
}

/// More than a red area of 5 cm across is a difference between parts of the face.
const MOST_MM2: f32 = 2000.0;

/// Smoothing for the measurement, as a share of the root of the area: little enough that
/// the first-order correction below undoes it; more where the noise asks for it.
const SMOOTH_SHARE: [f32; 2] = [0.04, 0.15];
/// The noise left after smoothing, as a share of the height: more would tear the outline,
/// less would take smoothing that the correction overdoes.
const NOISE_SHARE: f32 = 0.05;
/// From this share on the largest value of an increment is noise.
const NOISY_SHARE: f32 = 0.03;

/// A window of the field.
struct Window {
    x0: usize,
    y0: usize,
    w: usize,
    h: usize,
}

impl Window {
    fn cell(&self, field: &Field, i: usize) -> usize {
        (self.y0 + i / self.w) * field.width + self.x0 + i % self.w
    }

    fn local(&self, field: &Field, cell: usize) -> usize {
        (cell / field.width - self.y0) * self.w + cell % field.width - self.x0
    }
}

/// Measures one basin. `smooth` is the plane less the baseline that the
/// basins were flooded on, `core` the cells near any peak, `unit` the plane's value of a
/// step of density.
///
/// The outline is not drawn on the plane itself: once an increment and the skin around it
/// are known, the linear form of density that tells the two apart best (Fisher's) has far
/// less noise, above all on dark skin, where blue is nearly black.
pub(crate) fn measure(
    field: &Field,
    smooth: &[f32],
    weight: &[f32],
    basins: &Basins,
    core: &[bool],
    number: usize,
    unit: impl Fn([f32; 3]) -> f32,
) -> Option<Increment> {
    let own = number as u32;
    let top = smooth[basins.peaks[number]];
    let upper = &basins.members[number];
    let upper = &upper[..upper.partition_point(|&c| smooth[c as usize] > 0.5 * top)];
    let rough = connected(field, upper, basins.peaks[number]);
    let rough_area: f32 = rough.iter().map(|&i| field.area_mm2[i as usize]).sum();
    if rough_area <= 0.0 || rough_area > MOST_MM2 {
        return None;
    }
    let root = rough_area.sqrt();
    let radius = 0.564 * root;
    // A soft edge reaches far: a Gaussian is down to 1 % at 2.6 times its half radius.
    let from = 1.6 * radius.min(3.0) + 0.5 * (radius - 3.0).max(0.0) + 0.2;
    let to = from + 0.8 * radius.min(4.0) + 0.8;
    let window = window_around(field, &rough, to + 1.0);
    let (w, h) = (window.w, window.h);

    let distance = distances(field, &window, &rough);
    let around: Vec<u32> = (0..h)
        .flat_map(|y| {
            let first = window.cell(field, y * w);
            (0..w).map(move |x| (y * w + x, first + x))
        })
        .filter(|&(i, c)| {
            (from..to).contains(&distance[i])
                && weight[c] > 0.5
                && (basins.basin[c] == own || !core[c])
        })
        .map(|(_, c)| c as u32)
        .collect();
    let cell_mm = field.cell_mm;
    let row = |y: usize| {
        let first = window.cell(field, y * w);
        first..first + w
    };
    let mass: Vec<f32> = (0..h)
        .flat_map(|y| weight[row(y)].iter().copied())
        .collect();
    let cell = (cell_mm[0] * cell_mm[1]).sqrt();
    let sigma_mm = (SMOOTH_SHARE[0] * root).max(0.3 * cell);
    let sigma = cell_mm.map(|mm| sigma_mm / mm);
    let bottom = gaussian(&mass, w, h, sigma);
    let planes = [0, 1, 2].map(|k| {
        let density = (0..h).flat_map(|y| field.density[k][row(y)].iter());
        let product: Vec<f32> = density.zip(&mass).map(|(d, m)| d * m).collect();
        let mut top = gaussian(&product, w, h, sigma);
        for (t, b) in top.iter_mut().zip(&bottom) {
            *t = if *b > 1e-4 { *t / *b } else { 0.0 };
        }
        top
    });
    let inner: Vec<usize> = rough
        .iter()
        .map(|&c| window.local(field, c as usize))
        .collect();
    let outer: Vec<usize> = around
        .iter()
        .map(|&c| window.local(field, c as usize))
        .collect();
    let discriminant = Discriminant::of(&planes, w, &inner, &outer)?;
    let mut f = discriminant.plane(&planes, w);
    let mut variance = sigma.map(|s| s * s + 1.0 / 12.0);
    // Where that leaves too much noise, some more smoothing.
    let noise = spread(outer.iter().map(|&i| f[i]));
    let wanted = (sigma_mm * noise / NOISE_SHARE).min(SMOOTH_SHARE[1] * root);
    if wanted > sigma_mm {
        let more = cell_mm.map(|mm| (wanted * wanted - sigma_mm * sigma_mm).sqrt() / mm);
        f = smooth_weighted(&f, &mass, w, h, more);
        variance = [0, 1].map(|k| variance[k] + more[k] * more[k]);
    }
    sharpen(&mut f, w, h, variance.map(|v| 0.5 * v));
    let ground = 0.0;

    // The cells that may belong to it: connected, not a neighbour's.
    let may = |i: usize| {
        let c = window.cell(field, i);
        basins.basin[c] == own || basins.basin[c] == NO_BASIN
    };
    let seeds = inner;
    let samples = if rough_area < 40.0 {
        4
    } else if rough_area < 400.0 {
        2
    } else {
        1
    };
    let mut reach = vec![false; w * h];
    for &s in &seeds {
        reach[s] = true;
    }
    let mut points = vec![];
    let mut tall = 1.2;
    // The height decides the outline and the outline the height; two rounds settle it.
    for _ in 0..2 {
        points.clear();
        for i in (0..w * h).filter(|&i| reach[i]) {
            supersample(&f, w, h, i, samples.min(2), |v, x, y| {
                points.push(Point {
                    value: v - ground,
                    area_mm2: field.area_mm2[window.cell(field, i)],
                    at: [x, y],
                });
            });
        }
        tall = height(&points, tall, noise > NOISY_SHARE)?;
        let half = ground + 0.5 * tall;
        let peak = *seeds
            .iter()
            .max_by(|&&a, &&b| f[a].total_cmp(&f[b]).then(b.cmp(&a)))?;
        reach.fill(false);
        for i in flood_window(w, h, peak, |i| may(i) && f[i] > half) {
            reach[i] = true;
        }
        grow(&mut reach, w, h, may);
    }
    if tall <= 0.0 {
        return None;
    }

    let half = ground + 0.5 * tall;
    let (mut area, mut mass) = (0.0_f64, 0.0_f64);
    let (mut sum, mut moment) = ([0.0_f64; 2], [0.0_f64; 3]);
    let mut first = [0.0_f64; 2];
    let mut inside = vec![];
    for i in (0..w * h).filter(|&i| reach[i]) {
        let c = window.cell(field, i);
        let piece = f64::from(field.area_mm2[c]) / (samples * samples) as f64;
        supersample(&f, w, h, i, samples, |v, x, y| {
            if v > half && piece > 0.0 {
                let m = piece * f64::from(v - ground);
                let p = [
                    f64::from(x) * f64::from(cell_mm[0]),
                    f64::from(y) * f64::from(cell_mm[1]),
                ];
                area += piece;
                mass += m;
                sum[0] += m * f64::from(x);
                sum[1] += m * f64::from(y);
                first[0] += piece * p[0];
                first[1] += piece * p[1];
                moment[0] += piece * p[0] * p[0];
                moment[1] += piece * p[0] * p[1];
                moment[2] += piece * p[1] * p[1];
            }
        });
        if f[i] > half {
            inside.push(c as u32);
        }
    }
    if mass <= 0.0 || inside.is_empty() {
        return None;
    }
    let (mx, my) = (first[0] / area, first[1] / area);
    let (xx, xy, yy) = (
        moment[0] / area - mx * mx,
        moment[1] / area - mx * my,
        moment[2] / area - my * my,
    );
    let (mean, spread) = (
        0.5 * (xx + yy),
        (0.25 * (xx - yy) * (xx - yy) + xy * xy).sqrt(),
    );
    // The atlas may stretch here: the axes are scaled to the surface.
    let local_scale = (area / (mean * mean - spread * spread).max(1e-9).sqrt() / 12.566).sqrt();
    let scale = local_scale.clamp(0.3, 3.0);
    Some(Increment {
        area_mm2: area,
        height: tall * unit(discriminant.step.map(|v| v as f32)),
        centre: [
            window.x0 as f64 + sum[0] / mass,
            window.y0 as f64 + sum[1] / mass,
        ],
        axes_mm: [
            4.0 * (mean - spread).max(0.0).sqrt() * scale,
            4.0 * (mean + spread).sqrt() * scale,
        ],
        inside,
        around,
        sigmas: 0.0,
        contrast: 0.0,
    })
}

/// The standard deviation of most of some values.
fn spread(values: impl Iterator<Item = f32>) -> f32 {
    let mut v: Vec<f32> = values.collect();
    let Some(middle) = quantile(&mut v, 0.5) else {
        return 0.0;
    };
    for x in &mut v {
        *x = (*x - middle).abs();
    }
    quantile(&mut v, 0.5).map_or(0.0, |m| 1.4826 * m)
}

/// Undoes a blur to first order; `gain` is half its variance across and down.
fn sharpen(f: &mut [f32], w: usize, h: usize, gain: [f32; 2]) {
    let source = f.to_vec();
    for y in 1..h.saturating_sub(1) {
        for x in 1..w.saturating_sub(1) {
            let i = y * w + x;
            let xx = source[i - 1] + source[i + 1] - 2.0 * source[i];
            let yy = source[i - w] + source[i + w] - 2.0 * source[i];
            f[i] = source[i] - gain[0] * xx - gain[1] * yy;
        }
    }
}

/// Calls with value and place of `n` x `n` points of a cell, by Catmull-Rom splines.
fn supersample<F: FnMut(f32, f32, f32)>(
    f: &[f32],
    w: usize,
    h: usize,
    i: usize,
    n: usize,
    mut take: F,
) {
    let (x, y) = ((i % w) as isize, (i / w) as isize);
    if n == 1 {
        take(f[i], x as f32, y as f32);
        return;
    }
    let at = |dx: isize, dy: isize| {
        let cx = (x + dx).clamp(0, w as isize - 1) as usize;
        let cy = (y + dy).clamp(0, h as isize - 1) as usize;
        f[cy * w + cx]
    };
    for sy in 0..n {
        let ty = (sy as f32 + 0.5) / n as f32 - 0.5;
        for sx in 0..n {
            let tx = (sx as f32 + 0.5) / n as f32 - 0.5;
            let (bx, by) = (if tx < 0.0 { -1 } else { 0 }, if ty < 0.0 { -1 } else { 0 });
            let (wx, wy) = (catmull_rom(tx - bx as f32), catmull_rom(ty - by as f32));
            let mut v = 0.0;
            for (k, cy) in wy.iter().enumerate() {
                for (l, cx) in wx.iter().enumerate() {
                    v += cy * cx * at(bx + l as isize - 1, by + k as isize - 1);
                }
            }
            take(v, x as f32 + tx, y as f32 + ty);
        }
    }
}

fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        0.5 * (-t + 2.0 * t2 - t3),
        0.5 * (2.0 - 5.0 * t2 + 3.0 * t3),
        0.5 * (t + 4.0 * t2 - 3.0 * t3),
        0.5 * (-t2 + t3),
    ]
}

/// Cells connected to a start, over the field.
pub(crate) fn flood<F: Fn(usize) -> bool>(field: &Field, start: usize, inside: F) -> Vec<u32> {
    let found = flood_window(field.width, field.height, start, inside);
    let mut cells: Vec<u32> = found.into_iter().map(|i| i as u32).collect();
    cells.sort_unstable();
    cells
}

/// Those of some cells that are connected to a start, in ascending order.
fn connected(field: &Field, cells: &[u32], start: usize) -> Vec<u32> {
    if cells.is_empty() {
        return vec![];
    }
    let window = window_around(field, cells, 0.0);
    let mut among = vec![false; window.w * window.h];
    for &c in cells {
        among[window.local(field, c as usize)] = true;
    }
    let start = window.local(field, start);
    let found = flood_window(window.w, window.h, start, |i| among[i]);
    let mut cells: Vec<u32> = found
        .into_iter()
        .map(|i| window.cell(field, i) as u32)
        .collect();
    cells.sort_unstable();
    cells
}

/// The same over a plain raster of that width and height, in the order of discovery.
pub(crate) fn flood_window<F: Fn(usize) -> bool>(
    w: usize,
    h: usize,
    start: usize,
    inside: F,
) -> Vec<usize> {
    let mut seen = vec![false; w * h];
    let mut stack = vec![start];
    let mut out = vec![start];
    seen[start] = true;
    while let Some(i) = stack.pop() {
        let (x, y) = (i % w, i / w);
        for ny in y.saturating_sub(1)..=(y + 1).min(h - 1) {
            for nx in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                let j = ny * w + nx;
                if !seen[j] && inside(j) {
                    seen[j] = true;
                    stack.push(j);
                    out.push(j);
                }
            }
        }
    }
    out
}

/// Adds the neighbours of a set, where they may belong to it.
fn grow<F: Fn(usize) -> bool>(set: &mut [bool], w: usize, h: usize, may: F) {
    let old = set.to_vec();
    for i in (0..w * h).filter(|&i| old[i]) {
        let (x, y) = (i % w, i / w);
        for ny in y.saturating_sub(1)..=(y + 1).min(h - 1) {
            for nx in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                let j = ny * w + nx;
                set[j] |= may(j);
            }
        }
    }
}

fn window_around(field: &Field, cells: &[u32], margin_mm: f32) -> Window {
    let (mut lo, mut hi) = ([usize::MAX; 2], [0; 2]);
    for &c in cells {
        let p = [c as usize % field.width, c as usize / field.width];
        for k in 0..2 {
            lo[k] = lo[k].min(p[k]);
            hi[k] = hi[k].max(p[k]);
        }
    }
    let size = [field.width, field.height];
    for k in 0..2 {
        let margin = (margin_mm / field.cell_mm[k]).ceil() as usize + 2;
        lo[k] = lo[k].saturating_sub(margin);
        hi[k] = (hi[k] + margin).min(size[k] - 1);
    }
    Window {
        x0: lo[0],
        y0: lo[1],
        w: hi[0] - lo[0] + 1,
        h: hi[1] - lo[1] + 1,
    }
}

/// Distance of every cell of a window from a set, along the surface, in mm (a chamfer
/// of two passes, good to some percent).
fn distances(field: &Field, window: &Window, from: &[u32]) -> Vec<f32> {
    let (w, h) = (window.w, window.h);
    let typical = (field.cell_mm[0] * field.cell_mm[1]).max(1e-12);
    let scale: Vec<f32> = (0..h)
        .flat_map(|y| {
            let first = window.cell(field, y * w);
            field.area_mm2[first..first + w].iter()
        })
        .map(|&area| {
            if area > 0.0 {
                (area / typical).sqrt()
            } else {
                1.0
            }
        })
        .collect();
    let mut d = vec![f32::INFINITY; w * h];
    for &c in from {
        d[window.local(field, c as usize)] = 0.0;
    }
    let [mx, my] = field.cell_mm;
    let diagonal = (mx * mx + my * my).sqrt();
    let steps: [(isize, isize, f32); 4] = [
        (-1, 0, mx),
        (-1, -1, diagonal),
        (0, -1, my),
        (1, -1, diagonal),
    ];
    let mut pass = |x: usize, y: usize, sign: isize| {
        let i = y * w + x;
        let (x, y) = (x as isize, y as isize);
        for (dx, dy, mm) in steps {
            let (nx, ny) = (x + sign * dx, y + sign * dy);
            if nx >= 0 && ny >= 0 && nx < w as isize && ny < h as isize {
                let j = ny as usize * w + nx as usize;
                let via = d[j] + mm * 0.5 * (scale[i] + scale[j]);
                if via < d[i] {
                    d[i] = via;
                }
            }
        }
    };
    for y in 0..h {
        (0..w).for_each(|x| pass(x, y, 1));
    }
    for y in (0..h).rev() {
        (0..w).rev().for_each(|x| pass(x, y, -1));
    }
    d
}
