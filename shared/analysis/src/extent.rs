//! How far one increment reaches: the surface inside half of its height.

use dermalia_surface::in_vectors;

use crate::discriminant::{Discriminant, LEAST_AROUND};
use crate::field::{Field, quantile};
use crate::flood::Flood;
use crate::gaussian::{gaussian, smooth_weighted};
use crate::segments::{Basins, NO_BASIN};
use crate::summit::{Point, height};
use crate::wide::Wide;
use crate::window::{distances, window_around};

/// One increment above the local skin.
#[derive(Debug, Clone, Default)]
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
    /// The diameter of a circle of its surface.
    pub(crate) fn width_mm(&self) -> f32 {
        (self.area_mm2 as f32 / std::f32::consts::FRAC_PI_4).sqrt()
    }

    /// Whether a cell lies inside half.
    pub(crate) fn holds(&self, cell: u32) -> bool {
        self.inside.binary_search(&cell).is_ok()
    }

    /// The same in the cells of the field that these are wide cells of.
    pub(crate) fn finer(&self, wide: &Wide, fine: &Field) -> Self {
        Self {
            centre: [0, 1].map(|k| (self.centre[k] + 0.5) * wide.times[k] as f64 - 0.5),
            inside: wide.finer(&self.inside, fine),
            around: wide.finer(&self.around, fine),
            ..*self
        }
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

/// The basins that a plane was flooded into.
pub(crate) struct Ground<'a> {
    pub(crate) basins: &'a Basins,
    /// The cells near any peak.
    pub(crate) core: &'a [bool],
    /// The wide cells that these are of, where they are not those that are measured.
    pub(crate) wide: Option<&'a Wide>,
}

impl Ground<'_> {
    /// The cell of the plane at a cell that is measured.
    pub(crate) fn place(&self, field: &Field, cell: usize) -> usize {
        self.wide.map_or(cell, |w| w.over(field, cell))
    }
}

/// The cells of a basin that lie above half of its peak and are connected to it.
pub(crate) fn outline(field: &Field, smooth: &[f32], basins: &Basins, number: usize) -> Vec<u32> {
    let top = smooth[basins.peaks[number]];
    let upper = &basins.members[number];
    let upper = &upper[..upper.partition_point(|&c| smooth[c as usize] > 0.5 * top)];
    connected(field, upper, basins.peaks[number])
}

/// Measures one basin with a rough outline. `unit` is the value of a step of density.
///
/// The outline is not drawn on the plane that was flooded: once an increment and the skin
/// around it are known, the linear form of density that tells the two apart best (Fisher's)
/// has far less noise, above all on dark skin, where blue is nearly black.
pub(crate) fn measure(
    field: &Field,
    weight: &[f32],
    rough: &[u32],
    ground: &Ground<'_>,
    number: usize,
    unit: impl Fn([f32; 3]) -> f32,
) -> Option<Increment> {
    let own = number as u32;
    let basin = |c: usize| ground.basins.basin[c];
    let rough_area = field.surface(rough);
    if rough_area <= 0.0 || rough_area > MOST_MM2 {
        return None;
    }
    let root = rough_area.sqrt();
    let radius = 0.564 * root;
    // A soft edge reaches far: a Gaussian is down to 1 % at 2.6 times its half radius.
    let from = 1.6 * radius.min(3.0) + 0.5 * (radius - 3.0).max(0.0) + 0.2;
    let to = from + 0.8 * radius.min(4.0) + 0.8;
    let window = window_around(field, rough, to + 1.0);
    let (w, h) = (window.w, window.h);

    let distance = distances(field, &window, rough);
    let (mut around, mut outer) = (vec![], vec![]);
    for y in 0..h {
        let first = window.cell(field, y * w);
        for (x, d) in distance[y * w..(y + 1) * w].iter().enumerate() {
            let c = first + x;
            if (from..to).contains(d) && weight[c] > 0.5 {
                let place = ground.place(field, c);
                if basin(place) == own || !ground.core[place] {
                    around.push(c as u32);
                    outer.push(y * w + x);
                }
            }
        }
    }
    if outer.len() < LEAST_AROUND {
        return None;
    }
    let cell_mm = field.cell_mm;
    let mass = window.of(field, weight);
    let cell = (cell_mm[0] * cell_mm[1]).sqrt();
    let sigma_mm = (SMOOTH_SHARE[0] * root).max(0.3 * cell);
    let sigma = cell_mm.map(|mm| sigma_mm / mm);
    let bottom = gaussian(&mass, w, h, sigma);
    let planes = [0, 1, 2].map(|k| {
        let mut product = window.of(field, &field.density[k]);
        for (d, m) in product.iter_mut().zip(&mass) {
            *d *= m;
        }
        let mut top = gaussian(&product, w, h, sigma);
        in_vectors(|| {
            for (t, b) in top.iter_mut().zip(&bottom) {
                *t = if *b > 1e-4 { *t / *b } else { 0.0 };
            }
        });
        top
    });
    let inner: Vec<usize> = rough
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
    let level = 0.0;

    // The cells that may belong to it: connected, not a neighbour's.
    let may = |i: usize| {
        let c = ground.place(field, window.cell(field, i));
        basin(c) == own || basin(c) == NO_BASIN
    };
    let seeds = inner;
    let samples = if rough_area < 40.0 {
        4
    } else if rough_area < 400.0 {
        2
    } else {
        1
    };
    let (splines, rough_splines) = (splines(samples), splines(samples.min(2)));
    let mut flood = Flood::new(w, h);
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
            supersample(&f, [w, h], i, &rough_splines, |v, x, y| {
                points.push(Point {
                    value: v - level,
                    area_mm2: field.area_mm2[window.cell(field, i)],
                    at: [x, y],
                });
            });
        }
        tall = height(&points, tall, noise > NOISY_SHARE)?;
        let half = level + 0.5 * tall;
        let peak = *seeds
            .iter()
            .max_by(|&&a, &&b| f[a].total_cmp(&f[b]).then(b.cmp(&a)))?;
        reach.fill(false);
        for i in flood.cells(peak, |i| may(i) && f[i] > half) {
            reach[i as usize] = true;
        }
        grow(&mut reach, w, h, may);
    }
    if tall <= 0.0 {
        return None;
    }

    let half = level + 0.5 * tall;
    let (mut area, mut mass) = (0.0_f64, 0.0_f64);
    let (mut sum, mut moment) = ([0.0_f64; 2], [0.0_f64; 3]);
    let mut first = [0.0_f64; 2];
    let mut inside = vec![];
    for i in (0..w * h).filter(|&i| reach[i]) {
        let c = window.cell(field, i);
        let piece = f64::from(field.area_mm2[c]) / (samples * samples) as f64;
        supersample(&f, [w, h], i, &splines, |v, x, y| {
            if v > half && piece > 0.0 {
                let m = piece * f64::from(v - level);
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
    in_vectors(|| {
        for y in 1..h.saturating_sub(1) {
            let row = |y: usize| &source[y * w..(y + 1) * w];
            let (up, own, down) = (row(y - 1), row(y), row(y + 1));
            let out = &mut f[y * w..(y + 1) * w];
            for x in 1..w.saturating_sub(1) {
                let xx = own[x - 1] + own[x + 1] - 2.0 * own[x];
                let yy = up[x] + down[x] - 2.0 * own[x];
                out[x] = own[x] - gain[0] * xx - gain[1] * yy;
            }
        }
    });
}

/// Where along a side of a cell a point lies, and what it takes of five cells around.
struct Spline {
    at: f32,
    weights: [f32; 5],
}

/// The `n` points along a side of a cell, by Catmull-Rom splines.
fn splines(n: usize) -> Vec<Spline> {
    (0..n)
        .map(|k| {
            let at = (k as f32 + 0.5) / n as f32 - 0.5;
            let mut weights = [0.0; 5];
            if at < 0.0 {
                weights[..4].copy_from_slice(&catmull_rom(at + 1.0));
            } else {
                weights[1..].copy_from_slice(&catmull_rom(at));
            }
            Spline { at, weights }
        })
        .collect()
}

/// Calls with value and place of the points of a cell.
fn supersample<F: FnMut(f32, f32, f32)>(
    f: &[f32],
    [w, h]: [usize; 2],
    i: usize,
    splines: &[Spline],
    mut take: F,
) {
    let (x, y) = (i % w, i / w);
    if splines.len() == 1 {
        take(f[i], x as f32, y as f32);
        return;
    }
    // Beyond an edge the cell at the edge stands again.
    let columns = [0, 1, 2, 3, 4].map(|k| (x + k).saturating_sub(2).min(w - 1));
    let rows = [0, 1, 2, 3, 4].map(|k| (y + k).saturating_sub(2).min(h - 1) * w);
    // Across first: five rows, one value a point.
    let mut across = [[0.0_f32; 5]; 4];
    for (line, spline) in across.iter_mut().zip(splines) {
        for (v, row) in line.iter_mut().zip(rows) {
            for (c, column) in spline.weights.iter().zip(columns) {
                *v += c * f[row + column];
            }
        }
    }
    for down in splines {
        for (line, spline) in across.iter().zip(splines) {
            let mut v = 0.0;
            for (c, a) in down.weights.iter().zip(line) {
                v += c * a;
            }
            take(v, x as f32 + spline.at, y as f32 + down.at);
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

/// Those of some cells that are connected to a start, in ascending order.
pub(crate) fn connected(field: &Field, cells: &[u32], start: usize) -> Vec<u32> {
    if cells.is_empty() {
        return vec![];
    }
    let window = window_around(field, cells, 0.0);
    let mut among = vec![false; window.w * window.h];
    for &c in cells {
        among[window.local(field, c as usize)] = true;
    }
    let start = window.local(field, start);
    let mut cells = Flood::new(window.w, window.h).cells(start, |i| among[i]);
    for c in &mut cells {
        *c = window.cell(field, *c as usize) as u32;
    }
    cells
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
