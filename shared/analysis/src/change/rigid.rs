//! Rigid motions and what determines them.

/// A point or a direction in millimetres.
pub(super) type V3 = [f64; 3];

/// Rotation, then shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rigid {
    pub(super) rotation: [V3; 3],
    pub(super) shift: V3,
}

pub(super) fn dot(a: V3, b: V3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn sub(a: V3, b: V3) -> V3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn cross(a: V3, b: V3) -> V3 {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

pub(super) fn distance(a: V3, b: V3) -> f64 {
    let d = sub(a, b);
    dot(d, d).sqrt()
}

pub(super) fn mean(points: &[V3]) -> V3 {
    let n = points.len().max(1) as f64;
    [0, 1, 2].map(|k| points.iter().map(|p| p[k]).sum::<f64>() / n)
}

impl Rigid {
    /// From a unit quaternion, real part first.
    fn turn([w, x, y, z]: [f64; 4]) -> [V3; 3] {
        [
            [
                w * w + x * x - y * y - z * z,
                2.0 * (x * y - w * z),
                2.0 * (x * z + w * y),
            ],
            [
                2.0 * (x * y + w * z),
                w * w - x * x + y * y - z * z,
                2.0 * (y * z - w * x),
            ],
            [
                2.0 * (x * z - w * y),
                2.0 * (y * z + w * x),
                w * w - x * x - y * y + z * z,
            ],
        ]
    }

    pub(super) fn apply(&self, p: V3) -> V3 {
        [0, 1, 2].map(|k| dot(self.rotation[k], p) + self.shift[k])
    }

    /// The direction after the rotation.
    pub(super) fn rotate(&self, d: V3) -> V3 {
        self.rotation.map(|row| dot(row, d))
    }

    pub(super) fn inverse(&self) -> Self {
        let r = &self.rotation;
        let rotation = [0, 1, 2].map(|k| [r[0][k], r[1][k], r[2][k]]);
        let shift = rotation.map(|row| -dot(row, self.shift));
        Self { rotation, shift }
    }

    /// This one first, then `next`.
    pub(super) fn then(&self, next: &Self) -> Self {
        let columns = [0, 1, 2].map(|k| next.rotate(self.rotation.map(|row| row[k])));
        Self {
            rotation: [0, 1, 2].map(|k| columns.map(|c| c[k])),
            shift: next.apply(self.shift),
        }
    }

    /// A rotation by the vector `turn` (radians) about `centre`, then a shift.
    pub(super) fn about(centre: V3, turn: V3, shift: V3) -> Self {
        let angle = dot(turn, turn).sqrt();
        let (sine, w) = (libm::sin(angle / 2.0), libm::cos(angle / 2.0));
        let by = if angle > 1e-300 { sine / angle } else { 0.5 };
        let rotation = Self::turn([w, turn[0] * by, turn[1] * by, turn[2] * by]);
        let turned = rotation.map(|row| dot(row, centre));
        Self {
            rotation,
            shift: [0, 1, 2].map(|k| centre[k] - turned[k] + shift[k]),
        }
    }

    pub(super) fn angle_deg(&self) -> f64 {
        let r = &self.rotation;
        // From the sine too, because the cosine says nothing of small angles.
        let sine = [r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]];
        let trace = r[0][0] + r[1][1] + r[2][2];
        libm::atan2(dot(sine, sine).sqrt(), trace - 1.0).to_degrees()
    }

    /// The motion of least squares that brings `from` onto `to`, in closed form
    /// (Horn 1987, doi 10.1364/JOSAA.4.000629).
    pub(super) fn of_pairs(from: &[V3], to: &[V3]) -> Self {
        let (a, b) = (mean(from), mean(to));
        let mut s = [[0.0; 3]; 3];
        for (p, q) in from.iter().zip(to) {
            let (p, q) = (sub(*p, a), sub(*q, b));
            for (row, x) in s.iter_mut().zip(p) {
                for (cell, y) in row.iter_mut().zip(q) {
                    *cell += x * y;
                }
            }
        }
        let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = s;
        let rotation = Self::turn(dominant([
            [xx + yy + zz, yz - zy, zx - xz, xy - yx],
            [yz - zy, xx - yy - zz, xy + yx, zx + xz],
            [zx - xz, xy + yx, yy - xx - zz, yz + zy],
            [xy - yx, zx + xz, yz + zy, zz - xx - yy],
        ]));
        let turned = rotation.map(|row| dot(row, a));
        Self {
            rotation,
            shift: sub(b, turned),
        }
    }
}

/// The unit eigenvector of the largest eigenvalue of a symmetric matrix, by Jacobi's
/// rotations.
fn dominant(mut m: [[f64; 4]; 4]) -> [f64; 4] {
    let mut v = [[0.0; 4]; 4];
    for (k, row) in v.iter_mut().enumerate() {
        row[k] = 1.0;
    }
    // Convergence is quadratic; some five sweeps reach the last digit.
    for _ in 0..16 {
        for p in 0..3 {
            for q in p + 1..4 {
                if m[p][q] == 0.0 {
                    continue;
                }
                let theta = (m[q][q] - m[p][p]) / (2.0 * m[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in &mut m {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                for k in 0..4 {
                    let (a, b) = (m[p][k], m[q][k]);
                    (m[p][k], m[q][k]) = (c * a - s * b, s * a + c * b);
                }
                for row in &mut v {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
    }
    let best = (0..4).fold(0, |b, k| if m[k][k] > m[b][b] { k } else { b });
    let q = v.map(|row| row[best]);
    let norm = q.iter().map(|c| c * c).sum::<f64>().sqrt();
    q.map(|c| c / norm)
}

/// Solves a symmetric positive system of six equations (Cholesky); `None` where the
/// points do not determine the motion.
pub(super) fn solve6(mut a: [[f64; 6]; 6], mut b: [f64; 6]) -> Option<[f64; 6]> {
    let scale = (0..6).map(|k| a[k][k]).fold(0.0, f64::max);
    for j in 0..6 {
        for k in 0..j {
            let l = a[j][k];
            for i in j..6 {
                a[i][j] -= a[i][k] * l;
            }
        }
        let pivot = a[j][j];
        if pivot.is_nan() || pivot <= 1e-9 * scale {
            return None;
        }
        let root = pivot.sqrt();
        for row in a.iter_mut().skip(j) {
            row[j] /= root;
        }
    }
    for i in 0..6 {
        for k in 0..i {
            b[i] -= a[i][k] * b[k];
        }
        b[i] /= a[i][i];
    }
    for i in (0..6).rev() {
        for k in i + 1..6 {
            b[i] -= a[k][i] * b[k];
        }
        b[i] /= a[i][i];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn motion() -> Rigid {
        Rigid::about([10.0, -4.0, 80.0], [0.2, -0.35, 0.1], [3.0, -7.0, 2.0])
    }

    #[test]
    fn a_motion_comes_back_from_its_points() {
        let from: Vec<V3> = (0..20)
            .map(|i| {
                let t = f64::from(i);
                [60.0 * libm::sin(t), 80.0 * libm::cos(1.7 * t), 3.0 * t]
            })
            .collect();
        let m = motion();
        let to: Vec<V3> = from.iter().map(|p| m.apply(*p)).collect();
        let found = Rigid::of_pairs(&from, &to);
        for p in &from {
            assert!(distance(found.apply(*p), m.apply(*p)) < 1e-9);
            assert!(distance(m.inverse().apply(m.apply(*p)), *p) < 1e-12);
            let twice = m.then(&found);
            assert!(distance(twice.apply(*p), m.apply(m.apply(*p))) < 1e-9);
        }
        let angle = (0.2_f64 * 0.2 + 0.35 * 0.35 + 0.1 * 0.1)
            .sqrt()
            .to_degrees();
        assert!((found.angle_deg() - angle).abs() < 1e-9);
    }

    #[test]
    fn six_equations_are_solved_and_a_missing_one_is_seen() {
        let mut a = [[0.0; 6]; 6];
        let x = [1.0, -2.0, 3.0, 0.5, -0.25, 4.0];
        for i in 0..6 {
            for j in 0..6 {
                a[i][j] = 1.0 / (1.0 + (i as f64 - j as f64).abs());
            }
            a[i][i] += 1.0;
        }
        let b = [0, 1, 2, 3, 4, 5].map(|i| (0..6).map(|j| a[i][j] * x[j]).sum::<f64>());
        let found = solve6(a, b).unwrap();
        assert!(found.iter().zip(x).all(|(f, x)| (f - x).abs() < 1e-12));
        for row in &mut a {
            row[4] = row[3];
        }
        a[4] = a[3];
        assert_eq!(solve6(a, b), None);
    }
}
