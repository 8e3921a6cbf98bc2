//! Colour numbers: sRGB, CIELAB (D65, 2 degrees), CIEDE2000, ITA, optical density, the
//! erythema and melanin indices.
//!
//! Every transcendental function comes from `libm`, so that a colour is the same number
//! on every machine.

use std::sync::LazyLock;

/// Absorption of melanin in R, G, B after Tsumura 1999 (doi 10.1364/JOSAA.16.002169).
pub const MELANIN_TSUMURA: [f64; 3] = [0.4143, 0.3570, 0.8372];
/// Absorption of melanin in R, G, B as its spectrum falls with wavelength.
pub const MELANIN_SPECTRAL: [f64; 3] = [0.336, 0.476, 0.813];
/// Absorption of haemoglobin in R, G, B after Tsumura 1999.
pub const HAEMOGLOBIN: [f64; 3] = [0.2988, 0.6838, 0.6657];

/// The D65 white of IEC 61966-2-1.
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];
/// The CIE's exact constants of the L* function.
const EPSILON: f64 = 216.0 / 24389.0;
const KAPPA: f64 = 24389.0 / 27.0;

/// A colour in CIELAB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lab {
    /// Lightness, 0 to 100.
    pub l: f64,
    /// Green to red.
    pub a: f64,
    /// Blue to yellow.
    pub b: f64,
}

/// One gamma-encoded sRGB channel (0 to 1) to linear light.
#[must_use]
pub fn linear_from_srgb(v: f64) -> f64 {
    if v <= 0.040_45 {
        v / 12.92
    } else {
        libm::pow((v + 0.055) / 1.055, 2.4)
    }
}

/// One linear channel to gamma-encoded sRGB, not clamped above.
#[must_use]
pub fn srgb_from_linear(v: f64) -> f64 {
    if v <= 0.003_130_8 {
        v.max(0.0) * 12.92
    } else {
        1.055 * libm::pow(v, 1.0 / 2.4) - 0.055
    }
}

/// Linear sRGB to CIELAB.
#[must_use]
pub fn lab_from_linear([r, g, b]: [f64; 3]) -> Lab {
    let xyz = [
        0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b,
        0.212_672_9 * r + 0.715_152_2 * g + 0.072_175_0 * b,
        0.019_333_9 * r + 0.119_192_0 * g + 0.950_304_1 * b,
    ];
    lab_from_xyz(xyz)
}

/// CIE XYZ under D65 (Y of white is 1) to CIELAB.
#[must_use]
pub fn lab_from_xyz(xyz: [f64; 3]) -> Lab {
    let f = |k: usize| {
        let t = xyz[k] / WHITE[k];
        if t > EPSILON {
            libm::cbrt(t)
        } else {
            (KAPPA * t + 16.0) / 116.0
        }
    };
    let (fx, fy, fz) = (f(0), f(1), f(2));
    Lab {
        l: 116.0 * fy - 16.0,
        a: 500.0 * (fx - fy),
        b: 200.0 * (fy - fz),
    }
}

/// An 8-bit sRGB colour to CIELAB.
#[must_use]
pub fn lab_from_srgb8(rgb: [u8; 3]) -> Lab {
    lab_from_linear(rgb.map(|c| linear_from_srgb(f64::from(c) / 255.0)))
}

/// An optical density in R, G, B to CIELAB.
#[must_use]
pub fn lab_from_density(density: [f64; 3]) -> Lab {
    lab_from_linear(density.map(|d| libm::exp(-d)))
}

/// The individual typology angle in degrees (Chardon 1991, doi
/// 10.1111/j.1467-2494.1991.tb00561.x), or `None` where b* is not positive: that is no
/// colour of skin, and the angle would jump there.
#[must_use]
pub fn ita_deg(lab: Lab) -> Option<f64> {
    (lab.b > 0.0).then(|| libm::atan2(lab.l - 50.0, lab.b).to_degrees())
}

/// The erythema index in its RGB form: 100 (log10 R - log10 G), linear light.
#[must_use]
pub fn erythema_index(density: [f64; 3]) -> f64 {
    100.0 * (density[1] - density[0]) / std::f64::consts::LN_10
}

/// The melanin index in its RGB form: 100 log10(1/R), linear light.
#[must_use]
pub fn melanin_index(density: [f64; 3]) -> f64 {
    100.0 * density[0] / std::f64::consts::LN_10
}

/// The CIEDE2000 colour difference with all weights 1 (Sharma, Wu, Dalal 2005, doi
/// 10.1002/col.20070).
#[must_use]
pub fn ciede2000(p: Lab, q: Lab) -> f64 {
    const POW25_7: f64 = 6_103_515_625.0;
    let pow7 = |v: f64| {
        let v2 = v * v;
        v2 * v2 * v2 * v
    };
    let chroma = |lab: Lab| (lab.a * lab.a + lab.b * lab.b).sqrt();
    let c7 = pow7(0.5 * (chroma(p) + chroma(q)));
    let g = 0.5 * (1.0 - (c7 / (c7 + POW25_7)).sqrt());
    let polar = |lab: Lab| {
        let a = (1.0 + g) * lab.a;
        let c = (a * a + lab.b * lab.b).sqrt();
        let h = if c == 0.0 {
            0.0
        } else {
            let h = libm::atan2(lab.b, a).to_degrees();
            if h < 0.0 { h + 360.0 } else { h }
        };
        (c, h)
    };
    let ((c1, h1), (c2, h2)) = (polar(p), polar(q));
    let (dl, dc) = (q.l - p.l, c2 - c1);
    let grey = c1 * c2 == 0.0;
    let dh = if grey {
        0.0
    } else {
        let d = h2 - h1;
        if d > 180.0 {
            d - 360.0
        } else if d < -180.0 {
            d + 360.0
        } else {
            d
        }
    };
    let dh_big = 2.0 * (c1 * c2).sqrt() * libm::sin((0.5 * dh).to_radians());
    let (l, c) = (0.5 * (p.l + q.l), 0.5 * (c1 + c2));
    let h = if grey {
        h1 + h2
    } else if (h1 - h2).abs() <= 180.0 {
        0.5 * (h1 + h2)
    } else if h1 + h2 < 360.0 {
        0.5 * (h1 + h2 + 360.0)
    } else {
        0.5 * (h1 + h2 - 360.0)
    };
    let cos = |deg: f64| libm::cos(deg.to_radians());
    let t = 1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0)
        - 0.20 * cos(4.0 * h - 63.0);
    let l50 = (l - 50.0) * (l - 50.0);
    let sl = 1.0 + 0.015 * l50 / (20.0 + l50).sqrt();
    let sc = 1.0 + 0.045 * c;
    let sh = 1.0 + 0.015 * c * t;
    let bell = (h - 275.0) / 25.0;
    let theta = 30.0 * libm::exp(-bell * bell);
    let c7 = pow7(c);
    let rt = -libm::sin((2.0 * theta).to_radians()) * 2.0 * (c7 / (c7 + POW25_7)).sqrt();
    let (x, y, z) = (dl / sl, dc / sc, dh_big / sh);
    (x * x + y * y + z * z + rt * y * z).max(0.0).sqrt()
}

/// Optical density -ln(linear) of every level of a channel with `top` as full scale. The
/// lowest level stands for half a level, so that black stays finite.
fn density_table(top: usize) -> Vec<f32> {
    (0..=top)
        .map(|level| {
            let v = (level as f64).max(0.5) / top as f64;
            (-libm::log(linear_from_srgb(v))) as f32
        })
        .collect()
}

/// Optical density of the 256 levels of an 8-bit channel.
#[must_use]
pub fn density_8() -> &'static [f32] {
    static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| density_table(255));
    &TABLE
}

/// Optical density of the 65,536 levels of a 16-bit channel.
#[must_use]
pub fn density_16() -> &'static [f32] {
    static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| density_table(65535));
    &TABLE
}

/// Linear light of every level of a channel with `top` as full scale.
fn linear_table(top: usize) -> Vec<f32> {
    (0..=top)
        .map(|level| linear_from_srgb(level as f64 / top as f64) as f32)
        .collect()
}

/// Linear light of the 256 levels of an 8-bit channel.
#[must_use]
pub fn linear_8() -> &'static [f32] {
    static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| linear_table(255));
    &TABLE
}

/// Linear light of the 65,536 levels of a 16-bit channel.
#[must_use]
pub fn linear_16() -> &'static [f32] {
    static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| linear_table(65535));
    &TABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_skin_colours() {
        let lab = lab_from_srgb8([198, 134, 66]);
        assert!((lab.l - 61.1786).abs() < 5e-5, "{lab:?}");
        assert!((lab.a - 18.0418).abs() < 5e-5, "{lab:?}");
        assert!((lab.b - 45.5899).abs() < 5e-5, "{lab:?}");
        assert!((ita_deg(lab).unwrap() - 13.777).abs() < 5e-4);
        let light = ita_deg(lab_from_srgb8([255, 224, 189])).unwrap();
        assert!((light - 62.726).abs() < 5e-4, "{light}");
        assert_eq!(
            ita_deg(Lab {
                l: 80.0,
                a: 0.0,
                b: -1.0
            }),
            None
        );
    }

    #[test]
    fn white_is_neutral_and_srgb_inverts() {
        let white = lab_from_srgb8([255; 3]);
        assert!((white.l - 100.0).abs() < 1e-3 && white.a.abs() < 1e-2 && white.b.abs() < 1e-2);
        for level in 0..=255 {
            let v = f64::from(level) / 255.0;
            assert!((srgb_from_linear(linear_from_srgb(v)) - v).abs() < 1e-7);
        }
    }

    #[test]
    fn published_differences() {
        let lab = |l, a, b| Lab { l, a, b };
        for (p, q, want) in [
            (
                lab(50.0, 2.6772, -79.7751),
                lab(50.0, 0.0, -82.7485),
                2.0425,
            ),
            (lab(50.0, -1.0, 2.0), lab(50.0, 0.0, 0.0), 2.3669),
            (lab(50.0, 2.49, -0.001), lab(50.0, -2.49, 0.0011), 7.2195),
            (lab(50.0, 2.5, 0.0), lab(73.0, 25.0, -18.0), 27.1492),
            (
                lab(2.0776, 0.0795, -1.135),
                lab(0.9033, -0.0636, -0.5514),
                0.9082,
            ),
        ] {
            assert!((ciede2000(p, q) - want).abs() < 5e-5);
            assert!((ciede2000(q, p) - want).abs() < 5e-5);
        }
    }

    #[test]
    fn densities_are_those_of_the_formula_for_every_level() {
        for (table, top) in [(density_8(), 255), (density_16(), 65535)] {
            assert_eq!(table.len(), top + 1);
            for level in (1..=top).step_by(top / 51) {
                let linear = linear_from_srgb(level as f64 / top as f64);
                assert!((f64::from(table[level]) + linear.ln()).abs() < 1e-6);
            }
            assert!(table[0].is_finite() && table[0] > table[1] && table[top] == 0.0);
        }
        for (table, top) in [(linear_8(), 255), (linear_16(), 65535)] {
            assert_eq!((table.len(), table[0], table[top]), (top + 1, 0.0, 1.0));
            let middle = linear_from_srgb((top / 3) as f64 / top as f64);
            assert!((f64::from(table[top / 3]) - middle).abs() < 1e-7);
        }
    }

    #[test]
    fn indices_of_a_known_colour() {
        let density = [0.5_f64, 0.25, 0.125].map(|v| -v.ln());
        assert!((melanin_index(density) - 30.103).abs() < 1e-3);
        assert!((erythema_index(density) - 30.103).abs() < 1e-3);
    }
}
