//! Small round neighbourhoods on the surface, and whether a point lies in one.

/// Neighbourhoods in cells of 2 mm, sorted.
#[derive(Debug, Default)]
pub(crate) struct Places {
    cells: Vec<([i32; 3], [f32; 4])>,
}

const CELL_MM: f64 = 2.0;

fn cell(p: [f64; 3]) -> [i32; 3] {
    p.map(|c| (c / CELL_MM).floor() as i32)
}

impl Places {
    /// Points with their reach in millimetres, which is at most 2.
    pub(crate) fn new(points: impl Iterator<Item = ([f64; 3], f64)>) -> Self {
        let mut cells: Vec<_> = points
            .map(|(p, reach)| {
                let q = p.map(|v| v as f32);
                (cell(p), [q[0], q[1], q[2], reach.min(CELL_MM) as f32])
            })
            .collect();
        cells.sort_by_key(|c| c.0);
        Self { cells }
    }

    /// Whether a point of the surface lies within the reach of one.
    pub(crate) fn cover(&self, p: [f64; 3]) -> bool {
        let c = cell(p);
        let at = p.map(|v| v as f32);
        (c[0] - 1..=c[0] + 1).any(|x| {
            (c[1] - 1..=c[1] + 1).any(|y| {
                let from = self.cells.partition_point(|e| e.0 < [x, y, c[2] - 1]);
                self.cells[from..]
                    .iter()
                    .take_while(|e| e.0 <= [x, y, c[2] + 1])
                    .any(|(_, q)| {
                        let d: f32 = (0..3).map(|k| (q[k] - at[k]) * (q[k] - at[k])).sum();
                        d <= q[3] * q[3]
                    })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reaches_over_its_cell() {
        let places = Places::new([([1.9, 0.0, -0.1], 0.5), ([9.0, 9.0, 9.0], 1.5)].into_iter());
        assert!(places.cover([2.3, 0.0, 0.1]));
        assert!(!places.cover([2.5, 0.0, 0.0]));
        assert!(places.cover([10.0, 10.0, 9.0]) && !places.cover([7.0, 9.0, 9.0]));
        assert!(!Places::default().cover([0.0; 3]));
    }
}
