//! The labelled part of an atlas, drawn strip by strip: what lies outside of it is counted
//! and never kept.

use dermalia_findings::Region;
use dermalia_landmarks::Painter;
use dermalia_surface::{Claims, Mesh, UvStrips};
use rayon::prelude::*;

use crate::atlas::label::{NO_SURFACE, NOT_COVERED};
use crate::labels;

/// How the surface is divided.
pub(crate) struct Division {
    /// What paints triangles of more than one label, where the landmarks divide.
    painter: Option<Painter>,
    /// The label of each triangle, or [`SEVERAL`]; the last is that of pixels without one.
    labels: Vec<u8>,
}

/// Stands for the labels of a triangle that has more than one.
const SEVERAL: u8 = NOT_COVERED;

/// Left, top, right and bottom of a part of a raster.
pub(crate) type Bounds = [usize; 4];

/// The labelled part, with a border around it.
pub(crate) struct Drawn {
    pub(crate) bounds: Bounds,
    /// The triangle of each of its pixels.
    pub(crate) triangle: Vec<u32>,
    /// The label of each of its pixels, as in [`crate::Atlas::labels`].
    pub(crate) labels: Vec<u8>,
}

const NOTHING: Bounds = [usize::MAX, usize::MAX, 0, 0];

/// The smallest bounds that hold both.
fn both(a: Bounds, b: Bounds) -> Bounds {
    [
        a[0].min(b[0]),
        a[1].min(b[1]),
        a[2].max(b[2]),
        a[3].max(b[3]),
    ]
}

/// With so many pixels more on each side, as far as the raster goes.
fn widened(b: Bounds, border: usize, full_px: [usize; 2]) -> Bounds {
    [
        b[0].saturating_sub(border),
        b[1].saturating_sub(border),
        (b[2] + border).min(full_px[0]),
        (b[3] + border).min(full_px[1]),
    ]
}

fn is_empty(b: Bounds) -> bool {
    b[0] >= b[2] || b[1] >= b[3]
}

impl Division {
    /// By what paints the labels of a mesh of so many triangles.
    pub(crate) fn regions(painter: Painter, triangles: usize) -> Self {
        let labels = (0..triangles)
            .into_par_iter()
            .map(|t| painter.whole(t).map_or(SEVERAL, labels::bits_of))
            .chain([NO_SURFACE])
            .collect();
        Self {
            painter: Some(painter),
            labels,
        }
    }

    /// All of it is `face`.
    pub(crate) fn whole(triangles: usize) -> Self {
        let mut labels = vec![Region::Face.index() as u8 + 1; triangles];
        labels.push(NO_SURFACE);
        Self {
            painter: None,
            labels,
        }
    }

    /// The labels of pixels of one row; `from` is the column and row of the first.
    fn paint(&self, from: [usize; 2], triangles: &[u32], out: &mut [u8]) {
        const PART: usize = 64;
        let last = self.labels.len() - 1;
        let parts = triangles.chunks(PART).zip(out.chunks_mut(PART));
        for (part, (triangles, out)) in parts.enumerate() {
            let mut several = false;
            for (out, t) in out.iter_mut().zip(triangles) {
                *out = self.labels[(*t as usize).min(last)];
                several |= *out == SEVERAL;
            }
            let Some(painter) = self.painter.as_ref().filter(|_| several) else {
                continue;
            };
            let mut x = 0;
            for run in triangles.chunk_by(|a, b| a == b) {
                let own = &mut out[x..x + run.len()];
                if own[0] == SEVERAL {
                    let from = [from[0] + part * PART + x, from[1]];
                    painter.paint(run[0], from, own, labels::bits_of);
                }
                x += run.len();
            }
        }
    }

    /// Where labelled pixels can lie: around all triangles that have any.
    fn reach(&self, mesh: &Mesh, full_px: [usize; 2]) -> Bounds {
        (0..mesh.uv_triangles.len())
            .into_par_iter()
            .filter(|&t| self.labels[t] != 0)
            .map(|t| {
                let corners = mesh.uv_corners(t);
                let [x, y] = [0, 1].map(|axis| {
                    let size = full_px[axis];
                    let at = corners.map(|uv| {
                        let share = if axis == 0 { uv[0] } else { 1.0 - uv[1] };
                        share * size as f32
                    });
                    let low = at[0].min(at[1]).min(at[2]);
                    let high = at[0].max(at[1]).max(at[2]);
                    // A pixel more, for rounding.
                    [
                        ((low - 1.0).max(0.0) as usize).min(size),
                        ((high + 2.0).max(0.0) as usize).min(size),
                    ]
                });
                [x[0], y[0], x[1], y[1]]
            })
            .reduce(|| NOTHING, both)
    }
}

/// Draws an atlas of `full_px` columns and rows. What all its triangles claim, and the
/// labelled part with `border` pixels around it, if any pixel has a label.
pub(crate) fn draw(
    mesh: &Mesh,
    full_px: [usize; 2],
    division: &Division,
    border: usize,
) -> (Claims, Option<Drawn>) {
    const ROWS: usize = UvStrips::ROWS;
    let [width, height] = full_px;
    let strips = UvStrips::new(mesh, width, height);
    let mut kept = widened(division.reach(mesh, full_px), border, full_px);
    if is_empty(kept) {
        return (Claims::default(), None);
    }
    // Whole strips are kept first.
    kept[1] -= kept[1] % ROWS;
    kept[3] = kept[3].next_multiple_of(ROWS).min(height);
    let columns = kept[2] - kept[0];
    let scratch = || vec![0_u32; width * ROWS];
    let rows_of = |strip: usize| ROWS.min(height - strip * ROWS);
    let mut triangle = vec![0_u32; columns * (kept[3] - kept[1])];
    let mut labels = vec![0_u8; triangle.len()];
    let parts: Vec<(Claims, Bounds)> = triangle
        .par_chunks_mut(columns * ROWS)
        .zip(labels.par_chunks_mut(columns * ROWS))
        .enumerate()
        .map_init(scratch, |scratch, (part, (triangle, labels))| {
            let strip = kept[1] / ROWS + part;
            let rows = &mut scratch[..width * rows_of(strip)];
            let claims = strips.draw(strip, rows);
            let mut labelled = NOTHING;
            for (k, ((row, triangle), labels)) in rows
                .chunks_exact(width)
                .zip(triangle.chunks_exact_mut(columns))
                .zip(labels.chunks_exact_mut(columns))
                .enumerate()
            {
                let y = strip * ROWS + k;
                triangle.copy_from_slice(&row[kept[0]..kept[2]]);
                division.paint([kept[0], y], triangle, labels);
                let has_label = |l: &u8| *l & !NO_SURFACE != 0;
                if let Some(first) = labels.iter().position(has_label) {
                    let last = labels.iter().rposition(has_label).unwrap_or(first);
                    let row = [kept[0] + first, y, kept[0] + last + 1, y + 1];
                    labelled = both(labelled, row);
                }
            }
            (claims, labelled)
        })
        .collect();
    let outside: Claims = (0..strips.count())
        .into_par_iter()
        .filter(|strip| !(kept[1]..kept[3]).contains(&(strip * ROWS)))
        .map_init(scratch, |scratch, strip| {
            strips.draw(strip, &mut scratch[..width * rows_of(strip)])
        })
        .sum();
    let claims = parts.iter().map(|p| p.0).chain([outside]).sum();
    let labelled = parts.iter().map(|p| p.1).fold(NOTHING, both);
    if is_empty(labelled) {
        return (claims, None);
    }
    let bounds = widened(labelled, border, full_px);
    let part = [
        bounds[0] - kept[0],
        bounds[1] - kept[1],
        bounds[2] - kept[0],
        bounds[3] - kept[1],
    ];
    keep(&mut triangle, columns, part);
    keep(&mut labels, columns, part);
    let drawn = Drawn {
        bounds,
        triangle,
        labels,
    };
    (claims, Some(drawn))
}

/// Keeps a part of a plane of `columns` columns, in the memory where it is.
pub(crate) fn keep<T: Copy>(plane: &mut Vec<T>, columns: usize, part: Bounds) {
    let [left, top, right, bottom] = part;
    let width = right - left;
    if width == columns && top == 0 {
        plane.truncate(width * bottom);
    } else {
        for y in top..bottom {
            let from = y * columns + left;
            plane.copy_within(from..from + width, (y - top) * width);
        }
        plane.truncate(width * (bottom - top));
    }
    plane.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermalia_landmarks::{FaceMap, canonical};
    use dermalia_surface::{NO_TRIANGLE, rasterize_uv};

    #[test]
    fn a_part_is_kept_in_place() {
        let plane: Vec<usize> = (0..30).collect();
        let kept = |part| {
            let mut plane = plane.clone();
            keep(&mut plane, 6, part);
            plane
        };
        assert_eq!(kept([1, 2, 4, 4]), [13, 14, 15, 19, 20, 21]);
        assert_eq!(kept([0, 0, 6, 2]), plane[..12]);
        assert_eq!(kept([0, 3, 6, 5]), plane[18..]);
    }

    /// Strip by strip as in one, with the face in a part of the atlas.
    #[test]
    fn the_labelled_part_is_that_of_the_whole_raster() {
        let mut mesh = canonical().mesh();
        for uv in &mut mesh.uvs {
            *uv = [0.3 + 0.4 * uv[0], 0.1 + 0.5 * uv[1]];
        }
        let full_px = [500, 700];
        let raster = rasterize_uv(&mesh, full_px[0], full_px[1]);
        let map = FaceMap::new(&mesh.positions).unwrap();
        let bits = labels::bits(&map.atlas_labels(&mesh, &raster));
        let whole = labels::whole_surface(&raster.triangle);
        let painter = map.painter(&mesh, full_px[0], full_px[1]);
        let regions = Division::regions(painter, mesh.triangles.len());
        for (division, bits) in [
            (regions, bits),
            (Division::whole(mesh.triangles.len()), whole),
        ] {
            let (claims, drawn) = draw(&mesh, full_px, &division, 7);
            let drawn = drawn.unwrap();
            let covered = raster.triangle.iter().filter(|t| **t != NO_TRIANGLE);
            assert_eq!(claims.covered_px, covered.count());
            assert_eq!(claims.overlapping_px, raster.overlapping_px);
            assert_eq!(Some(drawn.bounds), labels::bounds(&bits, full_px[0], 7));
            let [left, top, right, bottom] = drawn.bounds;
            assert_eq!(drawn.triangle.len(), (right - left) * (bottom - top));
            for (i, (t, l)) in drawn.triangle.iter().zip(&drawn.labels).enumerate() {
                let (x, y) = (left + i % (right - left), top + i / (right - left));
                let whole = y * full_px[0] + x;
                assert_eq!(*t, raster.triangle[whole]);
                let bare = if *t == NO_TRIANGLE { NO_SURFACE } else { 0 };
                assert_eq!(*l, bits[whole] | bare);
            }
        }
    }

    #[test]
    fn a_mesh_without_labels_has_no_part() {
        let mesh = canonical().mesh();
        let away: Vec<_> = mesh
            .positions
            .iter()
            .map(|p| [p[0], p[1], p[2] + 500.0])
            .collect();
        let painter = FaceMap::new(&away).unwrap().painter(&mesh, 64, 64);
        let division = Division::regions(painter, mesh.triangles.len());
        assert!(draw(&mesh, [64; 2], &division, 4).1.is_none());
    }
}
