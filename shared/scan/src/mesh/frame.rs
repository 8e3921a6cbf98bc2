//! The frame of a file, and the way into the product's.

use dermalia_surface::{Vec3, cross};

use crate::ScanError;
use crate::manifest::{Axis, MeshEntry, Unit};

/// How a file's coordinates become millimetres with +z front and +y up.
///
/// Front and up fix the third axis: the frame is right-handed, so no file is mirrored.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    mm_per_unit: f64,
    /// Rows: the product's x, y and z in the file's axes. A signed permutation.
    mesh_from_source: [Vec3; 3],
}

impl Frame {
    /// The frame of a manifest's mesh.
    ///
    /// # Errors
    /// `front` and `up` on one axis.
    pub fn of(entry: &MeshEntry) -> Result<Self, ScanError> {
        Self::new(entry.unit, entry.front, entry.up)
    }

    /// The frame by its unit and two axes.
    ///
    /// # Errors
    /// `front` and `up` on one axis.
    pub fn new(unit: Unit, front: Axis, up: Axis) -> Result<Self, ScanError> {
        if front.index() == up.index() {
            return Err(ScanError::BadField {
                field: "mesh.up".into(),
                expected: "an axis at a right angle to mesh.front".into(),
                got: format!("{up} with the front {front}"),
            });
        }
        let (front, up) = (front.vector(), up.vector());
        Ok(Self {
            mm_per_unit: unit.mm(),
            mesh_from_source: [cross(up, front), up, front],
        })
    }

    /// A point of the file in the product's frame.
    #[must_use]
    pub fn to_mesh(&self, p: [f64; 3]) -> Vec3 {
        self.mesh_from_source.map(|row| {
            let sum: f64 = row.iter().zip(p).map(|(r, c)| f64::from(*r) * c).sum();
            // Zero without a sign, so that equal points have equal bits.
            (sum * self.mm_per_unit) as f32 + 0.0
        })
    }

    /// Rotation from the product's frame to the file's axes.
    #[must_use]
    pub fn source_from_mesh(&self) -> [Vec3; 3] {
        let m = &self.mesh_from_source;
        // A signed permutation's inverse is its transpose; + 0.0 drops the sign of zero.
        [0, 1, 2].map(|i| [m[0][i] + 0.0, m[1][i] + 0.0, m[2][i] + 0.0])
    }
}

impl Unit {
    /// Millimetres in one of it.
    #[must_use]
    pub const fn mm(self) -> f64 {
        match self {
            Self::Mm => 1.0,
            Self::Cm => 10.0,
            Self::M => 1000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXES: [Axis; 6] = [
        Axis::PlusX,
        Axis::MinusX,
        Axis::PlusY,
        Axis::MinusY,
        Axis::PlusZ,
        Axis::MinusZ,
    ];

    #[test]
    fn all_24_frames_are_rotations_and_come_back() {
        let mut frames = 0;
        for front in AXES {
            for up in AXES {
                let Ok(frame) = Frame::new(Unit::Cm, front, up) else {
                    assert_eq!(front.index(), up.index());
                    continue;
                };
                frames += 1;
                let [r, u, f] = frame.mesh_from_source;
                assert_eq!(cross(r, u), f, "right-handed");
                assert_eq!(
                    frame.to_mesh(front.vector().map(f64::from)),
                    [0.0, 0.0, 10.0]
                );
                assert_eq!(frame.to_mesh(up.vector().map(f64::from)), [0.0, 10.0, 0.0]);
                let mut mesh = dermalia_surface::Mesh::sheet(1.0, 1.0);
                mesh.source_from_mesh = frame.source_from_mesh();
                let there = frame.to_mesh([1.0, -2.0, 3.0]);
                assert_eq!(mesh.to_source(there), [10.0, -20.0, 30.0]);
            }
        }
        assert_eq!(frames, 24);
    }

    #[test]
    fn the_contracts_own_axes_change_nothing() {
        let frame = Frame::new(Unit::Mm, Axis::PlusZ, Axis::PlusY).unwrap();
        assert_eq!(frame.to_mesh([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        let metres = Frame::new(Unit::M, Axis::PlusZ, Axis::PlusY).unwrap();
        assert_eq!(metres.to_mesh([0.001, 0.0, -0.25]), [1.0, 0.0, -250.0]);
    }
}
