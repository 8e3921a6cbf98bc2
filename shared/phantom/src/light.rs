//! Lamps, filters and sensor: from the skin's density to the picture's levels.

use dermalia_scan::manifest::Light;

use crate::areas::Areas;
use crate::noise::gradient_noise;
use crate::options::{Lighting, PhantomOptions};
use crate::random::{Rng, hash_normal, mix};
use crate::skin::{Skin, V3, dot, unit};

/// So many points of the surface tell the mean of the light on it to a thousandth.
const POINTS: usize = 4000;

/// What one kind of light makes of the skin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) light: Light,
    /// Contrast of pits, lines and relief against white light.
    pub(crate) structure: f32,
    /// Height of the highlights.
    pub(crate) gloss: f32,
    /// Contrast of melanin and haemoglobin against white light.
    pub(crate) melanin: f32,
    pub(crate) haemoglobin: f32,
    /// Contrast of the melanin that visible light does not show.
    pub(crate) deep_melanin: f32,
    /// Colour of the picture where it is not that of the skin.
    tint: Option<[f32; 3]>,
}

impl Filter {
    pub(crate) fn of(light: Light) -> Self {
        let filter = |structure, gloss, melanin, haemoglobin, tint| Self {
            light,
            structure,
            gloss,
            melanin,
            haemoglobin,
            deep_melanin: match light {
                Light::Uv | Light::Wood => melanin,
                _ => 0.0,
            },
            tint,
        };
        match light {
            Light::White => filter(1.0, 0.03, 1.0, 1.0, None),
            Light::ParallelPolarised => filter(1.35, 0.07, 1.0, 1.0, None),
            Light::CrossPolarised => filter(0.6, 0.0, 1.0, 1.0, None),
            Light::Uv => filter(0.8, 0.0, 1.7, 0.4, Some([0.55, 0.50, 0.85])),
            Light::Wood => filter(0.6, 0.0, 1.9, 0.3, Some([0.35, 0.45, 0.90])),
            Light::Nir => filter(0.5, 0.02, 0.12, 0.10, Some([0.85, 0.85, 0.85])),
        }
    }

    /// Name of the picture's file without its ending.
    pub(crate) const fn name(&self) -> &'static str {
        match self.light {
            Light::White => "white",
            Light::ParallelPolarised => "parallel",
            Light::CrossPolarised => "cross",
            Light::Uv => "uv",
            Light::Wood => "wood",
            Light::Nir => "nir",
        }
    }

    /// A monochrome light sees the green channel's density in its own colour.
    pub(crate) fn tinted(&self, rgb: [f32; 3]) -> [f32; 3] {
        self.tint.map_or(rgb, |t| t.map(|c| c * rgb[1]))
    }
}

/// One capture: where the lamps stand and what the camera adds.
pub(crate) struct Capture {
    lighting: Lighting,
    lamp: V3,
    half_way: V3,
    gain: f64,
    /// Change of the light along space, 1/mm.
    gradient: V3,
    /// Factor on each channel.
    pub(crate) balance: [f32; 3],
    /// Shift of the atlas against the pixels, in pixels.
    pub(crate) shift_px: [f64; 2],
    /// Of uneven light's patches, and the factor on them.
    seed: u64,
    level: f64,
    noise: u64,
    noise_scale: f32,
}

impl Capture {
    pub(crate) fn of(options: &PhantomOptions) -> Self {
        let again = options.recapture.map(|n| mix(n.wrapping_add(1)));
        let mut rng = Rng::stream(options.seed ^ again.unwrap_or(0), "capture");
        let mut about_one = |width: f64| 1.0 + rng.range(-width, width);
        // A device is balanced to about half a per cent; even light is the ideal case.
        let width = match (options.recapture, options.lighting, options.hard) {
            (Some(_), _, _) => 0.01,
            (None, Lighting::Even, false) => 0.0,
            _ => 0.005,
        };
        let balance = [0; 3].map(|_| about_one(width) as f32);
        let retaken = f64::from(u8::from(again.is_some()));
        let gain = about_one(0.15 * retaken);
        let gradient = [0; 3].map(|_| rng.range(-0.0008, 0.0008) * retaken);
        let shift_px = [0; 2].map(|_| rng.range(-0.5, 0.5) * retaken);
        let side = Rng::stream(options.seed, "lamp").sign();
        let lamp = unit([0.55 * side, 0.45, 0.8]);
        Self {
            lighting: options.lighting,
            lamp,
            half_way: unit([lamp[0], lamp[1], lamp[2] + 1.0]),
            gain,
            gradient,
            balance,
            shift_px,
            seed: Rng::stream(options.seed, "patches").next(),
            level: 1.0,
            noise: rng.next(),
            noise_scale: (options.noise_scale * if options.hard { 2.0 } else { 1.0 }) as f32,
        }
    }

    /// Brings the mean of uneven light's patches over the measured skin to 1.
    pub(crate) fn levelled(mut self, skin: &Skin, areas: &Areas) -> Self {
        if self.lighting == Lighting::Uneven {
            let mut rng = Rng::stream(self.seed, "points");
            let mut share = || rng.range(0.0, 1.0);
            let points = (0..POINTS).map(|_| skin.uniform(share(), share(), share()));
            let measured = points.filter(|p| areas.measured(p.uv).is_some());
            let (sum, count) = measured.fold((0.0, 0.0), |(sum, count), p| {
                (sum + self.patches(p.mm.map(|c| c as f32)), count + 1.0)
            });
            if count > 0.0 {
                self.level *= count / sum;
            }
        }
        self
    }

    fn patches(&self, mm: [f32; 3]) -> f64 {
        let slow = f64::from(gradient_noise(self.seed, mm, 45.0));
        let spots = f64::from(gradient_noise(self.seed ^ 1, mm, 22.0));
        self.level * libm::exp(0.13 * slow + 0.05 * spots)
    }

    /// Light on a point: 1 is the light the skin's colour is defined under.
    pub(crate) fn shade(&self, mm: [f32; 3], normal: [f32; 3]) -> f32 {
        let n = normal.map(f64::from);
        let lambert = dot(n, self.lamp).max(0.0);
        let lamps = match self.lighting {
            Lighting::Even => 1.0,
            // Skin that faces the lamp has the light its colour is defined under …
            Lighting::Directional => 0.42 + 0.58 * lambert,
            // … and patches have it on the mean.
            Lighting::Uneven => self.patches(mm),
        };
        let drift = dot(mm.map(f64::from), self.gradient);
        (lamps * self.gain * (1.0 + drift)) as f32
    }

    /// The direction to the lamp as far as it runs along the skin.
    pub(crate) fn along(&self, normal: [f32; 3]) -> [f32; 3] {
        let n = normal.map(f64::from);
        let out = dot(n, self.lamp);
        [0, 1, 2].map(|c| (self.lamp[c] - out * n[c]) as f32)
    }

    /// Highlights of a filter, in linear light.
    pub(crate) fn gloss(&self, filter: &Filter, normal: [f32; 3], structure: f32) -> f32 {
        if filter.gloss == 0.0 {
            return 0.0;
        }
        let n = normal.map(f64::from);
        let (axis, squarings) = match self.lighting {
            Lighting::Even => ([0.0, 0.0, 1.0], 7),
            _ => (self.half_way, 6),
        };
        let facing = dot(n, axis);
        if facing < 0.8 {
            return 0.0;
        }
        let peak = (0..squarings).fold(facing, |v, _| v * v) as f32;
        // Rough skin breaks the highlight up.
        filter.gloss * peak * (1.0 - structure).clamp(0.3, 1.3)
    }

    /// Shot and read noise of one pixel of one picture.
    pub(crate) fn noisy(&self, linear: [f32; 3], picture: usize, pixel: usize) -> [f32; 3] {
        if self.noise_scale == 0.0 {
            return linear;
        }
        let mut k = 0;
        linear.map(|v| {
            k += 1;
            let h = mix(self.noise ^ mix((pixel * 4 + k) as u64) ^ ((picture as u64) << 56));
            let sigma = (READ * READ + SHOT * SHOT * v.max(0.0)).sqrt();
            v + hash_normal(h) * sigma * self.noise_scale
        })
    }
}

/// Noise in linear light of a dark pixel, and of a white one beyond that.
const READ: f32 = 0.0008;
const SHOT: f32 = 0.004;
