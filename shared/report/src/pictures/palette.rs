//! The one palette of every picture.
//!
//! Light to dark along the "mako" ramp (Waskom, seaborn, doi 10.21105/joss.03021):
//! CIELAB lightness falls evenly, so that the order survives colour blindness and grey
//! print. One palette for all parameters means one legend to learn, and over the neutral
//! grey that the stills put under it, it reads the same on every skin tone.

/// Equally spaced sRGB stops from "none" to "strong".
pub const STOPS: [[u8; 3]; 7] = [
    [0xde, 0xf5, 0xe5],
    [0x8b, 0xda, 0xb2],
    [0x40, 0xb7, 0xad],
    [0x34, 0x8f, 0xa7],
    [0x37, 0x65, 0x9e],
    [0x41, 0x3d, 0x7b],
    [0x2e, 0x1e, 0x3c],
];

/// The colour of a strength from 0 (none) to 1 (strong), in sRGB from 0 to 255; without a
/// branch, so that many are found side by side.
#[inline(always)]
#[must_use]
pub fn colour(strength: f32) -> [f32; 3] {
    let last = STOPS.len() - 1;
    let at = strength.clamp(0.0, 1.0) * last as f32;
    let mut from = 0.0;
    let mut stop = STOPS[0].map(f32::from);
    let mut next = STOPS[1].map(f32::from);
    for i in 1..last {
        let is_beyond = at >= i as f32;
        from = if is_beyond { i as f32 } else { from };
        for c in 0..3 {
            let (a, b) = (f32::from(STOPS[i][c]), f32::from(STOPS[i + 1][c]));
            stop[c] = if is_beyond { a } else { stop[c] };
            next[c] = if is_beyond { b } else { next[c] };
        }
    }
    let mix = |c: usize| stop[c] + (next[c] - stop[c]) * (at - from);
    [mix(0), mix(1), mix(2)]
}

/// How much of the palette covers the skin at a strength: a pale film where a parameter
/// was measured and is absent, nearly all where it is strong.
#[inline(always)]
#[must_use]
pub fn opacity(strength: f32) -> f32 {
    let t = strength.clamp(0.0, 1.0);
    0.28 + 0.62 * (t * (2.0 - t))
}

/// The strength from 0 to 1 of a map's level; `None` where nothing was measured.
#[must_use]
pub fn strength(level: u8) -> Option<f32> {
    (level > 0).then(|| f32::from(level - 1) / 254.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(rgb: [f32; 3]) -> f64 {
        let linear = rgb.map(|c| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        });
        let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        116.0 * y.cbrt() - 16.0
    }

    #[test]
    fn lightness_falls_evenly() {
        let l: Vec<f64> = (0..=24)
            .map(|i| lightness(colour(i as f32 / 24.0)))
            .collect();
        let mean = (l[0] - l[24]) / 24.0;
        for pair in l.windows(2) {
            let step = pair[0] - pair[1];
            assert!(step > 0.6 * mean && step < 1.5 * mean, "{step} of {mean}");
        }
        assert!(l[0] - l[24] > 75.0);
    }

    #[test]
    fn zero_is_not_measured_and_the_ends_are_exact() {
        assert_eq!(strength(0), None);
        assert_eq!(strength(1), Some(0.0));
        assert_eq!(strength(255), Some(1.0));
        assert_eq!(colour(0.0), STOPS[0].map(f32::from));
        assert_eq!(colour(1.0), STOPS[6].map(f32::from));
    }
}
