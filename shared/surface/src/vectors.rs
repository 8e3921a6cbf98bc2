//! The widest vectors of the processor that the program meets.

/// Work to be done [`in_vectors`]: a closure, or a type whose `call` is `#[inline(always)]`.
/// A closure that is called by value is called by a function around it, which the compiler
/// leaves outside, compiled for any processor: long loops need a type or [`loop_in_vectors`].
pub use pulp::NullaryFnOnce as Work;

/// Does `work` compiled for the widest vectors that this processor has.
///
/// Numbers come out the same, bit for bit, as without: operations are done side by side,
/// never fused and never in another order. Only what is inlined into `work` is compiled
/// with it; it pays for loops over rows, not for single pixels.
#[inline(always)]
pub fn in_vectors<W: Work>(work: W) -> W::Output {
    pulp::Arch::new().dispatch(work)
}

/// A closure as work, called through a reference: so its own mark gets it inlined.
struct Called<F>(F);

impl<R, F: FnMut() -> R> Work for Called<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

/// As [`in_vectors`], for a closure that is marked `#[inline(always)]`.
#[inline(always)]
pub fn loop_in_vectors<R, F: FnMut() -> R>(work: F) -> R {
    in_vectors(Called(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_change_no_bit() {
        let values: Vec<f32> = (0..1003).map(|i| (i as f32 * 0.37).fract() - 0.3).collect();
        #[inline(always)]
        fn polynomial(v: f32) -> f32 {
            ((0.3 * v + 0.7) * v - 1.1) * v + (v * v + 2.0).sqrt()
        }
        let mut side_by_side = vec![0.0_f32; values.len()];
        in_vectors(|| {
            for (o, v) in side_by_side.iter_mut().zip(&values) {
                *o = polynomial(*v);
            }
        });
        let mut once_more = vec![0.0_f32; values.len()];
        loop_in_vectors(
            #[inline(always)]
            || {
                for (o, v) in once_more.iter_mut().zip(&values) {
                    *o = polynomial(*v);
                }
            },
        );
        assert!(once_more == side_by_side);
        for (o, v) in side_by_side.iter().zip(&values) {
            let alone = polynomial(std::hint::black_box(*v));
            assert_eq!(o.to_bits(), alone.to_bits(), "{v}");
        }
    }
}
