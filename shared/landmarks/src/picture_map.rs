use dermalia_surface::{Vec3, add, cross, normalize, sub};

use crate::atlas::{self, weights_2d};
use crate::canonical::{FACE_POINTS, canonical};
use crate::face_map::{FaceMapError, check};
use crate::label::Label;

/// Skin seen flatter than this is too oblique to be measured.
const LEAST_COSINE: f32 = 0.3;

/// Which region each pixel of a photograph belongs to, from landmarks in pixels.
pub struct PictureFaceMap {
    points_px: Vec<Vec3>,
}

impl PictureFaceMap {
    /// From at least 468 landmarks in pixels (x right, y down, z away from the camera).
    ///
    /// # Errors
    /// Too few points, points that are not numbers, or all points in one place.
    pub fn new(points_px: &[[f32; 3]]) -> Result<Self, FaceMapError> {
        check(points_px)?;
        Ok(Self {
            points_px: points_px.to_vec(),
        })
    }

    /// The same face in a picture `factor` times as large.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        let scaled = |p: &Vec3| p.map(|c| c * factor);
        Self {
            points_px: self.points_px.iter().map(scaled).collect(),
        }
    }

    /// The label of each pixel, row-major. Skin turned away from the camera by more than
    /// about 70 degrees is outside.
    #[must_use]
    pub fn labels(&self, width: usize, height: usize) -> Vec<Label> {
        let face = canonical();
        let corners = |t: usize| face.triangles[t].map(|i| self.points_px[i as usize]);
        // Counter-clockwise from the front turns clockwise where y points down.
        let normal = |t: usize| {
            let [a, b, c] = corners(t);
            cross(sub(c, a), sub(b, a))
        };
        let mut normals = vec![[0.0; 3]; FACE_POINTS];
        for (t, c) in face.triangles.iter().enumerate() {
            for &i in c {
                normals[i as usize] = add(normals[i as usize], normal(t));
            }
        }
        let cosines: Vec<f32> = normals.into_iter().map(|n| normalize(n)[2]).collect();
        let mut order: Vec<usize> = (0..face.triangles.len())
            .filter(|&t| normal(t)[2] > 0.0)
            .collect();
        // Far triangles first, so that near ones hide them.
        let depth = |t: usize| corners(t).iter().map(|p| p[2]).sum::<f32>();
        order.sort_by(|&a, &b| depth(b).total_cmp(&depth(a)).then(a.cmp(&b)));
        let mut labels = vec![Label::OUTSIDE; width * height];
        for t in order {
            let q = corners(t).map(|p| [p[0], p[1]]);
            let uv = face.triangles[t].map(|i| face.uvs[i as usize]);
            let cosine = face.triangles[t].map(|i| cosines[i as usize]);
            let span = |k: usize, size: usize| {
                let lo = q[0][k].min(q[1][k]).min(q[2][k]);
                let hi = q[0][k].max(q[1][k]).max(q[2][k]);
                let limit = size as f32;
                ((lo - 0.5).clamp(0.0, limit) as usize)..((hi + 1.5).clamp(0.0, limit) as usize)
            };
            for y in span(1, height) {
                for x in span(0, width) {
                    let Some(g) = weights_2d(q, [x as f32 + 0.5, y as f32 + 0.5]) else {
                        break;
                    };
                    if g.iter().any(|&w| w < -1e-4) {
                        continue;
                    }
                    let at = [0, 1].map(|k| (0..3).map(|c| uv[c][k] * g[c]).sum());
                    let label = atlas::label(at);
                    let towards: f32 = (0..3).map(|c| cosine[c] * g[c]).sum();
                    // What is masked stays masked, however it is turned.
                    let hidden = towards < LEAST_COSINE && label.excluded().is_none();
                    labels[y * width + x] = if hidden { Label::OUTSIDE } else { label };
                }
            }
        }
        labels
    }
}
