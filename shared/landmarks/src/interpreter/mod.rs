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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::find::{ATTENTION, DETECTOR};

    fn input(model: &Model) -> Tensor {
        let shape = model.input_shape().to_vec();
        let count: usize = shape.iter().product();
        Tensor {
            shape,
            values: (0..count)
                .map(|i| (i * 7919 % 256) as f32 / 127.5 - 1.0)
                .collect(),
        }
    }

    #[test]
    fn the_embedded_models_run_and_repeat_exactly() {
        for (bytes, side, sizes) in [
            (DETECTOR, 128, vec![896 * 16, 896]),
            (ATTENTION, 192, vec![1404, 160, 142, 142, 10, 10, 1]),
        ] {
            let model = Model::read(bytes).unwrap();
            assert_eq!(model.input_shape(), [1, side, side, 3]);
            let first = model.run(input(&model)).unwrap();
            let mut lengths: Vec<usize> = first.iter().map(|(_, t)| t.values.len()).collect();
            lengths.sort_by(|a, b| b.cmp(a));
            assert_eq!(lengths, sizes);
            assert!(
                first
                    .iter()
                    .all(|(_, t)| t.values.iter().all(|v| v.is_finite()))
            );
            assert_eq!(first, model.run(input(&model)).unwrap());
        }
    }

    #[test]
    fn an_input_of_another_shape_is_refused() {
        let model = Model::read(DETECTOR).unwrap();
        let mut wrong = input(&model);
        wrong.values.pop();
        assert!(matches!(
            model.run(wrong),
            Err(ModelError::Interface { .. })
        ));
    }

    #[test]
    fn what_is_no_model_is_refused() {
        assert!(Model::read(b"").is_err());
        assert!(Model::read(&[0; 64]).is_err());
        assert!(matches!(
            Model::read(b"\x08\0\0\0GLB2\0\0\0\0"),
            Err(ModelError::NotAModel { .. })
        ));
    }

    /// Whatever is read must also run to an end, with a result or an error.
    fn survives(bytes: &[u8]) {
        if let Ok(model) = Model::read(bytes) {
            let count: usize = model.input_shape().iter().product();
            if count <= 1 << 16 {
                let _ = model.run(input(&model));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_shortened_file_never_panics(end in 0..DETECTOR.len()) {
            survives(&DETECTOR[..end]);
        }

        #[test]
        fn altered_bytes_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        ) {
            let mut bytes = DETECTOR.to_vec();
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            survives(&bytes);
        }

        /// The tables lie behind the weights: alter there, where it counts.
        #[test]
        fn altered_tables_never_panic(
            changes in prop::collection::vec((0..60_000_usize, any::<u8>()), 1..12),
        ) {
            let mut bytes = DETECTOR.to_vec();
            let end = bytes.len();
            for (back, value) in changes {
                bytes[end - 1 - back] = value;
            }
            survives(&bytes);
        }
    }
}
