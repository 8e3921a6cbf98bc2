use super::ModelError;
use super::conv::{Convolution, Depthwise};
use super::crop::{self, CropMatrix};
use super::layers::{self, Activation, Window};
use super::load;

/// Numbers in rows: the last dimension runs fastest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor {
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// As many numbers as the product of the sizes.
    pub values: Vec<f32>,
}

/// No layer of a face model is larger (the largest has 295 thousand numbers).
pub(super) const LIMIT_VALUES: usize = 8 << 20;
/// No face model multiplies more often in one run (they need about 40 million).
const LIMIT_WORK: usize = 2 << 30;

/// One operation with what is constant in it.
pub(super) enum Operation {
    Convolve(Convolution),
    Depthwise(Depthwise),
    MaxPool(Window),
    Prelu(Vec<f32>),
    Relu,
    Add(Activation),
    Multiply(Factor),
    Pad(Vec<[usize; 2]>),
    Reshape(Vec<usize>),
    Concatenate(usize),
    CropMatrix(CropMatrix),
    Crop([usize; 2]),
    TransformPoints,
}

/// The second factor of a product.
pub(super) enum Factor {
    Constant(Tensor),
    Computed,
}

pub(super) struct Step {
    pub(super) operation: Operation,
    /// Tensors that are read, without the constants held by `operation`.
    pub(super) inputs: Vec<usize>,
    pub(super) output: usize,
    /// Tensors that no later step reads.
    pub(super) done: Vec<usize>,
}

/// A model that is ready to run.
pub struct Model {
    pub(super) steps: Vec<Step>,
    pub(super) tensors: usize,
    pub(super) input: usize,
    pub(super) input_shape: Vec<usize>,
    pub(super) outputs: Vec<(String, usize)>,
}

impl Model {
    /// Reads a TensorFlow Lite file with one input.
    ///
    /// # Errors
    /// A file that is malformed, too large, or asks for what face models do not use.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        load::model(bytes)
    }

    /// The shape of the input.
    #[must_use]
    pub fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    /// Runs the model: the outputs with their names, in the order of the file.
    ///
    /// # Errors
    /// Shapes that do not fit together, or more arithmetic than a face model needs.
    pub fn run(&self, input: Tensor) -> Result<Vec<(&str, Tensor)>, ModelError> {
        if input.shape != self.input_shape
            || input.values.len() != self.input_shape.iter().product::<usize>()
        {
            return Err(ModelError::Interface {
                what: "input".to_owned(),
                got: input.shape,
                expected: self.input_shape.clone(),
            });
        }
        let mut values: Vec<Option<Tensor>> = vec![None; self.tensors];
        values[self.input] = Some(input);
        let mut work = 0;
        for (at, step) in self.steps.iter().enumerate() {
            let inputs: Vec<&Tensor> = step
                .inputs
                .iter()
                .map(|&tensor| {
                    values[tensor].as_ref().ok_or(ModelError::NoValue {
                        operation: at,
                        tensor,
                    })
                })
                .collect::<Result<_, _>>()?;
            let output = step.operation.apply(at, &inputs, &mut work)?;
            values[step.output] = Some(output);
            for &tensor in &step.done {
                values[tensor] = None;
            }
        }
        self.outputs
            .iter()
            .map(|(name, tensor)| {
                let value = values[*tensor].clone().ok_or(ModelError::NoValue {
                    operation: self.steps.len(),
                    tensor: *tensor,
                })?;
                Ok((name.as_str(), value))
            })
            .collect()
    }
}

impl Operation {
    fn apply(&self, at: usize, inputs: &[&Tensor], work: &mut usize) -> Result<Tensor, ModelError> {
        let input = |k: usize| {
            inputs.get(k).copied().ok_or(ModelError::NoValue {
                operation: at,
                tensor: k,
            })
        };
        let mut spend = |needed: usize| {
            *work = work.saturating_add(needed);
            if *work > LIMIT_WORK {
                return Err(ModelError::TooLarge {
                    what: "multiplications",
                    needed: *work,
                    limit: LIMIT_WORK,
                });
            }
            Ok(())
        };
        match self {
            Self::Convolve(c) => c.apply(at, input(0)?, &mut spend),
            Self::Depthwise(d) => d.apply(at, input(0)?, &mut spend),
            Self::MaxPool(w) => layers::max_pool(at, input(0)?, w, &mut spend),
            Self::Prelu(slopes) => layers::prelu(at, input(0)?, slopes),
            Self::Relu => Ok(layers::relu(input(0)?)),
            Self::Add(activation) => layers::add(at, input(0)?, input(1)?, *activation),
            Self::Multiply(Factor::Constant(factor)) => layers::multiply(at, input(0)?, factor),
            Self::Multiply(Factor::Computed) => layers::multiply(at, input(0)?, input(1)?),
            Self::Pad(margins) => layers::pad(at, input(0)?, margins),
            Self::Reshape(shape) => layers::reshape(at, input(0)?, shape),
            Self::Concatenate(axis) => layers::concatenate(at, inputs, *axis),
            Self::CropMatrix(c) => c.apply(at, input(0)?),
            Self::Crop(size) => crop::crop(at, input(0)?, input(1)?, *size, &mut spend),
            Self::TransformPoints => crop::transform_points(at, input(0)?, input(1)?),
        }
    }
}

/// The number of values of a shape, within the limit.
pub(super) fn volume(shape: &[usize]) -> Result<usize, ModelError> {
    let needed = shape
        .iter()
        .try_fold(1_usize, |n, &d| n.checked_mul(d))
        .unwrap_or(usize::MAX);
    if needed > LIMIT_VALUES {
        return Err(ModelError::TooLarge {
            what: "values in a tensor",
            needed,
            limit: LIMIT_VALUES,
        });
    }
    Ok(needed)
}

/// The four sizes of a batch of one picture: rows, columns, channels.
pub(super) fn picture(at: usize, what: &'static str, t: &Tensor) -> Result<[usize; 3], ModelError> {
    match t.shape[..] {
        [1, rows, columns, channels] if rows > 0 && columns > 0 && channels > 0 => {
            Ok([rows, columns, channels])
        }
        _ => Err(ModelError::Shape {
            operation: at,
            what,
            got: t.shape.clone(),
            expected: "one picture of rows, columns and channels".to_owned(),
        }),
    }
}
