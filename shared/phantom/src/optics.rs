//! Skin colour in optical density: D = m M + h H + s (1, 1, 1), linear RGB = exp(-D)
//! (Tsumura 1999, doi 10.1364/JOSAA.16.002169).

use serde::{Deserialize, Serialize};

/// Absorption of haemoglobin in red, green, blue (Tsumura 2003, doi 10.1145/882262.882344).
pub const HAEMOGLOBIN: [f64; 3] = [0.2988, 0.6838, 0.6657];

/// Grey loss of the bare skin, and its haemoglobin.
pub(crate) const GREY: f64 = 0.20;
const BASE_HAEMOGLOBIN: f64 = 0.58;

/// Which absorption of melanin the skin is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Melanin {
    /// (0.4143, 0.3570, 0.8372), as published by Tsumura; a spot of it looks olive.
    Tsumura,
    /// (0.336, 0.476, 0.813), falling with wavelength as real melanin does.
    Falling,
}

impl Melanin {
    /// Absorption in red, green, blue.
    #[must_use]
    pub const fn absorption(self) -> [f64; 3] {
        match self {
            Self::Tsumura => [0.4143, 0.3570, 0.8372],
            Self::Falling => [0.336, 0.476, 0.813],
        }
    }
}

/// How dark the skin is; the angle is the ITA the phantom aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Tone {
    VeryLight,
    Light,
    Intermediate,
    Brown,
    Dark,
}

impl Tone {
    /// From very light to dark.
    pub const ALL: [Self; 5] = [
        Self::VeryLight,
        Self::Light,
        Self::Intermediate,
        Self::Brown,
        Self::Dark,
    ];

    const fn target_ita_deg(self) -> f64 {
        match self {
            Self::VeryLight => 60.0,
            Self::Light => 48.0,
            Self::Intermediate => 33.0,
            Self::Brown => 2.0,
            Self::Dark => -42.0,
        }
    }
}

/// The chromophores of a skin without features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Skin {
    pub(crate) melanin: f64,
    pub(crate) haemoglobin: f64,
    pub(crate) absorption: [f64; 3],
}

impl Skin {
    /// The amount of melanin is solved for, so that the tone has its angle.
    pub(crate) fn of(tone: Tone, melanin: Melanin) -> Self {
        let at = |m: f64| Self {
            melanin: m,
            haemoglobin: BASE_HAEMOGLOBIN,
            absorption: melanin.absorption(),
        };
        let (mut lo, mut hi) = (0.0_f64, 12.0_f64);
        for _ in 0..60 {
            let mid = 0.5 * (lo + hi);
            if ita_deg(lab(at(mid).linear(0.0, 0.0))) > tone.target_ita_deg() {
                lo = mid;
            } else {
                hi = mid;
            }
        }
        at(0.5 * (lo + hi))
    }

    /// Linear RGB with more melanin and haemoglobin than the bare skin has.
    pub(crate) fn linear(&self, melanin: f64, haemoglobin: f64) -> [f64; 3] {
        self.density(melanin, haemoglobin).map(|d| libm::exp(-d))
    }

    pub(crate) fn density(&self, melanin: f64, haemoglobin: f64) -> [f64; 3] {
        let (m, h) = (self.melanin + melanin, self.haemoglobin + haemoglobin);
        [0, 1, 2].map(|k| m * self.absorption[k] + h * HAEMOGLOBIN[k] + GREY)
    }
}

/// CIELAB (D65, 2 degrees) of linear sRGB.
#[must_use]
pub fn lab(rgb: [f64; 3]) -> [f64; 3] {
    const M: [[f64; 3]; 3] = [
        [0.412_456_4, 0.357_576_1, 0.180_437_5],
        [0.212_672_9, 0.715_152_2, 0.072_175_0],
        [0.019_333_9, 0.119_192_0, 0.950_304_1],
    ];
    const WHITE: [f64; 3] = [0.95047, 1.0, 1.08883];
    let f = [0, 1, 2].map(|i| {
        let t = (M[i][0] * rgb[0] + M[i][1] * rgb[1] + M[i][2] * rgb[2]) / WHITE[i];
        if t > 216.0 / 24389.0 {
            libm::cbrt(t)
        } else {
            (24389.0 / 27.0 * t + 16.0) / 116.0
        }
    });
    [
        116.0 * f[1] - 16.0,
        500.0 * (f[0] - f[1]),
        200.0 * (f[1] - f[2]),
    ]
}

/// Individual typology angle (Chardon 1991, doi 10.1111/j.1467-2494.1991.tb00561.x).
#[must_use]
pub fn ita_deg(lab: [f64; 3]) -> f64 {
    libm::atan2(lab[0] - 50.0, lab[2]).to_degrees()
}

/// sRGB of a linear value, both from 0 to 1.
#[must_use]
pub fn encoded(linear: f64) -> f64 {
    if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * libm::pow(linear, 1.0 / 2.4) - 0.055
    }
}

/// Linear value of an sRGB one, both from 0 to 1.
#[must_use]
pub fn decoded(srgb: f64) -> f64 {
    if srgb <= 0.04045 {
        srgb / 12.92
    } else {
        libm::pow((srgb + 0.055) / 1.055, 2.4)
    }
}

/// Exact rounding to 8-bit sRGB without a power a pixel: a table gives a first guess and
/// the limits between neighbouring levels correct it.
pub(crate) struct Encoder {
    guess: Vec<u8>,
    /// `upper[k]`: the linear value above which the level is more than k.
    upper: Vec<f32>,
}

impl Encoder {
    const STEPS: usize = 4096;

    pub(crate) fn new() -> Self {
        let upper: Vec<f32> = (0..255)
            .map(|k| decoded((f64::from(k) + 0.5) / 255.0) as f32)
            .chain([f32::INFINITY])
            .collect();
        let guess = (0..=Self::STEPS)
            .map(|i| (encoded(i as f64 / Self::STEPS as f64) * 255.0) as u8)
            .collect();
        Self { guess, upper }
    }

    pub(crate) fn level(&self, linear: f32) -> u8 {
        let v = linear.clamp(0.0, 1.0);
        let mut level = self.guess[(v * Self::STEPS as f32) as usize];
        while level > 0 && v <= self.upper[usize::from(level) - 1] {
            level -= 1;
        }
        while v > self.upper[usize::from(level)] {
            level += 1;
        }
        level
    }
}

/// CIEDE2000 (Sharma, Wu, Dalal 2005, doi 10.1002/col.20070).
#[must_use]
pub fn ciede2000(one: [f64; 3], two: [f64; 3]) -> f64 {
    let hypot = |a: f64, b: f64| libm::sqrt(a * a + b * b);
    let c_bar = 0.5 * (hypot(one[1], one[2]) + hypot(two[1], two[2]));
    let seven = |c: f64| {
        let p = libm::pow(c, 7.0);
        libm::sqrt(p / (p + 6_103_515_625.0))
    };
    let g = 0.5 * (1.0 - seven(c_bar));
    let polar = |lab: [f64; 3]| {
        let a = (1.0 + g) * lab[1];
        let h = libm::atan2(lab[2], a).to_degrees();
        (hypot(a, lab[2]), if h < 0.0 { h + 360.0 } else { h })
    };
    let ((c1, h1), (c2, h2)) = (polar(one), polar(two));
    let grey = c1 * c2 == 0.0;
    let mut dh = if grey { 0.0 } else { h2 - h1 };
    if dh > 180.0 {
        dh -= 360.0;
    } else if dh < -180.0 {
        dh += 360.0;
    }
    let (dl, dc) = (two[0] - one[0], c2 - c1);
    let dh_term = 2.0 * libm::sqrt(c1 * c2) * libm::sin((dh / 2.0).to_radians());
    let (l_mean, c_mean) = (0.5 * (one[0] + two[0]), 0.5 * (c1 + c2));
    let h_mean = if grey {
        h1 + h2
    } else if (h1 - h2).abs() <= 180.0 {
        0.5 * (h1 + h2)
    } else if h1 + h2 < 360.0 {
        0.5 * (h1 + h2 + 360.0)
    } else {
        0.5 * (h1 + h2 - 360.0)
    };
    let cosd = |d: f64| libm::cos(d.to_radians());
    let t = 1.0 - 0.17 * cosd(h_mean - 30.0)
        + 0.24 * cosd(2.0 * h_mean)
        + 0.32 * cosd(3.0 * h_mean + 6.0)
        - 0.20 * cosd(4.0 * h_mean - 63.0);
    let bend = (h_mean - 275.0) / 25.0;
    let theta = 30.0 * libm::exp(-bend * bend);
    let l50 = (l_mean - 50.0) * (l_mean - 50.0);
    let sl = 1.0 + 0.015 * l50 / libm::sqrt(20.0 + l50);
    let sc = 1.0 + 0.045 * c_mean;
    let sh = 1.0 + 0.015 * c_mean * t;
    let rt = -libm::sin((2.0 * theta).to_radians()) * 2.0 * seven(c_mean);
    let (l, c, h) = (dl / sl, dc / sc, dh_term / sh);
    libm::sqrt((l * l + c * c + h * h + rt * c * h).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_constants_agree_with_published_pairs() {
        let c = lab([198.0, 134.0, 66.0].map(|v| decoded(v / 255.0)));
        for (got, want) in c.into_iter().zip([61.1786, 18.0418, 45.5899]) {
            assert!((got - want).abs() < 2e-3, "{c:?}");
        }
        assert!((ita_deg(c) - 13.777).abs() < 2e-3);
        // Pairs 1, 7, 17 and 20 of Sharma's table.
        for (a, b, want) in [
            ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
            ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
            ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
            ([50.0, 2.5, 0.0], [58.0, 24.0, 15.0], 19.4535),
        ] {
            assert!((ciede2000(a, b) - want).abs() < 5e-5, "{a:?} {b:?}");
        }
    }

    #[test]
    fn tones_have_their_angle_with_either_melanin() {
        for melanin in [Melanin::Tsumura, Melanin::Falling] {
            for tone in Tone::ALL {
                let skin = Skin::of(tone, melanin);
                let ita = ita_deg(lab(skin.linear(0.0, 0.0)));
                assert!((ita - tone.target_ita_deg()).abs() < 1e-6, "{tone:?} {ita}");
            }
        }
    }

    #[test]
    fn the_table_rounds_exactly() {
        let encoder = Encoder::new();
        for i in 0..=100_000 {
            let v = i as f32 / 100_000.0;
            let exact = encoded(f64::from(v)) * 255.0;
            let level = encoder.level(v);
            assert!((f64::from(level) - exact).abs() <= 0.5 + 1e-4, "{v}");
        }
    }
}
