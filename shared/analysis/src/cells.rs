//! Pictures made smaller by whole numbers.

/// Means of square cells of `step` pixels, of rows of `line` samples, three a pixel: one
/// row of cells. What is left over at the right counts in none.
pub(crate) fn means<T: Copy>(
    rows: &[T],
    line: usize,
    step: usize,
    level: impl Fn(T) -> u32,
    out: &mut [u8],
) {
    // Known to the compiler, the usual step makes a shift of the division.
    match step {
        2 => cells(rows, line, 2, level, out),
        _ => cells(rows, line, step, level, out),
    }
}

#[inline(always)]
fn cells<T: Copy>(rows: &[T], line: usize, step: usize, level: impl Fn(T) -> u32, out: &mut [u8]) {
    let n = (step * step) as u32;
    for (x, px) in out.chunks_exact_mut(3).enumerate() {
        let mut sum = [n / 2; 3];
        for y in 0..step {
            let from = y * line + 3 * x * step;
            for levels in rows[from..from + 3 * step].chunks_exact(3) {
                for c in 0..3 {
                    sum[c] += level(levels[c]);
                }
            }
        }
        for c in 0..3 {
            px[c] = (sum[c] / n) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_means_rounded_to_the_nearest() {
        for step in [1, 2, 3] {
            let line = 3 * 2 * step + 3;
            let rows: Vec<u8> = (0..line * step).map(|i| (i * 37 % 256) as u8).collect();
            let mut out = [0; 6];
            means(&rows, line, step, u32::from, &mut out);
            for (i, mean) in out.iter().enumerate() {
                let mut sum = 0.0;
                for y in 0..step {
                    for x in 0..step {
                        let px = i / 3 * step + x;
                        sum += f64::from(rows[y * line + 3 * px + i % 3]);
                    }
                }
                let exact = sum / (step * step) as f64;
                assert_eq!(f64::from(*mean), (exact + 0.5).floor(), "{step} {i}");
            }
        }
    }
}
