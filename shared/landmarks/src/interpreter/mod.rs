//! A small interpreter of TensorFlow Lite files: the operations of the face models, f32
//! arithmetic in a fixed order, errors instead of panics on a malformed file.

mod conv;
mod crop;
mod flatbuffer;
mod flexbuffer;
mod layers;
mod load;
mod model;

pub use model::{Model, Tensor};

/// Why a model file cannot be read or run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The file ends, or an offset points out of it.
    #[error("the model file is malformed at byte {at}")]
    Malformed {
        /// Where.
        at: usize,
    },
    /// The file is no TensorFlow Lite model of version 3.
    #[error("the file is not a TensorFlow Lite model: {found}")]
    NotAModel {
        /// What was found instead.
        found: String,
    },
    /// More memory or arithmetic than any face model needs.
    #[error("the model needs {needed} {what}, the limit is {limit}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How much.
        needed: usize,
        /// The limit.
        limit: usize,
    },
    /// An operation, a type or an option that face models do not use.
    #[error("operation {operation}: {what} is not supported")]
    Unsupported {
        /// Place in the file's order.
        operation: usize,
        /// What it asks for.
        what: String,
    },
    /// Tensors of shapes that do not fit together.
    #[error("operation {operation}: {what} is {got:?}, expected {expected}")]
    Shape {
        /// Place in the file's order.
        operation: usize,
        /// Which tensor.
        what: &'static str,
        /// Its shape.
        got: Vec<usize>,
        /// What fits.
        expected: String,
    },
    /// An operation reads a tensor that nothing has written.
    #[error("operation {operation}: tensor {tensor} has no value")]
    NoValue {
        /// Place in the file's order.
        operation: usize,
        /// Which tensor.
        tensor: usize,
    },
    /// The input or an output has not the shape that the caller knows.
    #[error("the model's {what} is {got:?}, expected {expected:?}")]
    Interface {
        /// Input or output.
        what: String,
        /// Its shape.
        got: Vec<usize>,
        /// The caller's.
        expected: Vec<usize>,
    },
}
