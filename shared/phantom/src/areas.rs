//! Which part of the face a point of the atlas belongs to, and what is painted there.

use dermalia_findings::Region;
use dermalia_landmarks::{FaceMap, Label};
use dermalia_surface::rasterize_uv;

use crate::PhantomError;
use crate::base::Surface;

/// A polygon of the atlas with its bounds.
#[derive(Debug, Clone)]
pub(crate) struct Polygon {
    points: Vec<[f64; 2]>,
    bounds: [f64; 4],
}

impl Polygon {
    pub(crate) fn new(points: Vec<[f64; 2]>) -> Self {
        let mut bounds = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
        for p in &points {
            for k in 0..2 {
                bounds[k] = bounds[k].min(p[k]);
                bounds[k + 2] = bounds[k + 2].max(p[k]);
            }
        }
        Self { points, bounds }
    }

    pub(crate) fn bounds(&self) -> [f64; 4] {
        self.bounds
    }

    fn near(&self, p: [f64; 2], margin: f64) -> bool {
        (0..2).all(|k| p[k] >= self.bounds[k] - margin && p[k] <= self.bounds[k + 2] + margin)
    }

    /// Distance to the outline, negative inside; infinite beyond `margin` of the bounds.
    pub(crate) fn distance(&self, p: [f64; 2], margin: f64) -> f64 {
        if !self.near(p, margin) {
            return f64::INFINITY;
        }
        let (mut inside, mut best) = (false, f64::INFINITY);
        let n = self.points.len();
        for i in 0..n {
            let (a, b) = (self.points[i], self.points[(i + 1) % n]);
            if (a[1] > p[1]) != (b[1] > p[1])
                && p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0]
            {
                inside = !inside;
            }
            best = best.min(segment(p, a, b));
        }
        if inside { -best } else { best }
    }
}

/// Distance of a point to a segment.
pub(crate) fn segment(p: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let d = [b[0] - a[0], b[1] - a[1]];
    let q = [p[0] - a[0], p[1] - a[1]];
    let l = d[0] * d[0] + d[1] * d[1];
    let t = if l > 0.0 {
        ((q[0] * d[0] + q[1] * d[1]) / l).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let r = [q[0] - t * d[0], q[1] - t * d[1]];
    (r[0] * r[0] + r[1] * r[1]).sqrt()
}

/// The opening between the lids of the patient's right eye; it begins at its outer corner.
pub(crate) const EYE: [usize; 16] = [
    33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246,
];
/// The line between the lips, both sides.
pub(crate) const MOUTH: [usize; 20] = [
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
];

/// Labels over the atlas, looked up by the nearest of a fixed raster.
pub(crate) struct Areas {
    labels: Vec<Label>,
    /// Everything is one piece of skin.
    patch: bool,
}

const SIDE: usize = 1536;

impl Areas {
    pub(crate) fn new(surface: &Surface) -> Result<Self, PhantomError> {
        let Some(landmarks) = &surface.landmarks else {
            return Ok(Self {
                labels: vec![],
                patch: true,
            });
        };
        let raster = rasterize_uv(&surface.mesh, SIDE, SIDE);
        let labels = FaceMap::new(landmarks)?.atlas_labels(&surface.mesh, &raster);
        Ok(Self {
            labels,
            patch: false,
        })
    }

    fn label(&self, uv: [f64; 2]) -> Label {
        if !((0.0..1.0).contains(&uv[0]) && uv[1] > 0.0 && uv[1] <= 1.0) {
            return Label::OUTSIDE;
        }
        let cell = |v: f64| (v * SIDE as f64) as usize;
        self.labels[cell(1.0 - uv[1]) * SIDE + cell(uv[0])]
    }

    /// The region of a point of the atlas, masked or not.
    pub(crate) fn region(&self, uv: [f64; 2]) -> Option<Region> {
        if self.patch {
            Some(Region::Face)
        } else {
            self.label(uv).region()
        }
    }

    /// The region of a point that is measured skin.
    pub(crate) fn measured(&self, uv: [f64; 2]) -> Option<Region> {
        if self.patch {
            Some(Region::Face)
        } else {
            self.label(uv).measured()
        }
    }
}
