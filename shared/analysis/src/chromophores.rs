//! Separation of pigment, blood and light.
//!
//! Optical density is D = m M + h H + s (1, 1, 1) (Tsumura 1999, doi
//! 10.1364/JOSAA.16.002169). Light, relief and exposure move D along (1, 1, 1) only, so
//! what remains is a plane in which melanin and haemoglobin have one direction each. The
//! direction of H is well known; that of M is not, and is taken from the scan's own spots.

use crate::colour::{HAEMOGLOBIN, MELANIN_SPECTRAL, MELANIN_TSUMURA};
use crate::field::{Field, quantile, weighted_quantile};
use crate::linear::solve;
use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

/// How far the directions may be taken from where they are expected, in degrees of the
/// chroma plane: 84 (Tsumura's M) and 107 (a melanin that falls with wavelength), 152 (H).
const MELANIN_RANGE_DEG: [f64; 2] = [74.0, 117.0];
const HAEMOGLOBIN_RANGE_DEG: [f64; 2] = [144.0, 160.0];

/// The coordinates of a density in the plane orthogonal to (1, 1, 1).
pub(crate) fn chroma([r, g, b]: [f32; 3]) -> [f32; 2] {
    const A: f32 = std::f32::consts::FRAC_1_SQRT_2;
    const B: f32 = 0.408_248_3;
    [(r - g) * A, (2.0 * b - r - g) * B]
}

/// The angle of a density's chroma, in degrees.
pub(crate) fn angle_deg(density: [f64; 3]) -> f64 {
    let c = chroma(density.map(|d| d as f32)).map(f64::from);
    libm::atan2(c[1], c[0]).to_degrees()
}

/// The directions of the two chromophores in the chroma plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Directions {
    /// Of melanin.
    pub(crate) melanin_deg: f64,
    /// Of haemoglobin.
    pub(crate) haemoglobin_deg: f64,
}

impl Default for Directions {
    fn default() -> Self {
        Self {
            melanin_deg: 0.5 * (angle_deg(MELANIN_TSUMURA) + angle_deg(MELANIN_SPECTRAL)),
            haemoglobin_deg: angle_deg(HAEMOGLOBIN),
        }
    }
}

impl Directions {
    /// The rows of the inverse of the matrix whose columns are the two directions.
    fn inverse(self) -> [[f32; 2]; 2] {
        let unit = |deg: f64| {
            let r = deg.to_radians();
            (libm::cos(r), libm::sin(r))
        };
        let ((mx, my), (hx, hy)) = (unit(self.melanin_deg), unit(self.haemoglobin_deg));
        let det = mx * hy - my * hx;
        [
            [(hy / det) as f32, (-hx / det) as f32],
            [(-my / det) as f32, (mx / det) as f32],
        ]
    }

    /// Melanin and haemoglobin of one density.
    pub(crate) fn unmix(self, density: [f32; 3]) -> [f32; 2] {
        let c = chroma(density);
        let [m, h] = self.inverse();
        [m[0] * c[0] + m[1] * c[1], h[0] * c[0] + h[1] * c[1]]
    }

    /// Density in R, G, B of one unit of melanin's and one of haemoglobin's chroma.
    ///
    /// Only the directions in the chroma plane are known from a scan, not how much
    /// neutral density comes with them; that is taken from the published spectra.
    pub(crate) fn spectra(self) -> [[f64; 3]; 2] {
        let full = |deg: f64, neutral: f64| {
            let r = deg.to_radians();
            let (x, y) = (
                libm::cos(r) * std::f64::consts::FRAC_1_SQRT_2,
                libm::sin(r) / 6.0_f64.sqrt(),
            );
            [x - y + neutral, -x - y + neutral, 2.0 * y + neutral]
        };
        let (t, s) = (
            neutral_share(MELANIN_TSUMURA),
            neutral_share(MELANIN_SPECTRAL),
        );
        let (ta, sa) = (angle_deg(MELANIN_TSUMURA), angle_deg(MELANIN_SPECTRAL));
        let neutral = t + (s - t) * (self.melanin_deg - ta) / (sa - ta);
        [
            full(self.melanin_deg, neutral),
            full(self.haemoglobin_deg, neutral_share(HAEMOGLOBIN)),
        ]
    }

    /// The forms that read melanin and haemoglobin with the least error, given the noise
    /// of each channel: where it is small they see neither light nor the other
    /// chromophore; where blue is nearly black they lean on red and green.
    pub(crate) fn forms(self, noise: [f64; 3]) -> [[f64; 3]; 2] {
        let [melanin, blood] = self.spectra();
        [
            least_error_form::<3, 4>(melanin, &[(NEUTRAL, 0.04), (blood, 0.06)], noise),
            least_error_form::<3, 4>(blood, &[(NEUTRAL, 0.04), (melanin, 0.12)], noise),
        ]
    }

    /// The form that finds melanin where blue is nearly lost: what stands out of skin that
    /// is as even as skin without pits, folds and red areas, and so mostly what is dark.
    pub(crate) fn dark_form(self, noise: [f64; 3]) -> [f64; 3] {
        let [melanin, blood] = self.spectra();
        least_error_form::<3, 4>(melanin, &[(NEUTRAL, 0.012), (blood, 0.006)], noise)
    }

    /// Melanin and haemoglobin of a point of the chroma plane, and the noise of both, given
    /// that of its two coordinates.
    pub(crate) fn unmix_chroma(self, c: [f32; 2], noise: [f32; 2]) -> [[f32; 2]; 2] {
        let inverse = self.inverse();
        [
            inverse.map(|row| row[0] * c[0] + row[1] * c[1]),
            inverse.map(|row| {
                let (x, y) = (row[0] * noise[0], row[1] * noise[1]);
                (x * x + y * y).sqrt()
            }),
        ]
    }

    /// Melanin of a step by red and green alone, with its error, given the noise of both and
    /// how much of the step light and relief can have made.
    pub(crate) fn of_red_and_green(
        self,
        [red, green, _]: [f32; 3],
        noise: [f32; 3],
        shade: f32,
    ) -> [f32; 2] {
        let [m, h] = self.spectra().map(|s| s.map(|v| v as f32));
        let det = m[0] * h[1] - m[1] * h[0];
        let [r, g] = [h[1] / det, -h[0] / det];
        let errors = [r * noise[0], g * noise[1], (r + g) * shade];
        let error = errors.iter().map(|e| e * e).sum::<f32>().sqrt();
        [r * red + g * green, error]
    }

    /// The noise of [`Self::unmix`] of a density, given that of each channel.
    pub(crate) fn unmix_noise(self, noise: [f32; 3]) -> [f32; 2] {
        let columns = [0, 1, 2].map(|k| {
            let mut one = [0.0; 3];
            one[k] = noise[k];
            self.unmix(one)
        });
        [0, 1].map(|k| columns.iter().map(|c| c[k] * c[k]).sum::<f32>().sqrt())
    }

    /// The form that reads the light and the relief: 1 on (1, 1, 1), and moved by neither
    /// chromophore as far as the noise allows.
    pub(crate) fn shading_form(self, noise: [f64; 3]) -> [f64; 3] {
        let [melanin, blood] = self.spectra();
        least_error_form::<3, 4>(NEUTRAL, &[(melanin, 0.1), (blood, 0.05)], noise)
    }

    /// The directions with that of melanin replaced by the strength-weighted median of
    /// the increments of spots, and that of haemoglobin by those of red areas, each
    /// where there is enough of it. An increment is `[x, y, strength]` in the plane.
    pub(crate) fn refined(self, spots: &[[f32; 3]], red: &[[f32; 3]]) -> Self {
        let median = |list: &[[f32; 3]], range: [f64; 2]| {
            let mut angles: Vec<(f32, f32)> = list
                .iter()
                .map(|v| {
                    let a = libm::atan2(f64::from(v[1]), f64::from(v[0])).to_degrees();
                    (a as f32, v[2])
                })
                .filter(|(a, _)| (range[0] - 8.0..=range[1] + 8.0).contains(&f64::from(*a)))
                .collect();
            weighted_quantile(&mut angles, 0.5).map(|a| f64::from(a).clamp(range[0], range[1]))
        };
        Self {
            melanin_deg: median(spots, MELANIN_RANGE_DEG).unwrap_or(self.melanin_deg),
            haemoglobin_deg: median(red, HAEMOGLOBIN_RANGE_DEG).unwrap_or(self.haemoglobin_deg),
        }
    }
}

const NEUTRAL: [f64; 3] = [1.0; 3];

/// The linear form that is 1 on `target` and has the least variance, where `others` vary
/// by a standard deviation each and each channel has its noise (Gauss-Markov).
/// `M` is one more than the `N` channels.
pub(crate) fn least_error_form<const N: usize, const M: usize>(
    target: [f64; N],
    others: &[([f64; N], f64)],
    noise: [f64; N],
) -> [f64; N] {
    let mut system = [[0.0; M]; N];
    for a in 0..N {
        for b in 0..N {
            system[a][b] = others
                .iter()
                .map(|(v, sigma)| sigma * sigma * v[a] * v[b])
                .sum();
        }
        system[a][a] += noise[a] * noise[a] + 1e-8;
        system[a][N] = target[a];
    }
    // The matrix is positive definite: the noise floor keeps it so.
    let form = solve(system).unwrap_or(target);
    let scale: f64 = (0..N).map(|k| form[k] * target[k]).sum();
    form.map(|v| v / scale)
}

/// A linear form of density over all cells.
pub(crate) fn plane(field: &Field, form: [f64; 3]) -> Vec<f32> {
    let form = form.map(|v| v as f32);
    let mut out = vec![0.0_f32; field.len()];
    let [r, g, b] = field.density.each_ref().map(|d| d.par_chunks(PART));
    (out.par_chunks_mut(PART).zip(r).zip(g).zip(b)).for_each(|(((out, r), g), b)| {
        in_vectors(Form {
            form,
            density: [r, g, b],
            out,
        });
    });
    out
}

/// Cells that one task works on.
pub(crate) const PART: usize = 1 << 15;

/// A linear form of density in some cells.
struct Form<'a> {
    form: [f32; 3],
    density: [&'a [f32]; 3],
    out: &'a mut [f32],
}

impl Work for Form<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let ([fr, fg, fb], [r, g, b]) = (self.form, self.density);
        for (((o, r), g), b) in self.out.iter_mut().zip(r).zip(g).zip(b) {
            *o = fr * r + fg * g + fb * b;
        }
    }
}

/// A linear form of one density.
pub(crate) fn apply(form: [f64; 3], density: [f32; 3]) -> f32 {
    (0..3).map(|k| form[k] * f64::from(density[k])).sum::<f64>() as f32
}

/// The noise of single cells in each channel, from what cells differ from the mean of
/// their neighbours (a fifth of that variance is the neighbours' own).
pub(crate) fn cell_noise(field: &Field) -> [f64; 3] {
    let w = field.width;
    let mut noise = [0.0; 3];
    noise.par_iter_mut().enumerate().for_each(|(k, noise)| {
        let mut off: Vec<f32> = vec![];
        let mut line = vec![0.0_f32; w.saturating_sub(2)];
        for y in (1..field.height.saturating_sub(1)).step_by(5) {
            let rows = [y - 1, y, y + 1].map(|y| {
                let row = y * w..(y + 1) * w;
                (&field.weight[row.clone()], &field.density[k][row])
            });
            in_vectors(OffNeighbours {
                rows,
                out: &mut line,
            });
            off.extend(line.iter().filter(|off| **off >= 0.0));
        }
        *noise = quantile(&mut off, 0.5).map_or(0.0, |m| 1.4826 * f64::from(m) / 1.118);
    });
    noise
}

/// How far the inner cells of the middle one of three rows lie from the mean of their
/// neighbours; -1 where not all of them count.
struct OffNeighbours<'a> {
    /// Weights and densities.
    rows: [(&'a [f32], &'a [f32]); 3],
    out: &'a mut [f32],
}

impl Work for OffNeighbours<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.out.len();
        let [above, own, below] = self.rows;
        let (weight, density) = (&own.0[..n + 2], &own.1[..n + 2]);
        let (above, below) = (
            (&above.0[..n + 2], &above.1[..n + 2]),
            (&below.0[..n + 2], &below.1[..n + 2]),
        );
        for (i, out) in self.out.iter_mut().enumerate() {
            let x = i + 1;
            let full = (weight[x] > 0.5)
                & (weight[x - 1] > 0.5)
                & (weight[x + 1] > 0.5)
                & (above.0[x] > 0.5)
                & (below.0[x] > 0.5);
            let around = density[x - 1] + density[x + 1] + above.1[x] + below.1[x];
            let off = (density[x] - 0.25 * around).abs();
            *out = if full { off } else { -1.0 };
        }
    }
}

/// Neutral density for each unit of chroma.
fn neutral_share(spectrum: [f64; 3]) -> f64 {
    let mean = (spectrum[0] + spectrum[1] + spectrum[2]) / 3.0;
    let c = chroma(spectrum.map(|v| v as f32)).map(f64::from);
    mean / (c[0] * c[0] + c[1] * c[1]).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(m: f64, melanin: [f64; 3], h: f64, s: f64) -> [f32; 3] {
        [0, 1, 2].map(|k| (m * melanin[k] + h * HAEMOGLOBIN[k] + s) as f32)
    }

    #[test]
    fn the_three_spectra_lie_where_they_should() {
        assert!((angle_deg(MELANIN_TSUMURA) - 83.7).abs() < 0.5);
        assert!((angle_deg(MELANIN_SPECTRAL) - 106.6).abs() < 0.5);
        assert!((angle_deg(HAEMOGLOBIN) - 152.4).abs() < 0.5);
    }

    #[test]
    fn known_mixtures_are_recovered_whichever_melanin_holds() {
        for melanin in [MELANIN_TSUMURA, MELANIN_SPECTRAL] {
            let directions = Directions {
                melanin_deg: angle_deg(melanin),
                ..Directions::default()
            };
            let length = |v: [f64; 3]| {
                let c = chroma(v.map(|x| x as f32));
                (c[0] * c[0] + c[1] * c[1]).sqrt()
            };
            for (m, h, s) in [(0.3, 0.0, 0.0), (0.0, 0.4, 1.0), (0.7, 0.2, -0.3)] {
                let got = directions.unmix(mix(m, melanin, h, s));
                assert!((got[0] - m as f32 * length(melanin)).abs() < 1e-5);
                assert!((got[1] - h as f32 * length(HAEMOGLOBIN)).abs() < 1e-5);
                let quiet = directions.forms([0.0; 3]);
                for (k, amount) in got.into_iter().enumerate() {
                    let read = apply(quiet[k], mix(m, melanin, h, s));
                    assert!((read - amount).abs() < 1e-3, "{read} {amount}");
                }
                let form = directions.shading_form([0.0; 3]);
                let light: f64 = (0..3)
                    .map(|k| form[k] * f64::from(mix(m, melanin, h, s)[k]))
                    .sum();
                assert!((light - s).abs() < 1e-4, "{light} {s}");
            }
        }
    }

    #[test]
    fn blood_never_counts_as_pigment_and_light_as_neither() {
        let d = Directions::default();
        let zero = d.unmix(mix(0.0, MELANIN_TSUMURA, 0.0, 2.0));
        assert!(zero.iter().all(|v| v.abs() < 1e-6));
        assert!(d.unmix(mix(0.0, MELANIN_TSUMURA, 0.5, 0.0))[0].abs() < 1e-6);
    }

    #[test]
    fn directions_come_from_the_scan_within_bounds() {
        let unit = |deg: f32| [deg.to_radians().cos(), deg.to_radians().sin(), 1.0];
        let d = Directions::default();
        let found = d.refined(&[unit(106.0), unit(107.0), unit(109.0), unit(170.0)], &[]);
        assert!((found.melanin_deg - 107.0).abs() < 1e-3);
        assert_eq!(found.haemoglobin_deg, d.haemoglobin_deg);
        let far = d.refined(&[unit(121.0)], &[unit(140.0)]);
        assert_eq!((far.melanin_deg, far.haemoglobin_deg), (117.0, 144.0));
    }
}
