//! Points at exactly the same place become one.

use std::hash::{BuildHasher, RandomState};

const EMPTY: u32 = u32::MAX;

/// The points without their repetitions, in the order of their first appearance, and
/// where each input point went.
///
/// The hash is keyed at random, so that no file can be made to collide; the result
/// does not depend on it.
pub(crate) fn weld<const N: usize>(points: Vec<[f32; N]>) -> (Vec<[f32; N]>, Vec<u32>) {
    let hasher = RandomState::new();
    let size = (points.len() * 2).next_power_of_two();
    let mut table = vec![EMPTY; size];
    let mut unique: Vec<[f32; N]> = Vec::new();
    let index_of = points
        .iter()
        .map(|point| {
            // + 0.0: the two zeros are one place.
            let bits = point.map(|c| (c + 0.0).to_bits());
            let mut slot = hasher.hash_one(bits) as usize & (size - 1);
            loop {
                match table[slot] {
                    EMPTY => {
                        let index = unique.len() as u32;
                        table[slot] = index;
                        unique.push(*point);
                        return index;
                    }
                    index if unique[index as usize] == *point => return index,
                    _ => slot = (slot + 1) & (size - 1),
                }
            }
        })
        .collect();
    (unique, index_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_appearance_sets_the_order() {
        let (unique, index_of) = weld(vec![[2.0, 0.0], [1.0, -0.0], [2.0, -0.0], [1.0, 0.0]]);
        assert_eq!(unique, [[2.0, 0.0], [1.0, 0.0]]);
        assert_eq!(index_of, [0, 1, 0, 1]);
        assert_eq!(weld::<3>(vec![]), (vec![], vec![]));
    }
}
