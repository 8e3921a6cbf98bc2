use crate::Mesh;

/// Which points are joined by an edge, in compressed rows.
#[derive(Debug, Clone)]
pub struct Adjacency {
    starts: Vec<u32>,
    neighbours: Vec<u32>,
}

impl Adjacency {
    /// The edges of a mesh; each neighbour once, in ascending order.
    #[must_use]
    pub fn of(mesh: &Mesh) -> Self {
        let n = mesh.positions.len();
        let mut degree = vec![0_u32; n + 1];
        for t in &mesh.triangles {
            for &c in t {
                degree[c as usize + 1] += 2;
            }
        }
        for i in 0..n {
            degree[i + 1] += degree[i];
        }
        let mut fill = degree.clone();
        let mut all = vec![0_u32; degree[n] as usize];
        for t in &mesh.triangles {
            for k in 0..3 {
                let c = t[k] as usize;
                for other in [t[(k + 1) % 3], t[(k + 2) % 3]] {
                    all[fill[c] as usize] = other;
                    fill[c] += 1;
                }
            }
        }
        let mut starts = Vec::with_capacity(n + 1);
        let mut neighbours = Vec::with_capacity(all.len() / 2);
        starts.push(0);
        for i in 0..n {
            let row = &mut all[degree[i] as usize..degree[i + 1] as usize];
            row.sort_unstable();
            let mut last = None;
            for &v in row.iter() {
                if Some(v) != last && v as usize != i {
                    neighbours.push(v);
                }
                last = Some(v);
            }
            starts.push(neighbours.len() as u32);
        }
        Self { starts, neighbours }
    }

    /// The neighbours of a point.
    #[must_use]
    pub fn neighbours(&self, vertex: usize) -> &[u32] {
        &self.neighbours[self.starts[vertex] as usize..self.starts[vertex + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_its_diagonal_once() {
        let a = Adjacency::of(&Mesh::sheet(1.0, 1.0));
        assert_eq!(a.neighbours(0), [1, 2, 3]);
        assert_eq!(a.neighbours(1), [0, 2]);
    }
}
