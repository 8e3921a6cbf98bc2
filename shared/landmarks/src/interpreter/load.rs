//! From the file to a model: which tensors are constant, and one operation after another.

use super::ModelError;
use super::conv::{Convolution, Depthwise};
use super::crop::CropMatrix;
use super::flatbuffer::Table;
use super::flexbuffer::Map;
use super::layers::{Activation, Window};
use super::model::{Factor, Model, Operation, Step, Tensor, volume};

/// Of tensors and operations; the largest face model has 1,112 and 645.
const LIMIT_COUNT: usize = 10_000;
/// Of all constants together; the largest face model has 1.2 million.
const LIMIT_CONSTANTS: usize = 8 << 20;

const F32: u8 = 0;
const F16: u8 = 1;
const I32: u8 = 2;

/// What the file says about a tensor.
struct Description<'a> {
    name: String,
    shape: Vec<usize>,
    kind: u8,
    bytes: &'a [u8],
    /// Its numbers, if it is constant and of a floating type.
    constant: Option<Tensor>,
}

struct Loader<'a> {
    tensors: Vec<Description<'a>>,
    constants: usize,
}

pub(super) fn model(bytes: &[u8]) -> Result<Model, ModelError> {
    let root = Table::root(bytes)?;
    let not = |found: String| ModelError::NotAModel { found };
    let graphs = root.tables(2)?;
    let graph = graphs.first().ok_or_else(|| not("no graph".to_owned()))?;
    let codes = root.tables(1)?;
    let buffers = root.tables(4)?;
    let described = graph.tables(0)?;
    let operations = graph.tables(3)?;
    for (what, needed) in [
        ("tensors", described.len()),
        ("operations", operations.len()),
    ] {
        if needed > LIMIT_COUNT {
            return Err(ModelError::TooLarge {
                what,
                needed,
                limit: LIMIT_COUNT,
            });
        }
    }
    let mut loader = Loader {
        tensors: described
            .iter()
            .map(|t| describe(t, &buffers))
            .collect::<Result<_, _>>()?,
        constants: 0,
    };
    for index in 0..loader.tensors.len() {
        loader.keep_constant(index, index)?;
    }
    let mut steps = vec![];
    for (at, operation) in operations.iter().enumerate() {
        let code = usize::try_from(operation.i32(0, 0)?).unwrap_or(usize::MAX);
        let code = codes
            .get(code)
            .ok_or_else(|| unsupported(at, format!("operation code {code}")))?;
        if let Some(step) = loader.step(at, operation, code)? {
            steps.push(step);
        }
    }
    let named = |list: Vec<i32>| -> Result<Vec<(String, usize)>, ModelError> {
        list.into_iter()
            .map(|i| {
                let index = usize::try_from(i).unwrap_or(usize::MAX);
                let tensor = loader.tensors.get(index);
                tensor
                    .map(|t| (t.name.clone(), index))
                    .ok_or_else(|| not(format!("tensor {i} of {}", loader.tensors.len())))
            })
            .collect()
    };
    let inputs = named(graph.i32s(1)?)?;
    let [(_, input)] = &inputs[..] else {
        return Err(not(format!("{} inputs", inputs.len())));
    };
    let outputs = named(graph.i32s(2)?)?;
    release(&mut steps, loader.tensors.len(), &outputs);
    Ok(Model {
        outputs,
        input: *input,
        input_shape: loader.tensors[*input].shape.clone(),
        tensors: loader.tensors.len(),
        steps,
    })
}

/// Notes after which step each tensor is not needed any more.
fn release(steps: &mut [Step], tensors: usize, outputs: &[(String, usize)]) {
    let mut needed = vec![false; tensors];
    for (_, tensor) in outputs {
        needed[*tensor] = true;
    }
    for step in steps.iter_mut().rev() {
        for &tensor in step.inputs.iter().chain([&step.output]) {
            if !needed[tensor] {
                needed[tensor] = true;
                step.done.push(tensor);
            }
        }
    }
}

fn describe<'a>(t: &Table<'a>, buffers: &[Table<'a>]) -> Result<Description<'a>, ModelError> {
    let shape = t
        .i32s(0)?
        .into_iter()
        .map(|d| {
            usize::try_from(d).map_err(|_| ModelError::NotAModel {
                found: format!("a dimension of {d}"),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    volume(&shape)?;
    let buffer = usize::try_from(t.i32(2, 0)?).unwrap_or(usize::MAX);
    let bytes = match buffers.get(buffer) {
        Some(b) => b.bytes(0)?,
        None => {
            return Err(ModelError::NotAModel {
                found: format!("buffer {buffer} of {}", buffers.len()),
            });
        }
    };
    Ok(Description {
        name: String::from_utf8_lossy(t.bytes(3)?).into_owned(),
        shape,
        kind: t.u8(1)?,
        bytes,
        constant: None,
    })
}

fn unsupported(operation: usize, what: String) -> ModelError {
    ModelError::Unsupported { operation, what }
}

impl Loader<'_> {
    /// Reads the numbers of tensor `from`, if the file has them, as those of `to`.
    fn keep_constant(&mut self, from: usize, to: usize) -> Result<bool, ModelError> {
        let source = &self.tensors[from];
        let values: Vec<f32> = match source.kind {
            _ if source.bytes.is_empty() => return Ok(false),
            F32 => source
                .bytes
                .chunks_exact(4)
                .map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]))
                .collect(),
            F16 => source
                .bytes
                .chunks_exact(2)
                .map(|c| half(u16::from_le_bytes([c[0], c[1]])))
                .collect(),
            _ => return Ok(false),
        };
        let shape = source.shape.clone();
        if values.len() != volume(&shape)? {
            return Err(ModelError::Shape {
                operation: 0,
                what: "constant",
                got: shape,
                expected: format!("the size of {} values", values.len()),
            });
        }
        self.constants = self.constants.saturating_add(values.len());
        // Half-precision constants are counted again when they are widened.
        if self.constants > 2 * LIMIT_CONSTANTS {
            return Err(ModelError::TooLarge {
                what: "constants",
                needed: self.constants,
                limit: 2 * LIMIT_CONSTANTS,
            });
        }
        self.tensors[to].constant = Some(Tensor { shape, values });
        Ok(true)
    }

    fn tensor(&self, at: usize, list: &[i32], k: usize) -> Result<usize, ModelError> {
        let index = list
            .get(k)
            .map(|&i| usize::try_from(i).unwrap_or(usize::MAX));
        index
            .filter(|&i| i < self.tensors.len())
            .ok_or_else(|| unsupported(at, format!("tensor {:?}", list.get(k))))
    }

    fn constant(&self, at: usize, index: usize) -> Result<&Tensor, ModelError> {
        self.tensors[index]
            .constant
            .as_ref()
            .ok_or_else(|| unsupported(at, format!("a computed weight (tensor {index})")))
    }

    fn integers(&self, at: usize, index: usize) -> Result<Vec<i32>, ModelError> {
        let t = &self.tensors[index];
        if t.kind != I32 {
            return Err(unsupported(at, format!("type {} for an index", t.kind)));
        }
        let numbers = t.bytes.chunks_exact(4);
        Ok(numbers
            .map(|c| i32::from_le_bytes([c[0], c[1], c[2], c[3]]))
            .collect())
    }

    fn step(
        &mut self,
        at: usize,
        operation: &Table<'_>,
        code: &Table<'_>,
    ) -> Result<Option<Step>, ModelError> {
        let (inputs, outputs) = (operation.i32s(1)?, operation.i32s(2)?);
        let output = self.tensor(at, &outputs, 0)?;
        let first = self.tensor(at, &inputs, 0)?;
        let options = operation.table(4)?;
        let option = |index: usize, default: i32| match &options {
            Some(o) => o.i32(index, default),
            None => Ok(default),
        };
        let flag = |index: usize| options.as_ref().map_or(Ok(0), |o| o.u8(index));
        let mut read = vec![first];
        // Old files have the code in a byte, newer ones in an integer.
        let builtin = code.i32(3, 0)?.max(i32::from(code.u8(0)?));
        let operation = match builtin {
            0 => {
                read.push(self.tensor(at, &inputs, 1)?);
                Operation::Add(activation(at, flag(0)?)?)
            }
            2 => {
                for k in 1..inputs.len() {
                    read.push(self.tensor(at, &inputs, k)?);
                }
                none(at, flag(1)?)?;
                Operation::Concatenate(self.axis(at, first, option(0, 0)?)?)
            }
            3 | 4 => {
                let weights = self.constant(at, self.tensor(at, &inputs, 1)?)?;
                let bias = &self.constant(at, self.tensor(at, &inputs, 2)?)?.values;
                let stride = [positive(at, option(2, 0)?)?, positive(at, option(1, 0)?)?];
                let same = flag(0)? == 0;
                let (act, dilation) = if builtin == 3 { (3, 4) } else { (4, 5) };
                if option(dilation, 1)? != 1 || option(dilation + 1, 1)? != 1 {
                    return Err(unsupported(at, "dilation".to_owned()));
                }
                let act = activation(at, flag(act)?)?;
                if builtin == 3 {
                    Operation::Convolve(Convolution::new(at, weights, bias, stride, same, act)?)
                } else {
                    Operation::Depthwise(Depthwise::new(at, weights, bias, stride, same, act)?)
                }
            }
            6 => {
                // Half-precision weights become single here, once.
                if self.tensors[first].kind != F16 || !self.keep_constant(first, output)? {
                    return Err(unsupported(at, "computed half precision".to_owned()));
                }
                return Ok(None);
            }
            17 => {
                none(at, flag(5)?)?;
                Operation::MaxPool(Window {
                    size: [positive(at, option(4, 0)?)?, positive(at, option(3, 0)?)?],
                    stride: [positive(at, option(2, 0)?)?, positive(at, option(1, 0)?)?],
                    same: flag(0)? == 0,
                })
            }
            18 => {
                none(at, flag(0)?)?;
                let second = self.tensor(at, &inputs, 1)?;
                match &self.tensors[second].constant {
                    Some(factor) => Operation::Multiply(Factor::Constant(factor.clone())),
                    None => {
                        read.push(second);
                        Operation::Multiply(Factor::Computed)
                    }
                }
            }
            19 => Operation::Relu,
            22 => Operation::Reshape(self.tensors[output].shape.clone()),
            34 => {
                let margins = self.integers(at, self.tensor(at, &inputs, 1)?)?;
                let margins: Vec<usize> = margins
                    .into_iter()
                    .map(|m| usize::try_from(m).map_err(|_| unsupported(at, format!("margin {m}"))))
                    .collect::<Result<_, _>>()?;
                Operation::Pad(margins.chunks_exact(2).map(|m| [m[0], m[1]]).collect())
            }
            45 => {
                self.whole_slice(at, first, output)?;
                Operation::Reshape(self.tensors[output].shape.clone())
            }
            54 => {
                let slopes = self.constant(at, self.tensor(at, &inputs, 1)?)?;
                Operation::Prelu(slopes.values.clone())
            }
            32 => {
                let name = String::from_utf8_lossy(code.bytes(1)?).into_owned();
                if inputs.len() > 1 {
                    read.push(self.tensor(at, &inputs, 1)?);
                }
                custom(at, &name, operation.bytes(5)?)?
            }
            other => return Err(unsupported(at, format!("code {other}"))),
        };
        Ok(Some(Step {
            operation,
            inputs: read,
            output,
            done: vec![],
        }))
    }

    fn axis(&self, at: usize, tensor: usize, axis: i32) -> Result<usize, ModelError> {
        let dimensions = self.tensors[tensor].shape.len() as i32;
        let axis = if axis < 0 {
            axis.saturating_add(dimensions)
        } else {
            axis
        };
        usize::try_from(axis).map_err(|_| unsupported(at, format!("axis {axis}")))
    }

    /// A slice that takes everything, the only one in the face models (it names an output).
    fn whole_slice(&self, at: usize, from: usize, to: usize) -> Result<(), ModelError> {
        if self.tensors[from].shape != self.tensors[to].shape {
            return Err(unsupported(at, "a slice of a part".to_owned()));
        }
        Ok(())
    }
}

fn custom(at: usize, name: &str, options: &[u8]) -> Result<Operation, ModelError> {
    match name {
        "Landmarks2TransformMatrix" => {
            let map = Map::root(options)?;
            let size = |key: &str| Ok::<f32, ModelError>(map.index(key)?.clamp(1, 4096) as f32);
            Ok(Operation::CropMatrix(CropMatrix {
                left: map.index("left_rotation_idx")?,
                right: map.index("right_rotation_idx")?,
                target_radians: map.number("target_rotation_radians")?,
                subset: map.indices("subset_idxs")?,
                size: [size("output_width")?, size("output_height")?],
                scale: [map.number("scale_x")?, map.number("scale_y")?],
            }))
        }
        "TransformTensorBilinear" => {
            let map = Map::root(options)?;
            Ok(Operation::Crop([
                map.index("output_height")?,
                map.index("output_width")?,
            ]))
        }
        "TransformLandmarks" => Ok(Operation::TransformPoints),
        other => Err(unsupported(at, format!("custom operation {other:?}"))),
    }
}

fn activation(at: usize, code: u8) -> Result<Activation, ModelError> {
    match code {
        0 => Ok(Activation::None),
        1 => Ok(Activation::Relu),
        3 => Ok(Activation::Relu6),
        other => Err(unsupported(at, format!("activation {other}"))),
    }
}

fn none(at: usize, code: u8) -> Result<(), ModelError> {
    match activation(at, code)? {
        Activation::None => Ok(()),
        other => Err(unsupported(at, format!("activation {other:?} here"))),
    }
}

fn positive(at: usize, n: i32) -> Result<usize, ModelError> {
    usize::try_from(n)
        .ok()
        .filter(|&n| (1..=4096).contains(&n))
        .ok_or_else(|| unsupported(at, format!("a step of {n}")))
}

/// IEEE 754 half precision to single, exact.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10) & 31, u32::from(bits) & 1023);
    match exponent {
        0 => {
            let magnitude = fraction as f32 * (1.0 / 16_777_216.0);
            if sign == 0 { magnitude } else { -magnitude }
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_exact() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x8400, -6.103_515_6e-5),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan() && half(0xfc00) == f32::NEG_INFINITY);
    }
}
