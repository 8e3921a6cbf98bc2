//! Spots that pits and lines explain.
//!
//! A fold is a little coloured, because the light in it has been reflected by skin; and the
//! colour differences of a JPEG are coarser than its brightness, so that a pit or a line keeps
//! the difference of the skin around it and looks like melanin.

use dermalia_findings::Feature;

use crate::pigment::Spot;

/// Where the pits and lines of a scan are, in millimetres.
pub(crate) struct Form<'a> {
    pits: Vec<(&'a [f64; 3], f64)>,
    lines: Vec<(&'a [[f64; 3]], f64)>,
}

/// What is known of a spot's colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colour {
    /// Its chroma for each unit of its mean density.
    pub(crate) share: f32,
    /// Half the width over which a JPEG spreads colour, in mm; `None` for other pictures.
    pub(crate) spread_mm: Option<f64>,
}

/// Melanin has a chroma of 0.64 to 0.69 for each unit of its mean density, thin melanin on
/// reddened skin 0.33 and more, a line that is painted darker in L* alone up to 0.25.
const LEAST_SHARE: f32 = 0.28;
/// So many times as long as wide, it is the line that it lies on, whatever its colour.
const LONG: f64 = 2.5;
/// A spot is explained by a line that so much of it lies on.
const MOST: f64 = 0.7;
/// Half of what is dark about a line, in its widths at half depth, and what a cell adds.
const HALF_WIDTHS: f64 = 0.75;
const CELL_MM: f64 = 0.15;
/// What a JPEG makes of a pit is no larger, and of a line no clearer in CIEDE2000.
const PIT_MM2: f64 = 1.0;
const PIT_MM: f64 = 0.3;
const LINE_DE00: f64 = 3.0;

impl<'a> Form<'a> {
    /// Of what was found.
    pub(crate) fn of(features: impl Iterator<Item = &'a Feature>) -> Self {
        let mut form = Self {
            pits: vec![],
            lines: vec![],
        };
        for feature in features {
            match feature {
                Feature::Pore {
                    diameter_mm,
                    centre_mm,
                    ..
                } => form.pits.push((centre_mm, 0.5 * diameter_mm)),
                Feature::Wrinkle {
                    width_mm, path_mm, ..
                } => form.lines.push((path_mm, *width_mm)),
                Feature::Spot { .. } | Feature::RedArea { .. } => {}
            }
        }
        form
    }

    /// Whether a spot is a pit's or a line's; `middle` and `cells` are its places.
    pub(crate) fn explains(
        &self,
        spot: &Spot,
        colour: Colour,
        middle: [f64; 3],
        cells: &[[f64; 3]],
    ) -> bool {
        let jpeg = colour.spread_mm.is_some();
        let on_pit = |(centre, radius): &(&[f64; 3], f64)| {
            squared(centre, &middle) <= radius.max(PIT_MM).powi(2)
        };
        if jpeg && spot.increment.area_mm2 <= PIT_MM2 && self.pits.iter().any(on_pit) {
            return true;
        }
        let [short, long] = spot.increment.axes_mm;
        let faint = if jpeg {
            spot.contrast_de00 < LINE_DE00
        } else {
            colour.share < LEAST_SHARE
        };
        (faint || long > LONG * short)
            && self.lines.iter().any(|(path, width)| {
                let reach = HALF_WIDTHS * width + colour.spread_mm.unwrap_or(CELL_MM);
                let near = |place: &&[f64; 3]| distance_squared(path, place) <= reach * reach;
                let on_line = cells.iter().filter(near).count();
                !cells.is_empty() && on_line as f64 >= MOST * cells.len() as f64
            })
    }
}

fn squared(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    (0..3).map(|k| (a[k] - b[k]) * (a[k] - b[k])).sum()
}

/// From a place to the nearest point of a path.
fn distance_squared(path: &[[f64; 3]], place: &[f64; 3]) -> f64 {
    let pieces = path.windows(2).map(|ends| {
        let along = [0, 1, 2].map(|k| ends[1][k] - ends[0][k]);
        let to = [0, 1, 2].map(|k| place[k] - ends[0][k]);
        let dot = |a: [f64; 3], b: [f64; 3]| (0..3).map(|k| a[k] * b[k]).sum::<f64>();
        let share = (dot(to, along) / dot(along, along).max(1e-12)).clamp(0.0, 1.0);
        squared(place, &[0, 1, 2].map(|k| ends[0][k] + share * along[k]))
    });
    pieces.fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use dermalia_findings::Region;

    use super::*;
    use crate::extent::Increment;

    fn spot(axes_mm: [f64; 2], contrast_de00: f64) -> Spot {
        Spot {
            increment: Increment {
                area_mm2: axes_mm[0] * axes_mm[1],
                axes_mm,
                ..Increment::default()
            },
            contrast_de00,
            deep: false,
        }
    }

    /// Places over a rectangle around a middle.
    fn rectangle(middle: [f64; 3], [high, wide]: [f64; 2]) -> Vec<[f64; 3]> {
        let at = |i: usize| i as f64 / 9.0 - 0.5;
        let place = |i: usize| [wide * at(i % 10), high * at(i / 10)];
        (0..100)
            .map(place)
            .map(|[x, y]| [middle[0] + x, middle[1] + y, middle[2]])
            .collect()
    }

    #[test]
    fn a_spot_is_a_pits_or_a_lines_only_where_it_looks_like_it() {
        let features = [
            Feature::Pore {
                region: Region::Nose,
                diameter_mm: 0.5,
                centre_mm: [0.0, 0.0, 0.0],
                centre_uv: [0.0; 2],
            },
            Feature::Wrinkle {
                region: Region::Forehead,
                length_mm: 20.0,
                width_mm: 0.8,
                depth_mm: None,
                path_mm: vec![[0.0, 10.0, 0.0], [10.0, 10.0, 0.0], [20.0, 10.0, 0.0]],
                path_uv: vec![],
            },
        ];
        let form = Form::of(features.iter());
        let at = |middle: [f64; 3], side: f64, contrast: f64, share: f32, spread: Option<f64>| {
            let colour = Colour {
                share,
                spread_mm: spread,
            };
            let cells = rectangle(middle, [side; 2]);
            form.explains(&spot([side; 2], contrast), colour, middle, &cells)
        };
        let jpeg = Some(0.8);
        // On the pit: only what a JPEG can have coloured, and no larger than that.
        assert!(at([0.1, 0.1, 0.0], 0.6, 4.0, 0.6, jpeg));
        assert!(!at([0.1, 0.1, 0.0], 0.6, 4.0, 0.6, None));
        assert!(!at([0.1, 0.1, 0.0], 1.5, 4.0, 0.6, jpeg));
        assert!(!at([0.6, 0.1, 0.0], 0.6, 4.0, 0.6, jpeg));
        // On the line: what has hardly any colour, or what a JPEG can have given it.
        assert!(at([7.0, 10.2, 0.0], 0.9, 4.0, 0.2, None));
        assert!(!at([7.0, 10.2, 0.0], 0.9, 4.0, 0.6, None));
        assert!(at([7.0, 11.0, 0.0], 0.9, 1.5, 0.6, jpeg));
        assert!(!at([7.0, 11.0, 0.0], 0.9, 4.0, 0.6, jpeg));
        // As long as the line, of any colour.
        let colour = Colour {
            share: 0.6,
            spread_mm: None,
        };
        let (long, middle) = ([0.9, 4.0], [7.0, 10.1, 0.0]);
        assert!(form.explains(&spot(long, 4.0), colour, middle, &rectangle(middle, long)));
        // Beside it, beyond its end, and much wider than it.
        assert!(!at([7.0, 11.5, 0.0], 0.9, 4.0, 0.2, None));
        assert!(!at([21.5, 10.0, 0.0], 0.9, 4.0, 0.2, None));
        assert!(!at([7.0, 10.0, 0.0], 4.0, 4.0, 0.2, None));
    }
}
