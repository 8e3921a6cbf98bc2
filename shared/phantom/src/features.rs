//! The things on the skin: exact shapes in surface millimetres.

use dermalia_findings::Region;

use crate::options::Earlier;
use crate::skin::{Point, V3, along, dot, norm, sub};

/// A round pit: a pore, or one too small to be called so.
#[derive(Debug, Clone)]
pub(crate) struct Pit {
    pub(crate) region: Region,
    pub(crate) centre: Point,
    /// Full width at half depth.
    pub(crate) diameter_mm: f64,
    pub(crate) depth_mm: f64,
    /// A raised cosine where set, else a Gaussian.
    pub(crate) cosine: bool,
}

impl Pit {
    pub(crate) fn reach_mm(&self) -> f64 {
        self.diameter_mm * if self.cosine { 1.0 } else { 1.6 }
    }

    /// Depth at a distance, as a fraction of the depth at the middle.
    pub(crate) fn profile(&self, r_mm: f64) -> f64 {
        let x = r_mm / self.diameter_mm;
        if self.cosine {
            if x >= 1.0 {
                0.0
            } else {
                0.5 * (1.0 + libm::cos(std::f64::consts::PI * x))
            }
        } else {
            gaussian(x)
        }
    }
}

/// 1 at 0 and one half at one half: x is the distance over the full width at half depth.
pub(crate) fn gaussian(x: f64) -> f64 {
    libm::exp(-4.0 * std::f64::consts::LN_2 * x * x)
}

/// A spot or a red area: a plateau with a soft edge around a lobed ellipse.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) region: Region,
    pub(crate) centre: Point,
    /// Along the half axes, in the tangent plane.
    pub(crate) axes: [V3; 2],
    pub(crate) half_axes_mm: [f64; 2],
    /// Two and three lobes around the outline: factors of the cosine and the sine.
    pub(crate) lobes: [[f64; 2]; 2],
    /// Half the width of the edge as a fraction of the radius, below 1.
    pub(crate) softness: f64,
    /// Increments in the middle.
    pub(crate) melanin: f64,
    pub(crate) haemoglobin: f64,
    /// More melanin in the middle, which only ultraviolet light shows.
    pub(crate) deep_melanin: f64,
}

impl Blob {
    pub(crate) fn reach_mm(&self) -> f64 {
        let lobes: f64 = self.lobes.iter().map(|[c, s]| (c * c + s * s).sqrt()).sum();
        self.half_axes_mm[0].max(self.half_axes_mm[1]) * (1.0 + self.softness) / (1.0 - lobes)
    }

    /// 1 on the contour where the increment is half of that in the middle. Distances
    /// run straight through space, directions along the tangent plane.
    pub(crate) fn rho(&self, p: V3) -> f64 {
        let q = sub(p, self.centre.mm);
        let (x, y) = (dot(q, self.axes[0]), dot(q, self.axes[1]));
        let flat = (x * x + y * y).sqrt();
        if flat == 0.0 {
            return norm(q) / self.half_axes_mm[0];
        }
        let (c, s) = (x / flat, y / flat);
        let (a, b) = (c / self.half_axes_mm[0], s / self.half_axes_mm[1]);
        let (c2, s2) = (c * c - s * s, 2.0 * c * s);
        let (c3, s3) = (c2 * c - s2 * s, s2 * c + c2 * s);
        let [two, three] = self.lobes;
        let lobes = two[0] * c2 + two[1] * s2 + three[0] * c3 + three[1] * s3;
        norm(q) * (a * a + b * b).sqrt() * (1.0 + lobes)
    }

    /// Increment as a fraction of that in the middle.
    pub(crate) fn profile(&self, rho: f64) -> f64 {
        let t = ((1.0 + self.softness - rho) / (2.0 * self.softness)).clamp(0.0, 1.0);
        t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
    }
}

/// A line: a wrinkle or a hair.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) region: Region,
    pub(crate) points: Vec<Point>,
    /// Running length at each point.
    pub(crate) at_mm: Vec<f64>,
    /// Full width at half depth.
    pub(crate) width_mm: f64,
    /// Depth of a wrinkle, optical density of a hair.
    pub(crate) depth: f64,
    /// Length over which each end rises from nothing.
    pub(crate) taper_mm: f64,
}

impl Line {
    pub(crate) fn new(
        region: Region,
        points: Vec<Point>,
        width_mm: f64,
        depth: f64,
        taper_mm: f64,
    ) -> Self {
        let mut length = 0.0;
        let mut at_mm = Vec::with_capacity(points.len());
        for (i, p) in points.iter().enumerate() {
            if i > 0 {
                length += norm(sub(p.mm, points[i - 1].mm));
            }
            at_mm.push(length);
        }
        Self {
            region,
            points,
            at_mm,
            width_mm,
            depth,
            taper_mm,
        }
    }

    pub(crate) fn total_mm(&self) -> f64 {
        self.at_mm.last().copied().unwrap_or(0.0)
    }

    /// Length between the two points where the depth is half.
    pub(crate) fn length_mm(&self) -> f64 {
        self.total_mm() - self.taper_mm
    }

    /// How far across the line it is drawn.
    pub(crate) fn reach_mm(&self) -> f64 {
        self.width_mm * 1.7
    }

    /// Depth on the line itself.
    pub(crate) fn depth_at(&self, s_mm: f64) -> f64 {
        let end = s_mm.min(self.total_mm() - s_mm);
        if end >= self.taper_mm {
            self.depth
        } else if end <= 0.0 {
            0.0
        } else {
            let phase = std::f64::consts::PI * end / self.taper_mm;
            self.depth * 0.5 * (1.0 - libm::cos(phase))
        }
    }

    /// Mean depth along [`Self::length_mm`], in closed form: the plateau, and from each
    /// end the half of the raised cosine that lies above one half.
    pub(crate) fn mean_depth(&self) -> f64 {
        let t = self.taper_mm;
        let plateau = self.total_mm() - 2.0 * t;
        let ends = t * (0.5 + 1.0 / std::f64::consts::PI);
        self.depth * (plateau + ends) / self.length_mm()
    }

    /// The point at a running length, as the segment and the position on it.
    fn at(&self, s_mm: f64) -> (V3, [f64; 2]) {
        let last = self.points.len() - 1;
        let i = self.at_mm.partition_point(|&a| a <= s_mm).clamp(1, last);
        let (a, b) = (&self.points[i - 1], &self.points[i]);
        let t = (s_mm - self.at_mm[i - 1]) / (self.at_mm[i] - self.at_mm[i - 1]);
        (
            along(a.mm, sub(b.mm, a.mm), t),
            [0, 1].map(|k| a.uv[k] + (b.uv[k] - a.uv[k]) * t),
        )
    }

    /// The path between the two points of half depth.
    pub(crate) fn path(&self) -> Vec<(V3, [f64; 2])> {
        let (from, to) = (self.taper_mm / 2.0, self.total_mm() - self.taper_mm / 2.0);
        let mut path = vec![self.at(from)];
        for (p, &s) in self.points.iter().zip(&self.at_mm) {
            if s > from && s < to {
                path.push((p.mm, p.uv));
            }
        }
        path.push(self.at(to));
        path
    }
}

/// Everything on one skin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Features {
    pub(crate) pores: Vec<Pit>,
    pub(crate) small_pits: Vec<Pit>,
    pub(crate) spots: Vec<Blob>,
    pub(crate) red_areas: Vec<Blob>,
    pub(crate) wrinkles: Vec<Line>,
    pub(crate) hairs: Vec<Line>,
}

/// What visible light shows of the melanin of a deep spot.
const SEEN_OF_DEEP: f64 = 0.04;

impl Features {
    /// Makes every second spot a deep one.
    pub(crate) fn deepen(&mut self) {
        for spot in self.spots.iter_mut().step_by(2) {
            spot.deep_melanin = (1.0 - SEEN_OF_DEEP) * spot.melanin;
            spot.melanin *= SEEN_OF_DEEP;
        }
    }

    /// Makes the skin what it was earlier. Everything else stays as and where it is.
    pub(crate) fn earlier(&mut self, earlier: Earlier) {
        let (n, missing) = (self.spots.len(), earlier.missing_spots);
        let mut i = 0;
        // Of any n in a row, so many steps of missing / n reach a whole number.
        self.spots.retain(|_| {
            i += 1;
            i * missing / n.max(1) == (i - 1) * missing / n.max(1)
        });
        for area in &mut self.red_areas {
            area.half_axes_mm = area.half_axes_mm.map(|a| a * earlier.red_diameter.min(1.0));
            area.haemoglobin *= earlier.redness;
        }
        for line in &mut self.wrinkles {
            line.depth *= earlier.wrinkle_depth;
        }
    }
}
