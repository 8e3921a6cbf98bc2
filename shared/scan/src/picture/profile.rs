//! ICC profiles to sRGB.

use std::sync::Arc;

use moxcms::{
    CmsError, ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformExecutor,
    TransformOptions,
};

use super::Fault;

/// What the samples of a picture stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    Grey,
    Rgb,
    /// 0 is no ink.
    Cmyk,
}

impl Model {
    const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Cmyk => 4,
        }
    }
}

fn fault(error: &CmsError) -> Fault {
    Fault::Profile(error.to_string())
}

/// A sample width that a transform exists for.
pub(crate) trait Sample: Copy + Default + Send + Sync + 'static {
    /// Full scale.
    const MAX: u32;
    fn from_level(level: u32) -> Self;
    fn level(self) -> u32;
    fn transform(
        profile: &ColorProfile,
        layout: Layout,
    ) -> Result<Arc<dyn TransformExecutor<Self> + Send + Sync>, CmsError>;
}

fn options() -> TransformOptions {
    TransformOptions {
        rendering_intent: RenderingIntent::RelativeColorimetric,
        ..TransformOptions::default()
    }
}

impl Sample for u8 {
    const MAX: u32 = 0xff;
    fn from_level(level: u32) -> Self {
        level as Self
    }
    fn level(self) -> u32 {
        self.into()
    }
    fn transform(
        profile: &ColorProfile,
        layout: Layout,
    ) -> Result<Arc<dyn TransformExecutor<Self> + Send + Sync>, CmsError> {
        profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, options())
    }
}

impl Sample for u16 {
    const MAX: u32 = 0xffff;
    fn from_level(level: u32) -> Self {
        level as Self
    }
    fn level(self) -> u32 {
        self.into()
    }
    fn transform(
        profile: &ColorProfile,
        layout: Layout,
    ) -> Result<Arc<dyn TransformExecutor<Self> + Send + Sync>, CmsError> {
        profile.create_transform_16bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, options())
    }
}

/// Samples of `model` to interleaved sRGB.
///
/// A grey picture may carry an RGB profile: its neutral axis is used. Any other
/// disagreement between profile and picture is refused.
pub(crate) fn to_srgb<T: Sample>(
    samples: Vec<T>,
    model: Model,
    icc: Option<&[u8]>,
) -> Result<Vec<T>, Fault> {
    let Some(icc) = icc else {
        return Ok(match model {
            Model::Rgb => samples,
            Model::Grey => neutral(&samples),
            Model::Cmyk => product(samples),
        });
    };
    let profile = ColorProfile::new_from_slice(icc).map_err(|e| fault(&e))?;
    match (model, profile.color_space) {
        (Model::Grey, DataColorSpace::Gray) => {
            // A grey picture has no more colours than levels: a table of them.
            let table = levels::<T>();
            let out = transformed(&table, &profile, Layout::Gray, Model::Grey)?;
            Ok(samples
                .iter()
                .flat_map(|s| {
                    // The white point can tint by a level; grey stays grey.
                    [out[3 * s.level() as usize + 1]; 3]
                })
                .collect())
        }
        (Model::Grey, DataColorSpace::Rgb) => {
            let table = neutral(&levels::<T>());
            let out = transformed(&table, &profile, Layout::Rgb, Model::Rgb)?;
            Ok(samples
                .iter()
                .flat_map(|s| [out[3 * s.level() as usize + 1]; 3])
                .collect())
        }
        (Model::Rgb, DataColorSpace::Rgb) => {
            if is_srgb::<T>(&profile)? {
                return Ok(samples);
            }
            transformed(&samples, &profile, Layout::Rgb, model)
        }
        // The library's layout of four channels, whatever they stand for.
        (Model::Cmyk, DataColorSpace::Cmyk) => transformed(&samples, &profile, Layout::Rgba, model),
        (model, space) => Err(Fault::Profile(format!(
            "it is for {space:?} samples; the picture has {model:?} ones"
        ))),
    }
}

fn levels<T: Sample>() -> Vec<T> {
    (0..=T::MAX).map(T::from_level).collect()
}

fn neutral<T: Copy>(grey: &[T]) -> Vec<T> {
    grey.iter().flat_map(|&s| [s; 3]).collect()
}

/// Ink times black: what viewers show of CMYK without a profile. In place, because four
/// channels of a large picture are there already.
fn product<T: Sample>(mut cmyk: Vec<T>) -> Vec<T> {
    let pixels = cmyk.len() / 4;
    for i in 0..pixels {
        let light = |s: T| T::MAX - s.level();
        let [c, m, y, k] = [0, 1, 2, 3].map(|n| light(cmyk[4 * i + n]));
        for (n, ink) in [c, m, y].into_iter().enumerate() {
            let exact = u64::from(ink) * u64::from(k);
            let max = u64::from(T::MAX);
            cmyk[3 * i + n] = T::from_level(((exact + max / 2) / max) as u32);
        }
    }
    cmyk.truncate(3 * pixels);
    cmyk
}

fn transformed<T: Sample>(
    samples: &[T],
    profile: &ColorProfile,
    layout: Layout,
    model: Model,
) -> Result<Vec<T>, Fault> {
    let transform = T::transform(profile, layout).map_err(|e| fault(&e))?;
    let pixels = samples.len() / model.channels();
    let mut out = vec![T::default(); 3 * pixels];
    transform
        .transform(&samples[..pixels * model.channels()], &mut out)
        .map_err(|e| fault(&e))?;
    Ok(out)
}

/// Whether a profile moves no colour by more than rounding: then the samples stay as
/// they are, instead of gaining that rounding as noise.
fn is_srgb<T: Sample>(profile: &ColorProfile) -> Result<bool, Fault> {
    const STEPS: u32 = 16;
    let mut grid = Vec::new();
    let at = |i: u32| T::from_level(T::MAX * i / STEPS);
    for r in 0..=STEPS {
        for g in 0..=STEPS {
            for b in 0..=STEPS {
                grid.extend([at(r), at(g), at(b)]);
            }
        }
    }
    let out = transformed(&grid, profile, Layout::Rgb, Model::Rgb)?;
    let slack = T::MAX / 0xff;
    Ok(grid
        .iter()
        .zip(&out)
        .all(|(a, b)| a.level().abs_diff(b.level()) <= slack))
}
