//! Cells of a picture that gloss adds nothing to.

use crate::baseline::low_pass;
use crate::field::{Field, weighted_quantile};

/// What gloss adds is told over this distance (standard deviation of a Gaussian) …
const GLOSS_MM: f32 = 3.0;
/// … and is some from this much density above the median of the skin.
const GLOSS: f32 = 0.02;
/// Skin of less than the median differs by no more, or the two were lit in other ways.
const MOST_APART: f32 = 0.04;

/// The weights of the cells that have no gloss in one of two pictures, the other of which is
/// taken without any; `None` where the two differ by more than gloss, so that the light of one
/// says nothing of that of the other. On dark skin gloss is as much light as the skin gives
/// back, and would be taken for that of the lamp.
pub(crate) fn without_gloss(glossy: &Field, matte: &Field, weight: &[f32]) -> Option<Vec<f32>> {
    let gloss: Vec<f32> = (0..glossy.len())
        .map(|i| matte.density[1][i] - glossy.density[1][i])
        .collect();
    let gloss = low_pass(glossy, &gloss, weight, GLOSS_MM);
    let mut levels: Vec<(f32, f32)> = (gloss.iter().zip(weight))
        .filter(|(_, w)| **w > 0.0)
        .map(|(g, w)| (*g, *w))
        .collect();
    let [low, middle] = [0.05, 0.5].map(|q| weighted_quantile(&mut levels, q));
    let (low, middle) = (low?, middle?);
    if middle - low > MOST_APART {
        return None;
    }
    let left = (gloss.iter().zip(weight)).map(|(g, w)| if *g - middle > GLOSS { 0.0 } else { *w });
    Some(left.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Extent, Sample};

    const SIDE: usize = 400;

    /// Skin of one density less what a picture's light adds at each place.
    fn field(added: impl Fn(usize) -> f32 + Sync) -> Field {
        let extent = Extent {
            origin: [0, 0],
            size: [SIDE, SIDE],
            px_mm: [0.15, 0.15],
            aim_mm: 0.15,
        };
        Field::reduce(extent, |x, _| {
            Some(Sample {
                density: [2.0 - added(x); 3],
                area_mm2: 0.0225,
                usable: true,
            })
        })
    }

    #[test]
    fn glossy_cells_are_left_out_and_pictures_lit_otherwise_say_nothing() {
        let matte = field(|_| 0.0);
        // Another exposure, and gloss on a fifth of the skin.
        let glossy = field(|x| if x < SIDE / 5 { 0.4 } else { 0.1 });
        let left = without_gloss(&glossy, &matte, &glossy.weight).unwrap();
        let cells = left.len() / glossy.width;
        let kept = |x: usize| left[(cells / 2) * glossy.width + x];
        assert_eq!(kept(glossy.width / 10), 0.0);
        assert!(kept(glossy.width / 2) > 0.0);
        let lit_otherwise = field(|x| 0.3 * x as f32 / SIDE as f32);
        assert!(without_gloss(&lit_otherwise, &matte, &matte.weight).is_none());
    }
}
