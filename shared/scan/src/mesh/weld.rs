//! Points at exactly the same place become one.

use std::hash::{BuildHasher, RandomState};

const EMPTY: u32 = u32::MAX;

/// The points without their repetitions, in the order of their first appearance, and
/// where each input point went.
///
/// The hash is keyed at random, so that no file can be made to collide; the result
/// does not depend on it.
pub(crate) fn weld<const N: usize>(points: Vec<[f32; N]>) -> (Vec<[f32; N]>, Vec<u32>) {
    let hash = Hash::<N>::new();
    let size = (points.len() * 2).next_power_of_two();
    let mut table = vec![EMPTY; size];
    let mut unique: Vec<[f32; N]> = Vec::new();
    let index_of = points
        .iter()
        .map(|point| {
            // + 0.0: the two zeros are one place.
            let bits = point.map(|c| (c + 0.0).to_bits());
            let mut slot = hash.of(bits) as usize & (size - 1);
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

/// Sums of products with keys that nobody knows, which are universal, mixed once more.
struct Hash<const N: usize> {
    keys: [u64; N],
    last: u64,
}

impl<const N: usize> Hash<N> {
    fn new() -> Self {
        let random = RandomState::new();
        Self {
            keys: std::array::from_fn(|k| random.hash_one(k)),
            last: random.hash_one(N) | 1,
        }
    }

    #[inline(always)]
    fn of(&self, bits: [u32; N]) -> u64 {
        let mut sum = 0_u64;
        for (key, bits) in self.keys.iter().zip(bits) {
            sum = sum.wrapping_add(key.wrapping_mul(u64::from(bits)));
        }
        // The upper half of a product depends on all of its factors' bits.
        let mixed = (sum ^ sum >> 32).wrapping_mul(self.last);
        mixed >> 32
    }
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
