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
    /// Melanin that only ultraviolet light shows.
    pub(crate) deep_melanin: Vec<f32>,
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
            deep_melanin: vec![0.0; n],
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
                self.deep_melanin[i] += (blob.deep_melanin * amount) as f32;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Base, PhantomOptions};
    use crate::skin::{cross, norm, sub};
    use crate::truth::TrueFeature;
    use crate::{areas, base, optics, place, reckon};
    use dermalia_surface::{NO_TRIANGLE, rasterize_uv};

    struct Painted {
        planes: Planes,
        size: usize,
        px_mm2: Vec<f64>,
        features: Features,
        skin: Skin,
        options: PhantomOptions,
    }

    impl Painted {
        /// Everything that `keep` leaves, on planes that cover the whole atlas.
        fn new(base_of: Base, seed: u64, size: usize, keep: impl Fn(&mut Features)) -> Self {
            let options = PhantomOptions {
                seed,
                base: base_of,
                size_px: size,
                ..PhantomOptions::default()
            };
            let surface = base::surface(base_of, seed).unwrap();
            let areas = areas::Areas::new(&surface).unwrap();
            let skin = Skin::new(surface.mesh);
            let mut features = place::features(&skin, &areas, &surface.landmark_uvs, &options);
            keep(&mut features);
            let mut planes = Planes::new(0..size, size);
            let mut px_mm2 = vec![0.0; size * size];
            let raster = rasterize_uv(&skin.mesh, size, size);
            for (i, &t) in raster.triangle.iter().enumerate() {
                if t != NO_TRIANGLE {
                    let chart = &skin.charts[t as usize];
                    let uv = [
                        ((i % size) as f64 + 0.5) / size as f64,
                        1.0 - ((i / size) as f64 + 0.5) / size as f64,
                    ];
                    planes.position[i] = chart.at(uv).map(|c| c as f32);
                    px_mm2[i] = norm(cross(chart.du, chart.dv)) / (size * size) as f64;
                }
            }
            let mut painted = Self {
                planes,
                size,
                px_mm2,
                features,
                skin,
                options,
            };
            let features = painted.features.clone();
            let capture = Capture::of(&painted.options);
            for (stroke, area) in strokes(&painted.skin, &features, &capture, size) {
                painted.planes.paint(&stroke, area);
            }
            painted
        }

        fn strokes(&self) -> Vec<(Stroke<'_>, Box2)> {
            let capture = Capture::of(&self.options);
            strokes(&self.skin, &self.features, &capture, self.size)
        }

        /// The surface in a box within `reach_mm` of a point where an interpolated value is
        /// above a level; pixels count in sixteenths.
        fn surface_above(
            &self,
            area: Box2,
            (centre, reach_mm): (crate::skin::V3, f64),
            level: f64,
            value: impl Fn(usize) -> f64,
        ) -> f64 {
            let mut sum = 0.0;
            for i in self.planes.within(area) {
                if norm(sub(self.planes.position[i].map(f64::from), centre)) > reach_mm {
                    continue;
                }
                let corners = [i, i + 1, i + self.size, i + self.size + 1].map(&value);
                for k in 0..16 {
                    let (x, y) = (
                        (f64::from(k % 4) + 0.5) / 4.0,
                        (f64::from(k / 4) + 0.5) / 4.0,
                    );
                    let top = corners[0] + (corners[1] - corners[0]) * x;
                    let low = corners[2] + (corners[3] - corners[2]) * x;
                    if top + (low - top) * y > level {
                        sum += self.px_mm2[i] / 16.0;
                    }
                }
            }
            sum
        }
    }

    #[test]
    fn painted_spots_have_their_stated_area_on_curved_skin() {
        let p = Painted::new(Base::Face { levels: 3 }, 4, 2048, |f| {
            f.pores.clear();
            f.wrinkles.clear();
        });
        let base = optics::Skin::of(crate::Tone::Light, crate::Melanin::Falling);
        let mut large = 0;
        for (stroke, area) in p.strokes() {
            let Stroke::Blob(blob) = stroke else {
                panic!("only spots and red areas were kept");
            };
            let half = 0.5 * (blob.melanin + blob.haemoglobin);
            let near = (blob.centre.mm, blob.reach_mm());
            let got = p.surface_above(area, near, half, |i| {
                f64::from(p.planes.melanin[i] + p.planes.haemoglobin[i])
            });
            let want = reckon::inside(&p.skin, &base, blob).area_mm2;
            // Interpolation rounds the contour of the smallest.
            let tolerance = if want > 3.0 { 0.005 } else { 0.025 };
            large += usize::from(want > 3.0);
            assert!((got / want - 1.0).abs() < tolerance, "{got} {want}");
        }
        assert!(large > 8);
    }

    #[test]
    fn painted_pores_have_their_stated_diameter() {
        let patch = Base::Patch {
            side_mm: 30.0,
            radius_mm: Some(40.0),
        };
        let p = Painted::new(patch, 2, 1500, |f| {
            f.wrinkles.clear();
            f.spots.clear();
            f.red_areas.clear();
        });
        assert!(p.features.pores.len() > 100);
        for (stroke, area) in p.strokes() {
            let Stroke::Pit(pore) = stroke else {
                panic!("only pores were kept");
            };
            let near = (pore.centre.mm, pore.diameter_mm);
            let depth = |i: usize| f64::from(-p.planes.height[i]);
            let surface = p.surface_above(area, near, 0.5 * pore.depth_mm, depth);
            let diameter = (surface / std::f64::consts::FRAC_PI_4).sqrt();
            assert!((diameter / pore.diameter_mm - 1.0).abs() < 0.01);
            let middle = |i: &usize| {
                let q = p.planes.position[*i].map(f64::from);
                norm(sub(q, pore.centre.mm)) < 0.25 * pore.diameter_mm
            };
            let pixels = p.planes.within(area).filter(middle);
            let deepest = pixels.map(depth).fold(0.0, f64::max);
            assert!((deepest / pore.depth_mm - 1.0).abs() < 0.02);
        }
    }

    /// Follows each painted groove and compares length, width and depth.
    #[test]
    fn painted_wrinkles_have_their_stated_length_width_and_depth() {
        let patch = Base::Patch {
            side_mm: 60.0,
            radius_mm: None,
        };
        let p = Painted::new(patch, 5, 2400, |f| {
            f.pores.clear();
            f.spots.clear();
            f.red_areas.clear();
        });
        let depth = |x: f64, y: f64| {
            let px = |v: f64| ((v / 60.0 + 0.5) * p.size as f64) as usize;
            f64::from(-p.planes.height[(p.size - 1 - px(y)) * p.size + px(x)])
        };
        assert!(p.features.wrinkles.len() >= 3);
        for line in &p.features.wrinkles {
            let path = line.path();
            let length: f64 = path.windows(2).map(|w| norm(sub(w[1].0, w[0].0))).sum();
            assert!((length - line.length_mm()).abs() < 1e-6);
            let deepest = line.depth;
            let (first, last) = (path[0].0, path[path.len() - 1].0);
            for end in [first, last] {
                assert!((depth(end[0], end[1]) / deepest - 0.5).abs() < 0.02);
            }
            let (mut sum, mut n) = (0.0, 0.0);
            for w in path.windows(2) {
                for k in 0..8 {
                    let t = (f64::from(k) + 0.5) / 8.0;
                    let q = [0, 1].map(|c| w[0].0[c] + (w[1].0[c] - w[0].0[c]) * t);
                    let step = norm(sub(w[1].0, w[0].0)) / 8.0;
                    sum += step * depth(q[0], q[1]);
                    n += step;
                }
            }
            assert!((sum / n / line.mean_depth() - 1.0).abs() < 0.01);
            // Across the middle the depth is half at half the width.
            let k = path.len() / 2;
            let d = sub(path[k + 1].0, path[k - 1].0);
            let m = path[k].0;
            let half = line.width_mm / 2.0 / norm(d);
            for side in [-half, half] {
                let at = depth(m[0] - d[1] * side, m[1] + d[0] * side);
                assert!((at / depth(m[0], m[1]) - 0.5).abs() < 0.05);
            }
        }
    }

    #[test]
    fn the_truth_states_what_was_placed() {
        let options = PhantomOptions {
            size_px: 256,
            seed: 5,
            base: Base::Patch {
                side_mm: 60.0,
                radius_mm: None,
            },
            ..PhantomOptions::default()
        };
        let p = Painted::new(options.base, 5, 256, |_| {});
        let truth = crate::Phantom::generate(&options).unwrap().truth;
        let lengths: Vec<f64> = truth
            .features
            .iter()
            .filter_map(|f| match f {
                TrueFeature::Wrinkle { length_mm, .. } => Some(*length_mm),
                _ => None,
            })
            .collect();
        let placed: Vec<f64> = p.features.wrinkles.iter().map(Line::length_mm).collect();
        assert_eq!(lengths, placed);
        let pores = truth
            .features
            .iter()
            .filter(|f| matches!(f, TrueFeature::Pore { .. }));
        assert_eq!(pores.count(), p.features.pores.len());
    }
}
