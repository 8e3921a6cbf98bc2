//! Small systems of linear equations.

/// Gaussian elimination with pivots of a system given with its right-hand side.
pub(crate) fn solve<const N: usize, const M: usize>(mut a: [[f64; M]; N]) -> Option<[f64; N]> {
    for k in 0..N {
        let pivot = (k..N).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs()))?;
        a.swap(k, pivot);
        if a[k][k].abs() < 1e-9 {
            return None;
        }
        for i in k + 1..N {
            let f = a[i][k] / a[k][k];
            for j in k..M {
                a[i][j] -= f * a[k][j];
            }
        }
    }
    let mut x = [0.0; N];
    for k in (0..N).rev() {
        let rest: f64 = (k + 1..N).map(|j| a[k][j] * x[j]).sum();
        x[k] = (a[k][N] - rest) / a[k][k];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_a_singular_one_is_not() {
        let x = solve([[0.0, 2.0, 4.0], [3.0, 1.0, 5.0]]).unwrap();
        assert!((x[0] - 1.0).abs() < 1e-12 && (x[1] - 2.0).abs() < 1e-12);
        assert_eq!(solve([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0]]), None);
    }
}
