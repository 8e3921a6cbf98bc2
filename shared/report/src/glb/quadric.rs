//! The sum of squared distances from planes (Garland and Heckbert 1997, doi
//! 10.1145/258734.258849), counted from a place of its own, so that single precision is
//! enough.

use dermalia_surface::{Vec3, dot};

/// Squared distances from the planes of triangles, each times its area.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quadric {
    /// The upper half of the matrix, row by row.
    matrix: [f32; 6],
    vector: Vec3,
    constant: f32,
    area_mm2: f32,
}

impl Quadric {
    /// Of a plane through the place from which is counted.
    pub(super) fn plane([x, y, z]: Vec3, area_mm2: f32) -> Self {
        Self {
            matrix: [x * x, x * y, x * z, y * y, y * z, z * z].map(|c| c * area_mm2),
            vector: [0.0; 3],
            constant: 0.0,
            area_mm2,
        }
    }

    /// Both together; they must count from the same place.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, c) in self.matrix.iter_mut().zip(other.matrix) {
            *sum += c;
        }
        for (sum, c) in self.vector.iter_mut().zip(other.vector) {
            *sum += c;
        }
        self.constant += other.constant;
        self.area_mm2 += other.area_mm2;
    }

    #[inline(always)]
    fn turned(&self, [x, y, z]: Vec3) -> Vec3 {
        let [xx, xy, xz, yy, yz, zz] = self.matrix;
        [
            xx * x + xy * y + xz * z,
            xy * x + yy * y + yz * z,
            xz * x + yz * y + zz * z,
        ]
    }

    /// The sum at a place that is away by `d`, in mm4.
    #[inline(always)]
    pub(super) fn sum(&self, d: Vec3) -> f32 {
        let turned = self.turned(d);
        (dot(d, turned) + 2.0 * dot(self.vector, d) + self.constant).max(0.0)
    }

    /// The mean of the squared distances whose sum is this, in mm2.
    #[inline(always)]
    pub(super) fn mean(&self, sum: f32) -> f32 {
        sum / self.area_mm2.max(f32::MIN_POSITIVE)
    }

    /// The same, counted from a place that is away by `d`.
    pub(super) fn seen_from(&self, d: Vec3) -> Self {
        let turned = self.turned(d);
        Self {
            vector: [0, 1, 2].map(|k| self.vector[k] + turned[k]),
            constant: self.sum(d),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_give_their_squared_distances_from_wherever_is_counted() {
        let mut both = Quadric::plane([0.0, 0.6, 0.8], 2.0);
        both.add(&Quadric::plane([1.0, 0.0, 0.0], 6.0));
        // 3 from the second plane; 0.6 * 5 + 0.8 * 10 = 11 from the first.
        let mean = (2.0 * 121.0 + 6.0 * 9.0) / 8.0;
        assert!((both.mean(both.sum([3.0, 5.0, 10.0])) - mean).abs() < 1e-4);
        let moved = both.seen_from([1.0, -4.0, 2.5]);
        assert!((moved.mean(moved.sum([2.0, 9.0, 7.5])) - mean).abs() < 1e-4);
        assert_eq!(Quadric::default().mean(0.0), 0.0);
    }
}
