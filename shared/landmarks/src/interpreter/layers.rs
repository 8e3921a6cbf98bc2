//! The operations without weights, or with one weight a channel.

use super::ModelError;
use super::model::{Tensor, picture, volume};

/// What is applied to a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    Relu,
    Relu6,
}

impl Activation {
    pub(super) fn apply(self, values: &mut [f32]) {
        let top = match self {
            Self::None => return,
            Self::Relu => f32::INFINITY,
            Self::Relu6 => 6.0,
        };
        for v in values {
            *v = v.max(0.0).min(top);
        }
    }
}

/// How a window moves over a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Rows and columns of the window.
    pub(super) size: [usize; 2],
    pub(super) stride: [usize; 2],
    /// Whether the picture is padded to keep its size.
    pub(super) same: bool,
}

impl Window {
    /// For one axis: how many positions, and how far the first lies before the picture.
    pub(super) fn positions(&self, axis: usize, length: usize) -> (usize, usize) {
        let (size, stride) = (self.size[axis], self.stride[axis]);
        if self.same {
            let count = length.div_ceil(stride);
            let needed = (count - 1) * stride + size;
            (count, needed.saturating_sub(length) / 2)
        } else {
            ((length + stride).saturating_sub(size) / stride, 0)
        }
    }

    /// The part of the window inside of the picture, for one position on one axis.
    pub(super) fn inside(&self, axis: usize, length: usize, at: usize, before: usize) -> Inside {
        let start = at * self.stride[axis];
        let first = before.saturating_sub(start).min(self.size[axis]);
        let last = (length + before).saturating_sub(start).min(self.size[axis]);
        Inside {
            first,
            last: last.max(first),
            origin: (start + first).saturating_sub(before),
        }
    }
}

/// Steps `first..last` of the window lie inside, the first of them at `origin`.
pub(super) struct Inside {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) origin: usize,
}

pub(super) type Spend<'a> = dyn FnMut(usize) -> Result<(), ModelError> + 'a;

pub(super) fn max_pool(
    at: usize,
    input: &Tensor,
    window: &Window,
    spend: &mut Spend<'_>,
) -> Result<Tensor, ModelError> {
    let [rows, columns, channels] = picture(at, "input", input)?;
    let ((out_rows, top), (out_columns, left)) =
        (window.positions(0, rows), window.positions(1, columns));
    let shape = vec![1, out_rows, out_columns, channels];
    let count = volume(&shape)?;
    spend(count.saturating_mul(window.size[0].saturating_mul(window.size[1])))?;
    let mut values = vec![f32::NEG_INFINITY; count];
    for (px, out) in values.chunks_exact_mut(channels).enumerate() {
        let ys = window.inside(0, rows, px / out_columns, top);
        let xs = window.inside(1, columns, px % out_columns, left);
        for y in ys.origin..ys.origin + (ys.last - ys.first) {
            for x in xs.origin..xs.origin + (xs.last - xs.first) {
                let from = (y * columns + x) * channels;
                for (o, &i) in out.iter_mut().zip(&input.values[from..from + channels]) {
                    *o = o.max(i);
                }
            }
        }
    }
    Ok(Tensor { shape, values })
}

pub(super) fn relu(input: &Tensor) -> Tensor {
    Tensor {
        shape: input.shape.clone(),
        values: input.values.iter().map(|v| v.max(0.0)).collect(),
    }
}

/// Negative values times their channel's slope.
pub(super) fn prelu(at: usize, input: &Tensor, slopes: &[f32]) -> Result<Tensor, ModelError> {
    if slopes.is_empty() || input.shape.last() != Some(&slopes.len()) {
        return Err(misfit(
            at,
            "input",
            input,
            format!("{} channels", slopes.len()),
        ));
    }
    let mut out = input.clone();
    for row in out.values.chunks_exact_mut(slopes.len()) {
        for (v, s) in row.iter_mut().zip(slopes) {
            *v = if *v < 0.0 { *v * s } else { *v };
        }
    }
    Ok(out)
}

pub(super) fn add(
    at: usize,
    a: &Tensor,
    b: &Tensor,
    activation: Activation,
) -> Result<Tensor, ModelError> {
    if a.shape != b.shape {
        return Err(misfit(at, "second term", b, format!("{:?}", a.shape)));
    }
    let mut values: Vec<f32> = a.values.iter().zip(&b.values).map(|(x, y)| x + y).collect();
    activation.apply(&mut values);
    Ok(Tensor {
        shape: a.shape.clone(),
        values,
    })
}

/// The product with a number, or with a tensor of the same shape.
pub(super) fn multiply(at: usize, a: &Tensor, b: &Tensor) -> Result<Tensor, ModelError> {
    let values = match b.values[..] {
        [factor] => a.values.iter().map(|x| x * factor).collect(),
        _ if a.shape == b.shape => a.values.iter().zip(&b.values).map(|(x, y)| x * y).collect(),
        _ => {
            return Err(misfit(
                at,
                "factor",
                b,
                format!("{:?} or one number", a.shape),
            ));
        }
    };
    Ok(Tensor {
        shape: a.shape.clone(),
        values,
    })
}

/// Zeros around a tensor, `margins` before and after on each axis.
pub(super) fn pad(at: usize, input: &Tensor, margins: &[[usize; 2]]) -> Result<Tensor, ModelError> {
    if margins.len() != input.shape.len() {
        return Err(misfit(
            at,
            "input",
            input,
            format!("{} dimensions", margins.len()),
        ));
    }
    let shape: Vec<usize> = input
        .shape
        .iter()
        .zip(margins)
        .map(|(&d, m)| d.saturating_add(m[0]).saturating_add(m[1]))
        .collect();
    let mut values = vec![0.0; volume(&shape)?];
    let run = input.shape.last().copied().unwrap_or(0);
    if run == 0 {
        return Ok(Tensor { shape, values });
    }
    for (row, part) in input.values.chunks_exact(run).enumerate() {
        // The place of this run, from its indices on all axes but the last.
        let (mut rest, mut to, mut step) = (row, 0, 1);
        for axis in (0..shape.len()).rev() {
            let index = if axis + 1 == shape.len() {
                0
            } else {
                let i = rest % input.shape[axis];
                rest /= input.shape[axis];
                i
            };
            to += (index + margins[axis][0]) * step;
            step *= shape[axis];
        }
        values[to..to + run].copy_from_slice(part);
    }
    Ok(Tensor { shape, values })
}

pub(super) fn reshape(at: usize, input: &Tensor, shape: &[usize]) -> Result<Tensor, ModelError> {
    if volume(shape)? != input.values.len() {
        return Err(misfit(at, "input", input, format!("the size of {shape:?}")));
    }
    Ok(Tensor {
        shape: shape.to_vec(),
        values: input.values.clone(),
    })
}

pub(super) fn concatenate(
    at: usize,
    inputs: &[&Tensor],
    axis: usize,
) -> Result<Tensor, ModelError> {
    let Some(first) = inputs.first() else {
        return Err(ModelError::NoValue {
            operation: at,
            tensor: 0,
        });
    };
    let mut shape = first.shape.clone();
    let mut length = 0_usize;
    for t in inputs {
        let mut fits = t.shape.clone();
        let (Some(a), Some(b)) = (fits.get_mut(axis), shape.get(axis)) else {
            return Err(misfit(at, "input", t, format!("a dimension {axis}")));
        };
        length = length.saturating_add(*a);
        *a = *b;
        if fits != shape {
            return Err(misfit(
                at,
                "input",
                t,
                format!("{shape:?} but for dimension {axis}"),
            ));
        }
    }
    shape[axis] = length;
    let mut values = Vec::with_capacity(volume(&shape)?);
    let outer: usize = shape[..axis].iter().product();
    for block in 0..outer {
        for t in inputs {
            let run = t.values.len() / outer.max(1);
            values.extend_from_slice(&t.values[block * run..(block + 1) * run]);
        }
    }
    Ok(Tensor { shape, values })
}

pub(super) fn misfit(at: usize, what: &'static str, t: &Tensor, expected: String) -> ModelError {
    ModelError::Shape {
        operation: at,
        what,
        got: t.shape.clone(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize], values: &[f32]) -> Tensor {
        Tensor {
            shape: shape.to_vec(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn windows_are_placed_as_tensorflow_places_them() {
        let w = |size, stride, same| Window {
            size: [size; 2],
            stride: [stride; 2],
            same,
        };
        // SAME with stride 2 on an even length pads only at the end.
        assert_eq!(w(3, 2, true).positions(0, 192), (96, 0));
        assert_eq!(w(5, 2, true).positions(0, 128), (64, 1));
        assert_eq!(w(3, 1, true).positions(0, 7), (7, 1));
        assert_eq!(w(3, 3, false).positions(0, 3), (1, 0));
        assert_eq!(w(3, 1, false).positions(0, 2), (0, 0));
    }

    #[test]
    fn the_greatest_of_each_window_is_kept() {
        let input = tensor(&[1, 2, 4, 1], &[1.0, 5.0, 2.0, 0.0, 3.0, 4.0, -1.0, 7.0]);
        let window = Window {
            size: [2, 2],
            stride: [2, 2],
            same: false,
        };
        let out = max_pool(0, &input, &window, &mut |_| Ok(())).unwrap();
        assert_eq!(out, tensor(&[1, 1, 2, 1], &[5.0, 7.0]));
    }

    #[test]
    fn one_slope_a_channel() {
        let out = prelu(
            0,
            &tensor(&[1, 2, 2], &[-2.0, -4.0, 3.0, -1.0]),
            &[0.5, 0.25],
        )
        .unwrap();
        assert_eq!(out.values, [-1.0, -1.0, 3.0, -0.25]);
        assert!(prelu(0, &out, &[1.0, 2.0, 3.0]).is_err());
    }

    #[test]
    fn zeros_go_around() {
        let out = pad(
            0,
            &tensor(&[2, 2], &[1.0, 2.0, 3.0, 4.0]),
            &[[0, 1], [1, 2]],
        )
        .unwrap();
        assert_eq!(out.shape, [3, 5]);
        assert_eq!(
            out.values,
            [
                0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            ]
        );
    }

    #[test]
    fn tensors_are_joined_on_an_inner_axis() {
        let (a, b) = (
            tensor(&[2, 1], &[1.0, 2.0]),
            tensor(&[2, 2], &[3.0, 4.0, 5.0, 6.0]),
        );
        let out = concatenate(0, &[&a, &b], 1).unwrap();
        assert_eq!(out, tensor(&[2, 3], &[1.0, 3.0, 4.0, 2.0, 5.0, 6.0]));
        assert!(concatenate(0, &[&a, &b], 0).is_err());
        assert!(concatenate(0, &[&a, &b], 5).is_err());
    }

    #[test]
    fn sums_and_products_need_equal_shapes() {
        let (a, b) = (tensor(&[2], &[1.0, -2.0]), tensor(&[2], &[3.0, 1.0]));
        assert_eq!(add(0, &a, &b, Activation::Relu).unwrap().values, [4.0, 0.0]);
        assert_eq!(
            multiply(0, &a, &tensor(&[1], &[2.0])).unwrap().values,
            [2.0, -4.0]
        );
        assert_eq!(multiply(0, &a, &b).unwrap().values, [3.0, -2.0]);
        assert!(multiply(0, &a, &tensor(&[3], &[0.0; 3])).is_err());
        assert!(reshape(0, &a, &[1, 2, 1]).is_ok() && reshape(0, &a, &[3]).is_err());
        assert_eq!(relu(&a).values, [1.0, 0.0]);
    }
}
