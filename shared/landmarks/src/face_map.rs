use dermalia_surface::{
    Mesh, NO_TRIANGLE, UvRaster, Vec3, add, cross, dot, norm, normalize, scale, sub,
};
use rayon::prelude::*;

use crate::atlas::{self, weights_2d};
use crate::canonical::{FACE_POINTS, canonical};
use crate::closest::{Closest, Tree};
use crate::label::Label;

/// Points farther than this from the landmarks are not of the face.
const REACH_MM: f32 = 25.0;
/// Cosine between the normals of the scan and of the landmarks, from which on a point is
/// taken for the face's outside and not for a fold behind it.
const LEAST_AGREEMENT: f32 = -0.2;
/// A face whose landmarks span less is none.
const SMALLEST_FACE: f32 = 10.0;

/// Why landmarks do not make a face map.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FaceMapError {
    /// Too few points.
    #[error("{got} landmarks, expected at least {FACE_POINTS}")]
    TooFew {
        /// How many came.
        got: usize,
    },
    /// A coordinate is NaN or infinite.
    #[error("landmark {index} is not a finite number")]
    NotFinite {
        /// Which one.
        index: usize,
    },
    /// All points in one place.
    #[error("the landmarks span {span}, expected at least {SMALLEST_FACE}")]
    Degenerate {
        /// Distance from the top of the face to the chin.
        span: f32,
    },
}

pub(crate) fn check(points: &[Vec3]) -> Result<(), FaceMapError> {
    if points.len() < FACE_POINTS {
        return Err(FaceMapError::TooFew { got: points.len() });
    }
    if let Some(index) = points.iter().position(|p| p.iter().any(|c| !c.is_finite())) {
        return Err(FaceMapError::NotFinite { index });
    }
    let span = norm(sub(points[10], points[152]));
    if span.is_nan() || span < SMALLEST_FACE {
        return Err(FaceMapError::Degenerate { span });
    }
    Ok(())
}

/// Which region each point of a scanned face belongs to, from its landmarks.
///
/// The landmarks are joined by the canonical triangles; a point of the scan gets the
/// canonical atlas coordinate of the nearest point of that surface, and the coordinate
/// has its [`Label`] in the canonical atlas.
pub struct FaceMap {
    face: Mesh,
    tree: Tree,
    /// For each triangle the corner opposite to its border edge, if it has one.
    border_opposite: Vec<Option<usize>>,
    border_point: Vec<bool>,
    normals: Vec<Vec3>,
}

impl FaceMap {
    /// From at least 468 landmarks in millimetres, in the product's frame.
    ///
    /// # Errors
    /// Too few points, points that are not numbers, or all points in one place.
    pub fn new(points_mm: &[Vec3]) -> Result<Self, FaceMapError> {
        check(points_mm)?;
        let face = canonical().with_points(points_mm);
        let mut edges: Vec<([u32; 2], usize, usize)> = vec![];
        for (t, c) in face.triangles.iter().enumerate() {
            for k in 0..3 {
                let (a, b) = (c[(k + 1) % 3], c[(k + 2) % 3]);
                edges.push(([a.min(b), a.max(b)], t, k));
            }
        }
        edges.sort_unstable();
        let mut border_opposite = vec![None; face.triangles.len()];
        let mut border_point = vec![false; FACE_POINTS];
        for group in edges.chunk_by(|a, b| a.0 == b.0) {
            if let [(ends, triangle, opposite)] = group {
                border_opposite[*triangle] = Some(*opposite);
                for &end in ends {
                    border_point[end as usize] = true;
                }
            }
        }
        let normals = face.vertex_normals();
        Ok(Self {
            tree: Tree::of(&face),
            face,
            border_opposite,
            border_point,
            normals,
        })
    }

    /// The canonical atlas coordinate of each point of a mesh (in step with
    /// `mesh.positions`); `None` where the mesh is farther than 25 mm from the face or
    /// turned away from it. Just beyond the oval the coordinate continues outward, so that
    /// interpolating over a triangle that straddles the oval is right.
    #[must_use]
    pub fn coordinates(&self, mesh: &Mesh) -> Vec<Option<[f32; 2]>> {
        let normals = mesh.vertex_normals();
        let found = self.tree.closest_of_each(&mesh.positions, REACH_MM);
        (found.par_iter().zip(&mesh.positions).zip(&normals))
            .map(|((found, p), normal)| self.of_closest(*p, *normal, found.as_ref()?))
            .collect()
    }

    /// The canonical atlas coordinate of one point with its outward normal.
    #[must_use]
    pub fn coordinate(&self, point_mm: Vec3, normal: Vec3) -> Option<[f32; 2]> {
        let found = self.tree.closest(point_mm, REACH_MM)?;
        self.of_closest(point_mm, normal, &found)
    }

    fn of_closest(&self, point_mm: Vec3, normal: Vec3, found: &Closest) -> Option<[f32; 2]> {
        // Single triangles of landmarks can lie folded, as on a closed eye; their points'
        // normals do not.
        let corners = self.face.triangles[found.triangle];
        let towards = (0..3)
            .map(|k| dot(self.normals[corners[k] as usize], normal) * found.bary[k])
            .sum::<f32>();
        if towards < LEAST_AGREEMENT {
            return None;
        }
        Some(self.continued(point_mm, found))
    }

    /// The label of a canonical atlas coordinate.
    #[must_use]
    pub fn label(&self, canonical_uv: [f32; 2]) -> Label {
        atlas::label(canonical_uv)
    }

    /// The label of each pixel of the mesh's atlas, in step with `raster`.
    #[must_use]
    pub fn atlas_labels(&self, mesh: &Mesh, raster: &UvRaster) -> Vec<Label> {
        let w = raster.width.max(1);
        let painter = self.painter(mesh, raster.width, raster.height);
        let mut labels = vec![Label::OUTSIDE; raster.triangle.len()];
        labels
            .par_chunks_mut(w)
            .zip(raster.triangle.par_chunks(w))
            .enumerate()
            .for_each(|(y, (row, triangles))| {
                let mut x = 0;
                for run in triangles.chunk_by(|a, b| a == b) {
                    if run[0] != NO_TRIANGLE {
                        let out = &mut row[x..x + run.len()];
                        painter.paint(run[0], [x, y], out, |label| label);
                    }
                    x += run.len();
                }
            });
        labels
    }

    /// What paints the labels of a mesh's atlas in a raster of `width` x `height` pixels.
    #[must_use]
    pub fn painter(&self, mesh: &Mesh, width: usize, height: usize) -> Painter {
        let coordinates = self.coordinates(mesh);
        let size = [width as f32, height as f32];
        let paints = (0..mesh.triangles.len())
            .into_par_iter()
            .map(|t| {
                let corners = mesh.triangles[t].map(|i| coordinates[i as usize]);
                let [Some(a), Some(b), Some(c)] = corners else {
                    return Paint::One(Label::OUTSIDE);
                };
                Paint::of(mesh.uv_corners(t), [a, b, c], size)
            })
            .collect();
        Painter { size, paints }
    }

    /// The coordinate of the closest point, carried on where that lies on the border.
    fn continued(&self, p: Vec3, found: &Closest) -> [f32; 2] {
        let t = found.triangle;
        let uv = self.face.uv_corners(t);
        let at = [0, 1].map(|k| (0..3).map(|c| uv[c][k] * found.bary[c]).sum::<f32>());
        let out = |from: [f32; 2], share: f32| [0, 1].map(|k| at[k] + (at[k] - from[k]) * share);
        let q = self.face.point(t, found.bary);
        if let Some(opposite) = self.border_opposite[t].filter(|&k| found.bary[k] <= 0.0) {
            let corners = self.face.corners(t);
            let (a, b) = (corners[(opposite + 1) % 3], corners[(opposite + 2) % 3]);
            let inward = normalize(cross(self.face.area_normal(t), sub(b, a)));
            let height = dot(sub(corners[opposite], a), inward);
            let beyond = -dot(sub(p, q), inward);
            if height > 0.0 && beyond > 0.0 {
                return out(uv[opposite], beyond / height);
            }
        } else if (0..3)
            .any(|k| found.bary[k] >= 1.0 && self.border_point[self.face.triangles[t][k] as usize])
        {
            // A corner of the border: away from the middle of the atlas.
            return out([0.5, 0.5], norm(sub(p, q)) / 100.0);
        }
        at
    }

    /// The centre of the landmarks in millimetres.
    #[must_use]
    pub fn centre_mm(&self) -> Vec3 {
        let sum = self.face.positions.iter().fold([0.0; 3], |s, &p| add(s, p));
        scale(sum, 1.0 / FACE_POINTS as f32)
    }
}

/// Paints labels into an atlas.
pub struct Painter {
    /// Of the raster, in pixels.
    size: [f32; 2],
    paints: Vec<Paint>,
}

/// How a triangle of an atlas is painted.
enum Paint {
    /// All with one label.
    One(Label),
    /// By the canonical coordinate, which is affine in one triangle: `at` its first corner
    /// `near` (in the mesh's atlas), with its change over one pixel to the `right` and `down`.
    Each {
        near: [f32; 2],
        at: [f32; 2],
        right: [f32; 2],
        down: [f32; 2],
    },
}

impl Paint {
    /// From the corners in the mesh's atlas and in the canonical one.
    fn of(uv: [[f32; 2]; 3], [a, b, c]: [[f32; 2]; 3], size: [f32; 2]) -> Self {
        if !is_thin(uv) {
            // Rounding moves no coordinate of such a triangle by a pixel of the labels.
            const ROUNDING: f32 = 1.0 / 1024.0;
            let low = [0, 1].map(|k| a[k].min(b[k]).min(c[k]) - ROUNDING);
            let high = [0, 1].map(|k| a[k].max(b[k]).max(c[k]) + ROUNDING);
            if let Some(label) = atlas::one_label(low, high) {
                return Self::One(label);
            }
        }
        let value = |at: [f32; 2]| {
            let g = weights_2d(uv, at)?;
            Some([0, 1].map(|k| a[k] * g[0] + b[k] * g[1] + c[k] * g[2]))
        };
        // Near the triangle, so that nothing is lost to cancellation.
        let near = uv[0];
        let (Some(at), Some(right), Some(down)) = (
            value(near),
            value([near[0] + 1.0, near[1]]),
            value([near[0], near[1] - 1.0]),
        ) else {
            return Self::One(Label::OUTSIDE);
        };
        Self::Each {
            near,
            at,
            right: [0, 1].map(|k| (right[k] - at[k]) / size[0]),
            down: [0, 1].map(|k| (down[k] - at[k]) / size[1]),
        }
    }
}

/// Whether a triangle is so long and thin that weights in it lose digits: 32-bit weights
/// are good to 1e-7 times the square of this ratio.
fn is_thin(q: [[f32; 2]; 3]) -> bool {
    const THINNEST: f32 = 16.0;
    let side = |i: usize, j: usize| [q[j][0] - q[i][0], q[j][1] - q[i][1]];
    let (a, b, c) = (side(0, 1), side(0, 2), side(1, 2));
    let longest2 = [a, b, c]
        .iter()
        .map(|s| s[0] * s[0] + s[1] * s[1])
        .fold(0.0, f32::max);
    let double_area = (a[0] * b[1] - b[0] * a[1]).abs();
    longest2 >= THINNEST * double_area
}

impl Painter {
    /// The one label of a triangle; `None` where pixels of it differ.
    #[must_use]
    pub fn whole(&self, triangle: usize) -> Option<Label> {
        match self.paints[triangle] {
            Paint::One(label) => Some(label),
            Paint::Each { .. } => None,
        }
    }

    /// Paints a run of pixels of one triangle in one row, with what `colour` makes of a
    /// label; `from` is the column and row of the first pixel in the raster.
    pub fn paint<T: Copy>(
        &self,
        triangle: u32,
        from: [usize; 2],
        run: &mut [T],
        colour: impl Fn(Label) -> T,
    ) {
        match &self.paints[triangle as usize] {
            Paint::One(label) => run.fill(colour(*label)),
            Paint::Each {
                near: [u, v],
                at,
                right,
                down,
            } => {
                let dy = from[1] as f32 + 0.5 - (1.0 - v) * self.size[1];
                for (i, px) in run.iter_mut().enumerate() {
                    let dx = (from[0] + i) as f32 + 0.5 - u * self.size[0];
                    let place = [0, 1].map(|k| at[k] + right[k] * dx + down[k] * dy);
                    *px = colour(atlas::label(place));
                }
            }
        }
    }
}
