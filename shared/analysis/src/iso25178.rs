//! Height parameters of ISO 25178-2 over points that can weigh differently.

/// The height parameters of a levelled surface, in the unit of the heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeightParameters {
    /// Arithmetic mean height.
    pub sa: f64,
    /// Root mean square height.
    pub sq: f64,
    /// Largest peak height.
    pub sp: f64,
    /// Largest pit depth.
    pub sv: f64,
    /// Maximum height, `sp + sv`.
    pub sz: f64,
    /// Skewness.
    pub ssk: f64,
    /// Kurtosis; 3 for a normal distribution.
    pub sku: f64,
}

/// The parameters of heights about their weighted mean; each point is a height and the
/// surface it stands for. Points that are not finite or weigh nothing are missing.
///
/// `None` without any point. A surface without height has skewness 0 and kurtosis 0.
pub fn height_parameters<I>(points: I) -> Option<HeightParameters>
where
    I: Iterator<Item = (f64, f64)> + Clone,
{
    let valid = points.filter(|(z, w)| z.is_finite() && *w > 0.0);
    let (mut weight, mut first) = (0.0, 0.0);
    for (z, w) in valid.clone() {
        weight += w;
        first += w * z;
    }
    if weight <= 0.0 {
        return None;
    }
    let mean = first / weight;
    let mut moments = Moments::default();
    for (z, w) in valid {
        moments.add_point(z - mean, w);
    }
    moments.parameters()
}

/// Sums for the height parameters of points whose mean is zero; sums of parts add up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moments {
    weight: f64,
    absolute: f64,
    powers: [f64; 3],
    highest: f64,
    deepest: f64,
}

impl Moments {
    pub(crate) fn add_point(&mut self, z: f64, weight: f64) {
        let z2 = z * z;
        self.weight += weight;
        self.absolute += weight * z.abs();
        self.powers[0] += weight * z2;
        self.powers[1] += weight * z2 * z;
        self.powers[2] += weight * z2 * z2;
        self.highest = self.highest.max(z);
        self.deepest = self.deepest.max(-z);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.weight += other.weight;
        self.absolute += other.absolute;
        for k in 0..3 {
            self.powers[k] += other.powers[k];
        }
        self.highest = self.highest.max(other.highest);
        self.deepest = self.deepest.max(other.deepest);
    }

    pub(crate) fn parameters(&self) -> Option<HeightParameters> {
        if self.weight <= 0.0 {
            return None;
        }
        let [m2, m3, m4] = self.powers.map(|p| p / self.weight);
        let sq = m2.sqrt();
        let over = |m: f64, d: f64| if d > 0.0 { m / d } else { 0.0 };
        Some(HeightParameters {
            sa: self.absolute / self.weight,
            sq,
            sp: self.highest,
            sv: self.deepest,
            sz: self.highest + self.deepest,
            ssk: over(m3, sq * sq * sq),
            sku: over(m4, m2 * m2),
        })
    }
}

/// Removes the least-squares plane of a raster in place; missing points are not finite.
pub fn remove_plane(heights: &mut [f64], width: usize) {
    if width == 0 {
        return;
    }
    // Coordinates about the middle keep the normal equations well conditioned.
    let (cx, cy) = (
        (width as f64 - 1.0) / 2.0,
        ((heights.len() / width) as f64 - 1.0) / 2.0,
    );
    let at = |i: usize| [1.0, (i % width) as f64 - cx, (i / width) as f64 - cy];
    let mut normal = [[0.0_f64; 4]; 3];
    for (i, z) in heights.iter().enumerate().filter(|(_, z)| z.is_finite()) {
        let b = at(i);
        for r in 0..3 {
            for c in 0..3 {
                normal[r][c] += b[r] * b[c];
            }
            normal[r][3] += b[r] * z;
        }
    }
    let Some(plane) = solve(normal) else {
        return;
    };
    for (i, z) in heights.iter_mut().enumerate() {
        let b = at(i);
        *z -= plane[0] * b[0] + plane[1] * b[1] + plane[2] * b[2];
    }
}

/// Gauss elimination with pivots; a direction without data gets 0.
pub(crate) fn solve<const N: usize, const M: usize>(mut a: [[f64; M]; N]) -> Option<[f64; N]> {
    debug_assert_eq!(M, N + 1);
    let mut x = [0.0; N];
    let mut pivots = [None; N];
    let mut row = 0;
    for col in 0..N {
        let best = (row..N).max_by(|&p, &q| a[p][col].abs().total_cmp(&a[q][col].abs()))?;
        if a[best][col].abs() < 1e-12 {
            continue;
        }
        a.swap(row, best);
        for r in 0..N {
            if r != row {
                let f = a[r][col] / a[row][col];
                for c in col..M {
                    a[r][c] -= f * a[row][c];
                }
            }
        }
        pivots[col] = Some(row);
        row += 1;
        if row == N {
            break;
        }
    }
    for col in 0..N {
        if let Some(r) = pivots[col] {
            x[col] = a[r][N] / a[r][col];
        }
    }
    x.iter().all(|v| v.is_finite()).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_analytic_parameters() {
        let n = 100_000;
        let z = |i: usize| (std::f64::consts::TAU * (i as f64 + 0.5) / n as f64).sin();
        let p = height_parameters((0..n).map(|i| (z(i), 1.0))).unwrap();
        assert!((p.sa - 2.0 / std::f64::consts::PI).abs() < 1e-6);
        assert!((p.sq - 0.5_f64.sqrt()).abs() < 1e-6);
        assert!((p.sz - 2.0).abs() < 1e-6 && p.ssk.abs() < 1e-6);
        assert!((p.sku - 1.5).abs() < 1e-6);
    }

    #[test]
    fn weights_are_surface_and_missing_points_are_left_out() {
        let twice = height_parameters([(1.0, 2.0), (4.0, 1.0), (f64::NAN, 1.0)].into_iter());
        let thrice = height_parameters([(1.0, 1.0), (1.0, 1.0), (4.0, 1.0)].into_iter());
        assert_eq!(twice, thrice);
        assert_eq!(height_parameters([(1.0, 0.0)].into_iter()), None);
    }

    #[test]
    fn a_plane_leaves_nothing() {
        let mut z: Vec<f64> = (0..60)
            .map(|i| 3.0 + 0.5 * (i % 10) as f64 - 2.0 * (i / 10) as f64)
            .collect();
        z[17] = f64::NAN;
        remove_plane(&mut z, 10);
        assert!(z.iter().filter(|v| v.is_finite()).all(|v| v.abs() < 1e-12));
        let mut row = vec![1.0, 2.0, 3.0];
        remove_plane(&mut row, 3);
        assert!(row.iter().all(|v| v.abs() < 1e-12));
    }
}
