//! The linear form of density that tells an increment from the skin around it.

use dermalia_surface::loop_in_vectors;

use crate::linear::solve;

/// Shading that is expected anywhere even if the skin around shows none: pits and folds.
const LEAST_SHADING: f64 = 0.012;
/// Fewer cells of the skin around do not tell it.
pub(crate) const LEAST_AROUND: usize = 12;
/// Noise that is expected in any channel.
const LEAST_NOISE: f64 = 0.002;

/// Fisher's discriminant, scaled to be 0 on the skin around and 1 on the increment.
#[derive(Debug, Clone)]
pub(crate) struct Discriminant {
    /// The step of density from the skin around to the increment.
    pub(crate) step: [f64; 3],
    form: [f64; 3],
    ground: [Slope; 3],
}

/// A plane through the skin around: value at a middle and slopes, per cell.
#[derive(Debug, Clone, Copy)]
struct Slope {
    middle: [f64; 2],
    at: [f64; 3],
}

impl Slope {
    /// Least squares through each channel, with slopes held back where the points lie on
    /// one side only.
    fn of(
        planes: &[Vec<f32>; 3],
        w: usize,
        points: &[usize],
        middle: [f64; 2],
    ) -> [Option<Self>; 3] {
        let mut normal = [[0.0_f64; 4]; 3];
        let mut right = [[0.0_f64; 3]; 3];
        let mut reach = 0.0;
        for &i in points {
            let [x, y] = [(i % w) as f64 - middle[0], (i / w) as f64 - middle[1]];
            let terms = [1.0, x, y];
            for a in 0..3 {
                for b in 0..3 {
                    normal[a][b] += terms[a] * terms[b];
                }
                for (sums, plane) in right.iter_mut().zip(planes) {
                    sums[a] += terms[a] * f64::from(plane[i]);
                }
            }
            reach += x * x + y * y;
        }
        for (k, row) in normal.iter_mut().enumerate().skip(1) {
            row[k] += 0.05 * reach + 1e-6;
        }
        right.map(|sums| {
            let mut system = normal;
            for (row, sum) in system.iter_mut().zip(sums) {
                row[3] = sum;
            }
            Some(Self {
                middle,
                at: solve(system)?,
            })
        })
    }

    #[inline(always)]
    fn value_at(&self, x: f64, y: f64) -> f64 {
        let [x, y] = [x - self.middle[0], y - self.middle[1]];
        self.at[0] + self.at[1] * x + self.at[2] * y
    }
}

impl Discriminant {
    /// From the cells of a window that are inside and around; `None` where there is too
    /// little skin around, or no difference.
    pub(crate) fn of(
        planes: &[Vec<f32>; 3],
        w: usize,
        inside: &[usize],
        around: &[usize],
    ) -> Option<Self> {
        if around.len() < LEAST_AROUND || inside.is_empty() {
            return None;
        }
        let n = inside.len() as f64;
        let middle = [
            inside.iter().map(|&i| (i % w) as f64).sum::<f64>() / n,
            inside.iter().map(|&i| (i / w) as f64).sum::<f64>() / n,
        ];
        let mut ground = Slope::of(planes, w, around, middle);
        // Once more without what stands out of the skin around, such as a wrinkle.
        if let [Some(r), Some(g), Some(b)] = ground {
            let off = |i: usize| -> f64 {
                let (x, y) = ((i % w) as f64, (i / w) as f64);
                [r, g, b]
                    .iter()
                    .zip(planes)
                    .map(|(s, p)| (f64::from(p[i]) - s.value_at(x, y)).abs())
                    .sum()
            };
            let all: Vec<f64> = around.iter().map(|&i| off(i)).collect();
            let mut sorted = all.clone();
            let half = sorted.len() / 2;
            let (_, middle_off, _) = sorted.select_nth_unstable_by(half, f64::total_cmp);
            let limit = 3.0 * *middle_off;
            let kept: Vec<usize> = around
                .iter()
                .zip(&all)
                .filter(|(_, off)| **off <= limit)
                .map(|(i, _)| *i)
                .collect();
            if kept.len() >= LEAST_AROUND {
                ground = Slope::of(planes, w, &kept, middle);
            }
        }
        let [Some(r), Some(g), Some(b)] = ground else {
            return None;
        };
        let ground = [r, g, b];
        let rest = |i: usize| {
            let (x, y) = ((i % w) as f64, (i / w) as f64);
            [0, 1, 2].map(|k| f64::from(planes[k][i]) - ground[k].value_at(x, y))
        };
        let mut covariance = [[0.0_f64; 4]; 3];
        for &i in around {
            let d = rest(i);
            for a in 0..3 {
                for b in 0..3 {
                    covariance[a][b] += d[a] * d[b];
                }
            }
        }
        let within: Vec<[f64; 3]> = inside.iter().map(|&i| rest(i)).collect();
        let step = [0, 1, 2].map(|k| {
            let mut v: Vec<f64> = within.iter().map(|d| d[k]).collect();
            let half = v.len() / 2;
            let (_, m, _) = v.select_nth_unstable_by(half, f64::total_cmp);
            *m
        });
        for (a, row) in covariance.iter_mut().enumerate() {
            for (b, value) in row.iter_mut().enumerate().take(3) {
                *value = *value / around.len() as f64 + LEAST_SHADING * LEAST_SHADING;
                if a == b {
                    *value += LEAST_NOISE * LEAST_NOISE;
                }
            }
            row[3] = step[a];
        }
        let form = solve(covariance)?;
        let scale: f64 = (0..3).map(|k| form[k] * step[k]).sum();
        (scale > 0.0).then(|| Self {
            step,
            form: form.map(|v| v / scale),
            ground,
        })
    }

    /// The form over a window.
    pub(crate) fn plane(&self, planes: &[Vec<f32>; 3], w: usize) -> Vec<f32> {
        let mut out = vec![0.0; planes[0].len()];
        let columns: Vec<f64> = (0..w).map(|x| x as f64).collect();
        loop_in_vectors(
            #[inline(always)]
            || {
                for (y, out) in out.chunks_exact_mut(w).enumerate() {
                    let row = |k: usize| &planes[k][y * w..(y + 1) * w];
                    let channels = row(0).iter().zip(row(1)).zip(row(2));
                    for ((o, x), ((r, g), b)) in out.iter_mut().zip(&columns).zip(channels) {
                        let mut v = 0.0;
                        for (k, d) in [*r, *g, *b].into_iter().enumerate() {
                            let ground = self.ground[k].value_at(*x, y as f64);
                            v += self.form[k] * (f64::from(d) - ground);
                        }
                        *o = v as f32;
                    }
                }
            },
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blue is noise only, red and green carry the step; shading runs across.
    #[test]
    fn a_channel_of_noise_is_left_out_and_shading_goes() {
        let (w, h) = (60, 60);
        let noise = |i: usize, k: usize| ((i * 7919 + k * 104_729) % 1009) as f32 / 504.0 - 1.0;
        let inside = |i: usize| {
            let (x, y) = ((i % w) as f32 - 30.0, (i / w) as f32 - 30.0);
            x * x + y * y < 64.0
        };
        let plane = |k: usize, step: f32, sigma: f32| -> Vec<f32> {
            (0..w * h)
                .map(|i| {
                    let s = if inside(i) { step } else { 0.0 };
                    1.0 + s + 0.004 * (i % w) as f32 + sigma * noise(i, k)
                })
                .collect()
        };
        let planes = [
            plane(0, 0.05, 0.004),
            plane(1, 0.10, 0.004),
            plane(2, 0.15, 0.3),
        ];
        let (mut inner, mut outer) = (vec![], vec![]);
        for i in 0..w * h {
            let (x, y) = ((i % w) as f32 - 30.0, (i / w) as f32 - 30.0);
            let r = (x * x + y * y).sqrt();
            if r < 7.0 {
                inner.push(i);
            } else if (14.0..24.0).contains(&r) {
                outer.push(i);
            }
        }
        let form = Discriminant::of(&planes, w, &inner, &outer).unwrap();
        let f = form.plane(&planes, w);
        let mean = |cells: &[usize]| cells.iter().map(|&i| f[i]).sum::<f32>() / cells.len() as f32;
        assert!((mean(&inner) - 1.0).abs() < 0.05 && mean(&outer).abs() < 0.02);
        let worst = inner
            .iter()
            .map(|&i| (f[i] - 1.0).abs())
            .fold(0.0, f32::max);
        assert!(worst < 0.4, "{worst}");
        assert!(Discriminant::of(&planes, w, &inner, &outer[..5]).is_none());
    }
}
