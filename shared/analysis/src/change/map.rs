//! Where it changed: a picture for each parameter.

use dermalia_findings::{BaseTexture, Parameter};

use super::ground::{Ground, Layer};

/// Change of one parameter over the later atlas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeMap {
    /// Which parameter.
    pub parameter: Parameter,
    /// Columns.
    pub width: usize,
    /// Rows, the first at the top (v = 1).
    pub height: usize,
    /// Row-major: 0 where not both scans measured; else 128 plus half the change of the
    /// strength, from 1 (gone) over 128 (the same) to 255 (new).
    pub change: Vec<u8>,
}

const SAME: i16 = 128;
/// Levels of change that two captures of the same skin show: no colour.
const SCATTER: i16 = 10;
/// From this on the colour is full.
const FULL: i16 = 60;

pub(super) fn of(layer: &Layer, ground: &Ground) -> ChangeMap {
    let [width, height] = ground.atlas.full_px;
    let [left, top] = ground.atlas.origin_px;
    let mut change = vec![0_u8; width * height];
    for (i, level) in layer.levels.iter().enumerate() {
        if let Some([then, now]) = level {
            let (x, y) = (i % ground.atlas.width, i / ground.atlas.width);
            let value = f32::from(SAME) + ((now - then) * 0.5).round();
            change[(y + top) * width + x + left] = value.clamp(1.0, 255.0) as u8;
        }
    }
    ChangeMap {
        parameter: layer.parameter,
        width,
        height,
        change,
    }
}

impl ChangeMap {
    /// The share of the compared skin that changed by more than scatter.
    #[must_use]
    pub fn changed_share(&self) -> f64 {
        let (mut changed, mut all) = (0_usize, 0_usize);
        for &c in self.change.iter().filter(|c| **c > 0) {
            all += 1;
            changed += usize::from((i16::from(c) - SAME).abs() > SCATTER);
        }
        changed as f64 / all.max(1) as f64
    }

    /// The map over the skin without its colour: red is more, blue is less, the skin alone
    /// is no change, dark is skin that not both scans measured.
    #[must_use]
    pub fn picture(&self, base: &BaseTexture) -> BaseTexture {
        const MORE: [f32; 3] = [200.0, 30.0, 30.0];
        const LESS: [f32; 3] = [30.0, 80.0, 210.0];
        let mut rgb = Vec::with_capacity(3 * self.width * self.height);
        for (i, &c) in self.change.iter().enumerate() {
            let (x, y) = (i % self.width, i / self.width);
            let at = |k: usize, of: usize, size: usize| k * size / of.max(1);
            let j =
                3 * (at(y, self.height, base.height) * base.width + at(x, self.width, base.width));
            let grey = base.rgb.get(j..j + 3).map_or(128.0, |p| {
                p.iter().map(|v| f32::from(*v)).sum::<f32>() / 3.0
            });
            if c == 0 {
                rgb.extend([(0.35 * grey) as u8; 3]);
                continue;
            }
            let off = i16::from(c) - SAME;
            let beyond = (off.abs() - SCATTER).clamp(0, FULL - SCATTER);
            let share = 0.85 * f32::from(beyond) / f32::from(FULL - SCATTER);
            let colour = if off > 0 { MORE } else { LESS };
            rgb.extend(colour.map(|v| (grey + share * (v - grey) + 0.5) as u8));
        }
        BaseTexture {
            width: self.width,
            height: self.height,
            rgb,
        }
    }

    /// [`Self::picture`] as a PNG file.
    ///
    /// # Errors
    /// Where the map has no pixels.
    pub fn png(&self, base: &BaseTexture) -> Result<Vec<u8>, png::EncodingError> {
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut bytes = vec![];
        let mut encoder = png::Encoder::new(&mut bytes, size(self.width), size(self.height));
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.picture(base).rgb)?;
        writer.finish()?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_red_less_is_blue_and_scatter_is_neither() {
        let map = ChangeMap {
            parameter: Parameter::Redness,
            width: 5,
            height: 1,
            change: vec![0, 128, 120, 230, 20],
        };
        assert!((map.changed_share() - 0.5).abs() < 1e-12);
        let base = BaseTexture {
            width: 5,
            height: 1,
            rgb: vec![150; 15],
        };
        let p = map.picture(&base).rgb;
        assert!(p[0] < 60 && p[3..9] == [150; 6]);
        assert!(p[9] > 180 && p[11] < 60 && p[12] < 60 && p[14] > 190);
    }
}
