//! Planes of numbers and their filters.

/// A raster of numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) data: Vec<f32>,
}

impl Plane {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            data: vec![0.0; width * height],
        }
    }

    /// The value at a point (pixel middles at n + 0.5), bilinear, clamped at the border.
    pub(crate) fn sample(&self, x: f32, y: f32) -> f32 {
        bilinear(&self.data, self.width, self.height, x, y)
    }
}

/// Bilinear value of a raster at a point (pixel middles at n + 0.5), clamped.
pub(crate) fn bilinear(data: &[f32], width: usize, height: usize, x: f32, y: f32) -> f32 {
    let fx = (x - 0.5).clamp(0.0, (width - 1) as f32);
    let fy = (y - 0.5).clamp(0.0, (height - 1) as f32);
    let (x0, y0) = (fx as usize, fy as usize);
    let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
    let (tx, ty) = (fx - x0 as f32, fy - y0 as f32);
    let at = |x: usize, y: usize| data[y * width + x];
    let top = at(x0, y0) + tx * (at(x1, y0) - at(x0, y0));
    let bottom = at(x0, y1) + tx * (at(x1, y1) - at(x0, y1));
    top + ty * (bottom - top)
}

/// A sampled Gaussian (`order` 0) or its first or second derivative, in pixels, for
/// correlation with the signal. Corrected so that polynomials of the order come out
/// exactly whatever the sampling.
pub(crate) fn gaussian_kernel(sigma_px: f32, order: u8) -> Vec<f32> {
    let sigma = f64::from(sigma_px);
    let radius = (4.0 * sigma).ceil().max(1.0) as i32;
    let g: Vec<f64> = (-radius..=radius)
        .map(|i| libm::exp(-f64::from(i * i) / (2.0 * sigma * sigma)))
        .collect();
    let norm: f64 = g.iter().sum();
    let x = |i: usize| i as f64 - f64::from(radius);
    let k: Vec<f64> = match order {
        0 => g.iter().map(|v| v / norm).collect(),
        1 => {
            let raw: Vec<f64> = g.iter().enumerate().map(|(i, v)| x(i) * v).collect();
            let slope: f64 = raw.iter().enumerate().map(|(i, v)| x(i) * v).sum();
            raw.iter().map(|v| v / slope).collect()
        }
        _ => {
            let raw: Vec<f64> = g
                .iter()
                .enumerate()
                .map(|(i, v)| (x(i) * x(i) / (sigma * sigma) - 1.0) * v)
                .collect();
            let mean = raw.iter().sum::<f64>() / norm;
            let raw: Vec<f64> = raw.iter().zip(&g).map(|(r, v)| r - mean * v).collect();
            let bend: f64 = raw
                .iter()
                .enumerate()
                .map(|(i, v)| 0.5 * x(i) * x(i) * v)
                .sum();
            raw.iter().map(|v| v / bend).collect()
        }
    };
    k.into_iter().map(|v| v as f32).collect()
}

/// Correlates each row with `kernel`, borders repeated.
pub(crate) fn along_rows(src: &Plane, kernel: &[f32], out: &mut Plane) {
    let (w, r) = (src.width, kernel.len() / 2);
    let mut padded = vec![0.0_f32; w + 2 * r];
    for (row, dst) in src.data.chunks_exact(w).zip(out.data.chunks_exact_mut(w)) {
        padded[..r].fill(row[0]);
        padded[r..r + w].copy_from_slice(row);
        padded[r + w..].fill(row[w - 1]);
        dst.fill(0.0);
        for (k, &c) in kernel.iter().enumerate() {
            for (d, s) in dst.iter_mut().zip(&padded[k..k + w]) {
                *d += c * s;
            }
        }
    }
}

/// Correlates each column with `kernel`, borders repeated.
pub(crate) fn along_columns(src: &Plane, kernel: &[f32], out: &mut Plane) {
    let (w, h, r) = (src.width, src.height, kernel.len() / 2);
    for (y, dst) in out.data.chunks_exact_mut(w).enumerate() {
        dst.fill(0.0);
        for (k, &c) in kernel.iter().enumerate() {
            let sy = (y + k).saturating_sub(r).min(h - 1);
            for (d, s) in dst.iter_mut().zip(&src.data[sy * w..(sy + 1) * w]) {
                *d += c * s;
            }
        }
    }
}

/// Gaussian low pass.
pub(crate) fn gaussian(src: &Plane, sigma_px: f32) -> Plane {
    let k = gaussian_kernel(sigma_px, 0);
    let (mut a, mut b) = (
        Plane::new(src.width, src.height),
        Plane::new(src.width, src.height),
    );
    along_rows(src, &k, &mut a);
    along_columns(&a, &k, &mut b);
    b
}

/// First and second derivatives of a Gaussian-smoothed plane, per pixel.
pub(crate) struct Derivatives {
    pub(crate) x: Plane,
    pub(crate) y: Plane,
    pub(crate) xx: Plane,
    pub(crate) xy: Plane,
    pub(crate) yy: Plane,
}

impl Derivatives {
    pub(crate) fn of(src: &Plane, sigma_px: f32) -> Self {
        let [k0, k1, k2] = [0, 1, 2].map(|o| gaussian_kernel(sigma_px, o));
        let blank = || Plane::new(src.width, src.height);
        let mut rows = blank();
        let (mut x, mut y, mut xx, mut xy, mut yy) = (blank(), blank(), blank(), blank(), blank());
        along_rows(src, &k0, &mut rows);
        along_columns(&rows, &k1, &mut y);
        along_columns(&rows, &k2, &mut yy);
        along_rows(src, &k1, &mut rows);
        along_columns(&rows, &k0, &mut x);
        along_columns(&rows, &k1, &mut xy);
        along_rows(src, &k2, &mut rows);
        along_columns(&rows, &k0, &mut xx);
        Self { x, y, xx, xy, yy }
    }
}

/// The median of numbers; 0 without any. Reorders them.
pub(crate) fn median(values: &mut [f32]) -> f32 {
    quantile(values, 0.5)
}

/// The `q` quantile (0 to 1), nearest rank; 0 without any. Reorders them.
pub(crate) fn quantile(values: &mut [f32], q: f64) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = (q * (values.len() - 1) as f64 + 0.5) as usize;
    let at = at.min(values.len() - 1);
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paraboloid() -> Plane {
        let mut p = Plane::new(64, 48);
        for y in 0..48 {
            for x in 0..64 {
                let (u, v) = (x as f32 - 30.0, y as f32 - 20.0);
                p.data[y * 64 + x] =
                    2.0 + 0.5 * u - 0.25 * v + 0.1 * u * u - 0.2 * u * v + 0.3 * v * v;
            }
        }
        p
    }

    #[test]
    fn derivatives_of_a_paraboloid_are_exact() {
        let d = Derivatives::of(&paraboloid(), 1.7);
        let i = 20 * 64 + 30;
        for (got, want) in [
            (d.x.data[i], 0.5),
            (d.y.data[i], -0.25),
            (d.xx.data[i], 0.2),
            (d.xy.data[i], -0.2),
            (d.yy.data[i], 0.6),
        ] {
            assert!((got - want).abs() < 1e-3, "{got} {want}");
        }
    }

    #[test]
    fn a_gaussian_keeps_the_mean_and_widens_by_its_variance() {
        let mut p = Plane::new(81, 81);
        p.data[40 * 81 + 40] = 1.0;
        let g = gaussian(&gaussian(&p, 3.0), 4.0);
        let (mut sum, mut var) = (0.0, 0.0);
        for (i, v) in g.data.iter().enumerate() {
            let x = (i % 81) as f32 - 40.0;
            sum += v;
            var += v * x * x;
        }
        assert!(
            (sum - 1.0).abs() < 1e-4 && (var - 25.0).abs() < 0.1,
            "{sum} {var}"
        );
    }

    #[test]
    fn bilinear_is_exact_on_a_plane() {
        let mut p = Plane::new(5, 4);
        for i in 0..20 {
            p.data[i] = (i % 5) as f32 + 10.0 * (i / 5) as f32;
        }
        assert!((p.sample(2.25, 1.75) - (1.75 + 12.5)).abs() < 1e-5);
        assert_eq!(p.sample(-3.0, 9.0), 30.0);
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut v: Vec<f32> = (0..101).rev().map(|i| i as f32).collect();
        assert_eq!(median(&mut v), 50.0);
        assert_eq!(quantile(&mut v, 0.9), 90.0);
        assert_eq!(median(&mut []), 0.0);
    }
}
