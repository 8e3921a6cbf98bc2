//! Convolutions. Each output is one sum in a fixed order, so results do not depend on
//! threads or on the width of the machine's vectors.

use super::ModelError;
use super::layers::{Activation, Spend, Window, misfit};
use super::model::{Tensor, picture, volume};

/// Output channels that are summed together.
const LANES: usize = 8;
/// Pixels that are summed together.
const PIXELS: usize = 4;

/// A convolution over all channels.
pub(super) struct Convolution {
    window: Window,
    activation: Activation,
    channels_in: usize,
    channels_out: usize,
    /// For each group of `LANES` output channels: for each input of the window, its
    /// weights; the last group is filled up with zeros.
    weights: Vec<Lanes>,
    bias: Vec<Lanes>,
}

impl Convolution {
    /// From weights of shape output channels, rows, columns, input channels.
    pub(super) fn new(
        at: usize,
        weights: &Tensor,
        bias: &[f32],
        stride: [usize; 2],
        same: bool,
        activation: Activation,
    ) -> Result<Self, ModelError> {
        let [channels_out, rows, columns, channels_in] = weights.shape[..] else {
            return Err(misfit(at, "weights", weights, "4 dimensions".to_owned()));
        };
        let inputs = rows * columns * channels_in;
        if inputs == 0 || channels_out == 0 || bias.len() != channels_out {
            return Err(misfit(
                at,
                "weights",
                weights,
                format!("{} outputs", bias.len()),
            ));
        }
        let groups = channels_out.div_ceil(LANES);
        let mut packed = vec![[0.0; LANES]; groups * inputs];
        let mut filled = vec![[0.0; LANES]; groups];
        for (out, row) in weights.values.chunks_exact(inputs).enumerate() {
            let (group, lane) = (out / LANES, out % LANES);
            filled[group][lane] = bias[out];
            for (k, &w) in row.iter().enumerate() {
                packed[group * inputs + k][lane] = w;
            }
        }
        Ok(Self {
            window: Window {
                size: [rows, columns],
                stride,
                same,
            },
            activation,
            channels_in,
            channels_out,
            weights: packed,
            bias: filled,
        })
    }

    pub(super) fn apply(
        &self,
        at: usize,
        input: &Tensor,
        spend: &mut Spend<'_>,
    ) -> Result<Tensor, ModelError> {
        let [rows, columns, channels] = picture(at, "input", input)?;
        if channels != self.channels_in {
            let expected = format!("{} channels", self.channels_in);
            return Err(misfit(at, "input", input, expected));
        }
        let (out_rows, top) = self.window.positions(0, rows);
        let (out_columns, left) = self.window.positions(1, columns);
        let shape = vec![1, out_rows, out_columns, self.channels_out];
        let count = volume(&shape)?;
        let inputs = self.window.size[0] * self.window.size[1] * channels;
        spend(count.saturating_mul(inputs))?;
        let mut values = vec![0.0; count];
        if count == 0 {
            return Ok(Tensor { shape, values });
        }
        if self.window.size == [1, 1] && self.window.stride == [1, 1] {
            self.sum(&input.values, inputs, &mut values);
        } else {
            // One row of windows at a time, each laid out flat.
            let mut flat = vec![0.0; out_columns * inputs];
            let row_length = out_columns * self.channels_out;
            for (y, out) in values.chunks_exact_mut(row_length).enumerate() {
                flat.fill(0.0);
                let ys = self.window.inside(0, rows, y, top);
                for (x, patch) in flat.chunks_exact_mut(inputs).enumerate() {
                    let xs = self.window.inside(1, columns, x, left);
                    let run = (xs.last - xs.first) * channels;
                    for ky in ys.first..ys.last {
                        let from = ((ys.origin + ky - ys.first) * columns + xs.origin) * channels;
                        let to = (ky * self.window.size[1] + xs.first) * channels;
                        if run > 0 {
                            patch[to..to + run].copy_from_slice(&input.values[from..from + run]);
                        }
                    }
                }
                self.sum(&flat, inputs, out);
            }
        }
        self.activation.apply(&mut values);
        Ok(Tensor { shape, values })
    }

    /// `out` = `flat` (one row of `inputs` numbers a pixel) times the weights.
    fn sum(&self, flat: &[f32], inputs: usize, out: &mut [f32]) {
        let outputs = self.channels_out;
        let blocks = flat
            .chunks(inputs * PIXELS)
            .zip(out.chunks_mut(outputs * PIXELS));
        for (block, out) in blocks {
            for (group, weights) in self.weights.chunks_exact(inputs).enumerate() {
                let first = group * LANES;
                let width = LANES.min(outputs - first);
                let bias = self.bias[group];
                let mut keep = |pixel: usize, sums: Lanes| {
                    let to = pixel * outputs + first;
                    out[to..to + width].copy_from_slice(&sums[..width]);
                };
                if block.len() == inputs * PIXELS {
                    let (a, b) = block.split_at(inputs * 2);
                    let ((p, q), (r, s)) = (a.split_at(inputs), b.split_at(inputs));
                    let sums = four(weights, [p, q, r, s], bias);
                    for (pixel, sum) in sums.into_iter().enumerate() {
                        keep(pixel, sum);
                    }
                } else {
                    for (pixel, flat) in block.chunks_exact(inputs).enumerate() {
                        keep(pixel, one(weights, flat, bias));
                    }
                }
            }
        }
    }
}

/// One number for each output of a group.
type Lanes = [f32; LANES];

fn one(weights: &[Lanes], pixel: &[f32], mut sums: Lanes) -> Lanes {
    for (w, p) in weights.iter().zip(pixel) {
        for k in 0..LANES {
            sums[k] += p * w[k];
        }
    }
    sums
}

/// Four pixels at once; each sum runs in the same order as in [`one`]. The four are kept
/// in variables of their own, which the compiler turns into vectors.
fn four(weights: &[Lanes], pixels: [&[f32]; PIXELS], bias: Lanes) -> [Lanes; PIXELS] {
    let (mut a, mut b, mut c, mut d) = (bias, bias, bias, bias);
    let n = weights.len();
    let [p, q, r, s] = pixels.map(|x| &x[..n]);
    for i in 0..n {
        let w = &weights[i];
        for k in 0..LANES {
            a[k] += p[i] * w[k];
        }
        for k in 0..LANES {
            b[k] += q[i] * w[k];
        }
        for k in 0..LANES {
            c[k] += r[i] * w[k];
        }
        for k in 0..LANES {
            d[k] += s[i] * w[k];
        }
    }
    [a, b, c, d]
}

/// A convolution of each channel by itself.
pub(super) struct Depthwise {
    window: Window,
    activation: Activation,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Depthwise {
    /// From weights of shape 1, rows, columns, channels.
    pub(super) fn new(
        at: usize,
        weights: &Tensor,
        bias: &[f32],
        stride: [usize; 2],
        same: bool,
        activation: Activation,
    ) -> Result<Self, ModelError> {
        match weights.shape[..] {
            [1, rows, columns, channels] if rows * columns > 0 && channels == bias.len() => {
                Ok(Self {
                    window: Window {
                        size: [rows, columns],
                        stride,
                        same,
                    },
                    activation,
                    weights: weights.values.clone(),
                    bias: bias.to_vec(),
                })
            }
            _ => Err(misfit(
                at,
                "weights",
                weights,
                format!("{} channels", bias.len()),
            )),
        }
    }

    pub(super) fn apply(
        &self,
        at: usize,
        input: &Tensor,
        spend: &mut Spend<'_>,
    ) -> Result<Tensor, ModelError> {
        let [rows, columns, channels] = picture(at, "input", input)?;
        if channels != self.bias.len() {
            return Err(misfit(
                at,
                "input",
                input,
                format!("{} channels", self.bias.len()),
            ));
        }
        let (out_rows, top) = self.window.positions(0, rows);
        let (out_columns, left) = self.window.positions(1, columns);
        let shape = vec![1, out_rows, out_columns, channels];
        let count = volume(&shape)?;
        spend(count.saturating_mul(self.window.size[0] * self.window.size[1]))?;
        let mut values = vec![0.0; count];
        for (px, out) in values.chunks_exact_mut(channels).enumerate() {
            out.copy_from_slice(&self.bias);
            let ys = self.window.inside(0, rows, px / out_columns, top);
            let xs = self.window.inside(1, columns, px % out_columns, left);
            for ky in ys.first..ys.last {
                for kx in xs.first..xs.last {
                    let (y, x) = (ys.origin + ky - ys.first, xs.origin + kx - xs.first);
                    let from = (y * columns + x) * channels;
                    let weight = (ky * self.window.size[1] + kx) * channels;
                    let pixel = &input.values[from..from + channels];
                    let weights = &self.weights[weight..weight + channels];
                    for ((o, i), w) in out.iter_mut().zip(pixel).zip(weights) {
                        *o += i * w;
                    }
                }
            }
        }
        self.activation.apply(&mut values);
        Ok(Tensor { shape, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        Tensor {
            shape: shape.to_vec(),
            values: (0..n)
                .map(|i| (i as f32 * 0.7).rem_euclid(3.0) - 1.0)
                .collect(),
        }
    }

    /// The definition, written down without any blocking.
    fn plain(input: &Tensor, w: &Tensor, bias: &[f32], stride: usize, same: bool) -> Vec<f32> {
        let [_, h, l, c] = input.shape[..] else {
            panic!()
        };
        let [outs, kh, kw, _] = w.shape[..] else {
            panic!()
        };
        let out_size = |n: usize, k: usize| {
            if same {
                n.div_ceil(stride)
            } else {
                (n - k) / stride + 1
            }
        };
        let before = |n: usize, k: usize| {
            if same {
                ((out_size(n, k) - 1) * stride + k).saturating_sub(n) / 2
            } else {
                0
            }
        };
        let mut out = vec![];
        for y in 0..out_size(h, kh) {
            for x in 0..out_size(l, kw) {
                for o in 0..outs {
                    let mut sum = bias[o];
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let iy = (y * stride + ky) as isize - before(h, kh) as isize;
                            let ix = (x * stride + kx) as isize - before(l, kw) as isize;
                            if iy < 0 || ix < 0 || iy >= h as isize || ix >= l as isize {
                                continue;
                            }
                            for k in 0..c {
                                sum += input.values[(iy as usize * l + ix as usize) * c + k]
                                    * w.values[((o * kh + ky) * kw + kx) * c + k];
                            }
                        }
                    }
                    out.push(sum);
                }
            }
        }
        out
    }

    #[test]
    fn it_is_the_sum_of_its_definition() {
        for (h, l, c, outs, k, stride, same) in [
            (7, 9, 3, 5, 3, 2, true),
            (6, 6, 4, 17, 5, 2, true),
            (5, 8, 2, 8, 3, 1, false),
            (9, 9, 6, 3, 3, 3, false),
            (4, 7, 5, 9, 1, 1, false),
        ] {
            let (input, w) = (ramp(&[1, h, l, c]), ramp(&[outs, k, k, c]));
            let bias: Vec<f32> = (0..outs).map(|o| o as f32).collect();
            let conv = Convolution::new(0, &w, &bias, [stride; 2], same, Activation::None).unwrap();
            let got = conv.apply(0, &input, &mut |_| Ok(())).unwrap();
            let expected = plain(&input, &w, &bias, stride, same);
            assert_eq!(got.values.len(), expected.len());
            for (a, b) in got.values.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-4, "{a} {b}");
            }
        }
    }

    #[test]
    fn by_hand() {
        let input = Tensor {
            shape: vec![1, 1, 3, 1],
            values: vec![1.0, 2.0, 4.0],
        };
        let w = Tensor {
            shape: vec![1, 1, 3, 1],
            values: vec![1.0, 10.0, 100.0],
        };
        let conv = Convolution::new(0, &w, &[0.5], [1, 1], true, Activation::None).unwrap();
        let out = conv.apply(0, &input, &mut |_| Ok(())).unwrap();
        assert_eq!(out.values, [210.5, 421.5, 42.5]);
        let deep = Depthwise::new(0, &w, &[0.5], [1, 1], true, Activation::Relu6).unwrap();
        let out = deep.apply(0, &input, &mut |_| Ok(())).unwrap();
        assert_eq!(out.values, [6.0, 6.0, 6.0]);
    }

    #[test]
    fn each_channel_by_itself() {
        let (input, w) = (ramp(&[1, 6, 5, 3]), ramp(&[1, 3, 3, 3]));
        let deep = Depthwise::new(0, &w, &[0.0; 3], [2, 2], true, Activation::None).unwrap();
        let got = deep.apply(0, &input, &mut |_| Ok(())).unwrap();
        for channel in 0..3 {
            let take = |t: &Tensor| Tensor {
                shape: vec![1, t.shape[1], t.shape[2], 1],
                values: t.values.iter().skip(channel).step_by(3).copied().collect(),
            };
            let expected = plain(&take(&input), &take(&w), &[0.0], 2, true);
            for (a, b) in take(&got).values.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5);
            }
        }
    }
}
