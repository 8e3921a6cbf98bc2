//! Features as strokes on planes: density and height, before lamps and camera.

use std::ops::Range;

use crate::features::{Blob, Features, Line, Pit, gaussian};
use crate::light::Capture;
use crate::skin::{Point, Skin};

/// Density that a millimetre of depth adds by keeping light out.
const PIT_DENSITY_PER_MM: f32 = 2.6;
const LINE_DENSITY_PER_MM: f32 = 1.3;

pub(crate) enum Stroke<'a> {
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
pub(crate) struct Box2 {
    pub(crate) x: [usize; 2],
    pub(crate) y: [usize; 2],
}

/// What the strokes paint, before lamps and camera, on some rows of the atlas.
pub(crate) struct Planes {
    rows: Range<usize>,
    /// Columns.
    width: usize,
    /// Where each pixel lies on the skin; infinite where there is none.
    pub(crate) position: Vec<[f32; 3]>,
    pub(crate) melanin: Vec<f32>,
    pub(crate) haemoglobin: Vec<f32>,
    /// Density of pits and lines in white light.
    pub(crate) cavity: Vec<f32>,
    pub(crate) hair: Vec<f32>,
    pub(crate) height: Vec<f32>,
}

/// Each feature with the pixels it may touch.
pub(crate) fn strokes<'a>(
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
    pub(crate) fn new(rows: Range<usize>, width: usize) -> Self {
        let n = rows.len() * width;
        Self {
            rows,
            width,
            position: vec![[f32::INFINITY; 3]; n],
            melanin: vec![0.0; n],
            haemoglobin: vec![0.0; n],
            cavity: vec![0.0; n],
            hair: vec![0.0; n],
            height: vec![0.0; n],
        }
    }

    pub(crate) fn paint(&mut self, stroke: &Stroke<'_>, area: Box2) {
        match stroke {
            Stroke::Pit(pit) => self.pit(area, pit),
            Stroke::Blob(blob) => self.blob(area, blob),
            Stroke::Line {
                line,
                hair,
                segments,
            } => self.line(area, line, *hair, segments),
        }
    }

    /// The indices of the pixels of a box that lie in these rows.
    fn within(&self, area: Box2) -> impl Iterator<Item = usize> + use<> {
        let (top, width) = (self.rows.start, self.width);
        (area.y[0].max(top)..(area.y[1] + 1).min(self.rows.end)).flat_map(move |y| {
            let row = (y - top) * width;
            row + area.x[0]..=row + area.x[1]
        })
    }

    fn pit(&mut self, area: Box2, pit: &Pit) {
        let c = pit.centre.mm.map(|c| c as f32);
        let reach = (pit.reach_mm() * pit.reach_mm()) as f32;
        for i in self.within(area) {
            let p = self.position[i];
            let d = [p[0] - c[0], p[1] - c[1], p[2] - c[2]];
            let r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            if r2 < reach {
                let depth = (pit.depth_mm * pit.profile(f64::from(r2.sqrt()))) as f32;
                self.cavity[i] += depth * PIT_DENSITY_PER_MM;
                self.height[i] -= depth;
            }
        }
    }

    fn blob(&mut self, area: Box2, blob: &Blob) {
        for i in self.within(area) {
            let p = self.position[i];
            if p[0].is_finite() {
                let amount = blob.profile(blob.rho(p.map(f64::from)));
                self.melanin[i] += (blob.melanin * amount) as f32;
                self.haemoglobin[i] += (blob.haemoglobin * amount) as f32;
            }
        }
    }

    /// The nearest point of the whole line counts once, whatever the number of segments
    /// that a pixel is near to.
    fn line(&mut self, area: Box2, line: &Line, hair: bool, segments: &[Box2]) {
        let reach = (line.reach_mm() * line.reach_mm()) as f32;
        let (x0, y0) = (area.x[0], area.y[0].max(self.rows.start));
        let y1 = (area.y[1] + 1).min(self.rows.end);
        if y0 >= y1 {
            return;
        }
        let width = area.x[1] + 1 - x0;
        // Squared distance and running length at the nearest point.
        let mut nearest = vec![(reach, 0.0_f32); width * (y1 - y0)];
        let offset = (y0 - self.rows.start) * self.width + x0;
        for (k, segment) in segments.iter().enumerate() {
            let a = line.points[k].mm.map(|c| c as f32);
            let b = line.points[k + 1].mm.map(|c| c as f32);
            let d = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
            let l2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            let (from, to) = (line.at_mm[k] as f32, line.at_mm[k + 1] as f32);
            for i in self.within(*segment) {
                let p = self.position[i];
                let q = [p[0] - a[0], p[1] - a[1], p[2] - a[2]];
                let t = ((q[0] * d[0] + q[1] * d[1] + q[2] * d[2]) / l2).clamp(0.0, 1.0);
                let r = [q[0] - t * d[0], q[1] - t * d[1], q[2] - t * d[2]];
                let r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
                let j = i - offset;
                let best = &mut nearest[j / self.width * width + j % self.width];
                if r2 < best.0 {
                    *best = (r2, from + (to - from) * t);
                }
            }
        }
        for (j, &(r2, s)) in nearest.iter().enumerate() {
            if r2 < reach {
                let i = offset + j / width * self.width + j % width;
                let across = gaussian(f64::from(r2.sqrt()) / line.width_mm);
                let depth = (line.depth_at(f64::from(s)) * across) as f32;
                if hair {
                    self.hair[i] += depth;
                } else {
                    self.cavity[i] += depth * LINE_DENSITY_PER_MM;
                    self.height[i] -= depth;
                }
            }
        }
    }
}
