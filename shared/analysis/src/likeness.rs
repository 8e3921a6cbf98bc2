//! What a step of density is most like: shade, blood or melanin.
//!
//! Each is fitted to all three channels at once, with what shade may add: where blue is
//! nearly black no channel tells on its own, but all of them together often do.

use crate::colour::{HAEMOGLOBIN, MELANIN_SPECTRAL, MELANIN_TSUMURA};

/// Where blue is nearly black and clipped there, it loses up to this share of the mean
/// density of a step.
const BLUE_LOST: f64 = 0.35;
/// Shade alone is excluded by so much, 4.5 deviations, …
const NO_SHADE: f64 = 20.0;
/// … and melanin is likelier than blood, …
const NO_BLOOD: f64 = 2.0;
/// … which is of use only if melanin explains the step within its noise, 3 deviations.
const MOST_LEFT: f64 = 9.0;

/// What is left of a step, squared and in units of its noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Likeness {
    /// By shade alone.
    shade: f64,
    /// By blood and shade.
    blood: f64,
    /// By melanin and shade, whichever of the published spectra fits better: which of them
    /// holds is not known where no spot is clear enough to tell.
    melanin: f64,
}

impl Likeness {
    /// Of a step whose channels have some noise, on skin where light and relief make a
    /// density of `shade` (one deviation).
    pub(crate) fn of(step: [f32; 3], noise: [f32; 3], shade: f32) -> Self {
        let step = step.map(f64::from);
        let neutral = step.iter().sum::<f64>() / 3.0;
        let mut variance = noise.map(|n| f64::from(n * n).max(1e-12));
        variance[2] += (BLUE_LOST * neutral).powi(2);
        // The inverse of the covariance, noise of each channel and shade of all alike
        // (Sherman and Morrison).
        let weight = variance.map(|v| 1.0 / v);
        let shade = f64::from(shade).powi(2);
        let share = shade / (1.0 + shade * weight.iter().sum::<f64>());
        let product = |a: [f64; 3], b: [f64; 3]| {
            let sum = |v: [f64; 3]| (0..3).map(|k| weight[k] * v[k]).sum::<f64>();
            (0..3).map(|k| weight[k] * a[k] * b[k]).sum::<f64>() - share * sum(a) * sum(b)
        };
        let all = product(step, step);
        let left = |spectrum| {
            let amount = product(spectrum, step).max(0.0);
            all - amount * amount / product(spectrum, spectrum)
        };
        Self {
            shade: all,
            blood: left(HAEMOGLOBIN),
            melanin: left(MELANIN_TSUMURA).min(left(MELANIN_SPECTRAL)),
        }
    }

    /// Whether only melanin explains the step.
    pub(crate) fn is_melanin(self) -> bool {
        self.melanin <= MOST_LEFT
            && self.shade - self.melanin >= NO_SHADE
            && self.blood - self.melanin >= NO_BLOOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The noise of a spot of 1 mm on the darkest skin.
    const NOISE: [f32; 3] = [0.006, 0.007, 0.03];

    fn is_melanin(spectrum: [f64; 3], amount: f64, light: f64, shade: f32) -> bool {
        let step = spectrum.map(|s| (amount * s + light) as f32);
        Likeness::of(step, NOISE, shade).is_melanin()
    }

    #[test]
    fn faint_melanin_is_told_from_blood_and_shade() {
        let flat = 0.02;
        for melanin in [MELANIN_TSUMURA, MELANIN_SPECTRAL] {
            assert!(is_melanin(melanin, 0.25, 0.0, flat));
            assert!(is_melanin(melanin, 0.25, 0.02, flat));
            assert!(!is_melanin(melanin, 0.05, 0.0, flat));
        }
        assert!(!is_melanin(HAEMOGLOBIN, 0.25, 0.0, flat));
        assert!(!is_melanin([1.0; 3], 0.08, 0.0, flat));
        // Dark enough for a spot of twice that melanin, but in a pit.
        assert!(!is_melanin([1.0; 3], 0.25, 0.0, 0.1));
    }

    #[test]
    fn blue_alone_is_noise() {
        assert!(!is_melanin([0.0, 0.0, 1.0], 0.4, 0.0, 0.02));
        // Clipped at black it says less than it should, and red and green still tell.
        let clipped = [0.115, 0.163, 0.18];
        assert!(Likeness::of(clipped, NOISE, 0.02).is_melanin());
    }
}
