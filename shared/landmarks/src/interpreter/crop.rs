//! The operations that the attention model adds: it crops its own feature maps around the
//! eyes and the lips (MediaPipe's `Landmarks2TransformMatrix`, `TransformTensorBilinear`
//! and `TransformLandmarks`, version 2).

use super::ModelError;
use super::layers::{Spend, misfit};
use super::model::{Tensor, picture, volume};

/// From landmarks to the matrix of a turned crop around some of them.
pub(super) struct CropMatrix {
    pub(super) left: usize,
    pub(super) right: usize,
    pub(super) target_radians: f32,
    pub(super) subset: Vec<usize>,
    /// Columns and rows of the crop.
    pub(super) size: [f32; 2],
    pub(super) scale: [f32; 2],
}

impl CropMatrix {
    pub(super) fn apply(&self, at: usize, points: &Tensor) -> Result<Tensor, ModelError> {
        let get = |i: usize| -> Result<[f32; 2], ModelError> {
            let found = i.checked_mul(3).and_then(|k| points.values.get(k..k + 2));
            match found {
                Some(p) if points.shape.last() == Some(&3) => Ok([p[0], p[1]]),
                _ => Err(misfit(at, "landmarks", points, format!("a landmark {i}"))),
            }
        };
        let (left, right) = (get(self.left)?, get(self.right)?);
        let angle = self.target_radians - libm::atan2f(right[1] - left[1], right[0] - left[0]);
        let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for &i in &self.subset {
            let [x, y] = get(i)?;
            let turned = [cos * x - sin * y, sin * x + cos * y];
            for k in 0..2 {
                low[k] = low[k].min(turned[k]);
                high[k] = high[k].max(turned[k]);
            }
        }
        let middle = [0, 1].map(|k| (low[k] + high[k]) / 2.0);
        let centre = [
            cos * middle[0] + sin * middle[1],
            cos * middle[1] - sin * middle[0],
        ];
        // A point of the crop, from its middle, scaled, turned back, moved to the centre.
        let [sx, sy] = [0, 1].map(|k| self.scale[k] * (high[k] - low[k]) / self.size[k]);
        let (a, b, c, d) = (cos * sx, sin * sy, -sin * sx, cos * sy);
        let [hx, hy] = self.size.map(|n| n / 2.0);
        let row_x = [a, b, 0.0, centre[0] - a * hx - b * hy];
        let row_y = [c, d, 0.0, centre[1] - c * hx - d * hy];
        let rest = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        Ok(Tensor {
            shape: vec![1, 4, 4],
            values: row_x.into_iter().chain(row_y).chain(rest).collect(),
        })
    }
}

/// The first two rows of a 4 x 4 matrix.
fn rows(at: usize, matrix: &Tensor) -> Result<[[f32; 4]; 2], ModelError> {
    let v = &matrix.values;
    if v.len() != 16 {
        return Err(misfit(at, "matrix", matrix, "16 numbers".to_owned()));
    }
    Ok([[v[0], v[1], v[2], v[3]], [v[4], v[5], v[6], v[7]]])
}

/// Samples `size` rows and columns through the matrix, zero beyond the picture.
pub(super) fn crop(
    at: usize,
    input: &Tensor,
    matrix: &Tensor,
    size: [usize; 2],
    spend: &mut Spend<'_>,
) -> Result<Tensor, ModelError> {
    let [height, width, channels] = picture(at, "input", input)?;
    let m = rows(at, matrix)?;
    let shape = vec![1, size[0], size[1], channels];
    let count = volume(&shape)?;
    spend(count.saturating_mul(4))?;
    let mut values = vec![0.0; count];
    for (px, out) in values.chunks_exact_mut(channels).enumerate() {
        // Middles of pixels onto middles of pixels.
        let (cx, cy) = ((px % size[1]) as f32 + 0.5, (px / size[1]) as f32 + 0.5);
        let [x, y] = [0, 1].map(|k| m[k][0] * cx + m[k][1] * cy + m[k][3] - 0.5);
        let inside = x >= 0.0 && y >= 0.0 && x <= (width - 1) as f32 && y <= (height - 1) as f32;
        if !inside {
            continue;
        }
        let (x0, y0) = (x.floor(), y.floor());
        let (right, below) = (x - x0, y - y0);
        let (x0, y0) = (x0 as usize, y0 as usize);
        let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
        let pixel = |y: usize, x: usize| {
            let from = (y * width + x) * channels;
            &input.values[from..from + channels]
        };
        let (p, q, r, s) = (pixel(y0, x0), pixel(y0, x1), pixel(y1, x0), pixel(y1, x1));
        for (k, o) in out.iter_mut().enumerate() {
            let upper = (1.0 - right) * p[k] + right * q[k];
            let lower = (1.0 - right) * r[k] + right * s[k];
            *o = below * lower + (1.0 - below) * upper;
        }
    }
    Ok(Tensor { shape, values })
}

/// Points of the crop to points of the picture; x and y, the rest unchanged.
pub(super) fn transform_points(
    at: usize,
    points: &Tensor,
    matrix: &Tensor,
) -> Result<Tensor, ModelError> {
    let m = rows(at, matrix)?;
    let stride = match points.shape.last() {
        Some(&n @ (2 | 3)) => n,
        _ => {
            return Err(misfit(
                at,
                "points",
                points,
                "2 or 3 coordinates".to_owned(),
            ));
        }
    };
    let mut out = points.clone();
    for p in out.values.chunks_exact_mut(stride) {
        let (x, y) = (p[0], p[1]);
        p[0] = m[0][0] * x + m[0][1] * y + m[0][3];
        p[1] = m[1][0] * x + m[1][1] * y + m[1][3];
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Tensor {
        Tensor {
            shape: vec![1, 4, 3],
            values: vec![2.0, 2.0, 9.0, 6.0, 2.0, 9.0, 2.0, 4.0, 9.0, 6.0, 4.0, 9.0],
        }
    }

    fn around(left: usize, right: usize) -> CropMatrix {
        CropMatrix {
            left,
            right,
            target_radians: 0.0,
            subset: vec![0, 1, 2, 3],
            size: [4.0, 4.0],
            scale: [1.0, 1.0],
        }
    }

    #[test]
    fn an_upright_crop_spans_its_points() {
        // A box from (2, 2) to (6, 4), cropped to 4 x 4: x = 2 + x', y = 2 + y' / 2.
        let m = around(0, 1).apply(0, &points()).unwrap().values;
        assert_eq!(m[..8], [1.0, 0.0, 0.0, 2.0, 0.0, 0.5, 0.0, 2.0]);
    }

    #[test]
    fn a_turned_crop_turns_back() {
        // From point 0 down to point 2: the crop's x axis runs down.
        let m = around(0, 2).apply(0, &points()).unwrap();
        let corner = Tensor {
            shape: vec![1, 2, 2],
            values: vec![0.0, 0.0, 4.0, 4.0],
        };
        let moved = transform_points(0, &corner, &m).unwrap().values;
        for (got, expected) in moved.iter().zip([6.0, 2.0, 2.0, 4.0]) {
            assert!((got - expected).abs() < 1e-5, "{moved:?}");
        }
    }

    #[test]
    fn sampling_is_bilinear_between_middles() {
        let input = Tensor {
            shape: vec![1, 2, 2, 1],
            values: vec![0.0, 1.0, 2.0, 3.0],
        };
        let mut m = Tensor {
            shape: vec![1, 4, 4],
            values: vec![0.0; 16],
        };
        // One pixel, whose middle falls onto the middle of the picture.
        (m.values[0], m.values[5], m.values[3], m.values[7]) = (1.0, 1.0, 0.5, 0.5);
        let out = crop(0, &input, &m, [1, 1], &mut |_| Ok(())).unwrap();
        assert_eq!(out.values, [1.5]);
        m.values[3] = f32::NAN;
        assert_eq!(
            crop(0, &input, &m, [1, 1], &mut |_| Ok(())).unwrap().values,
            [0.0]
        );
    }

    #[test]
    fn a_landmark_that_is_not_there_is_an_error() {
        assert!(around(0, 4).apply(0, &points()).is_err());
        assert!(around(0, usize::MAX).apply(0, &points()).is_err());
    }
}
