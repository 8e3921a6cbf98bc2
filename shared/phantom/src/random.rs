//! A small generator of its own, so that the same seed gives the same bytes for ever.

/// `SplitMix64` (Steele, Lea, Flood 2014, doi 10.1145/2660193.2660195).
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of `SplitMix64`, as a hash.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// An independent stream for each purpose: adding features of one kind does not move
    /// those of another.
    pub(crate) fn stream(seed: u64, purpose: &str) -> Self {
        let mut state = mix(seed.wrapping_add(GOLDEN));
        for b in purpose.bytes() {
            state = mix(state ^ u64::from(b)).wrapping_add(GOLDEN);
        }
        Self(state)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [lo, hi).
    pub(crate) fn range(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.unit()
    }

    /// Between lo and hi with the density falling as a power: `skew` above 1 favours lo.
    pub(crate) fn skewed(&mut self, lo: f64, hi: f64, skew: f64) -> f64 {
        lo + (hi - lo) * libm::pow(self.unit(), skew)
    }

    /// An integer in lo..=hi.
    pub(crate) fn count(&mut self, lo: u32, hi: u32) -> u32 {
        lo + (self.unit() * f64::from(hi - lo + 1)) as u32
    }

    /// -1 or 1.
    pub(crate) fn sign(&mut self) -> f64 {
        if self.next() >> 63 == 0 { 1.0 } else { -1.0 }
    }
}

/// Noise of unit variance from four uniform numbers of one hash: the sum of four is
/// within 0.004 of normal in distribution, and costs no logarithm.
pub(crate) fn hash_normal(h: u64) -> f32 {
    let sum: u64 = (0..4).map(|k| (h >> (16 * k)) & 0xffff).sum();
    // Mean 2, variance 4/12.
    (sum as f32 / 65536.0 - 2.0) * 1.732_050_8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_moments() {
        let mut rng = Rng::stream(7, "test");
        let n = 200_000;
        let (mut s, mut q, mut h, mut hq) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..n {
            let x = (rng.unit() - 0.5) * libm::sqrt(12.0);
            let y = f64::from(hash_normal(rng.next()));
            s += x;
            q += x * x;
            h += y;
            hq += y * y;
        }
        let n = f64::from(n);
        for (mean, square) in [(s, q), (h, hq)] {
            assert!((mean / n).abs() < 0.01 && (square / n - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn streams_differ_and_repeat() {
        let a = Rng::stream(1, "pores").next();
        assert_eq!(a, Rng::stream(1, "pores").next());
        assert_ne!(a, Rng::stream(1, "spots").next());
        assert_ne!(a, Rng::stream(2, "pores").next());
    }
}
