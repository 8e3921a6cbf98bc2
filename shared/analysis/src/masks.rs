//! What is not skin, told by colour: beard, hair, brows beyond their polygon, frames of
//! glasses.
//!
//! Pigment, blood, pits and folds never look like it: pigment and blood add colour, pits
//! and folds are small, light is smooth. Hair, its shadow under the skin and frames are
//! either darker without more colour over centimetres, or very dark and not alone.

use crate::atlas::{Atlas, label};
use crate::baseline::baseline;
use crate::chromophores::chroma;
use crate::field::{Field, quantile};
use crate::flood::Flood;
use crate::gaussian::Smoother;
use crate::registration::RegisteredPicture;
use crate::skin_field::{Grid, pixel_mm};
use dermalia_findings::Region;
use dermalia_scan::manifest::Light;
use rayon::prelude::*;

/// Cells as coarse as a tuft.
const CELL_MM: f32 = 0.35;

/// How far beyond measured skin is looked.
const MARGIN_MM: f32 = 4.5;

/// From pixels of this size on no border is sharp enough to tell hair from shade.
const SHARP_PX_MM: f32 = 0.5;

/// Lights from the most telling: gloss hides hair.
const LIGHTS: [Light; 3] = [
    Light::CrossPolarised,
    Light::White,
    Light::ParallelPolarised,
];

/// Marks the pixels of the face that are no skin by their colour.
pub(crate) fn hide(atlas: &mut Atlas, pictures: &[RegisteredPicture]) {
    let picture = LIGHTS
        .iter()
        .find_map(|l| pictures.iter().find(|p| p.light == *l && !p.grey));
    let (Some(picture), Some(px_mm)) = (picture, pixel_mm(atlas)) else {
        return;
    };
    let grid = Grid::new(atlas, px_mm, CELL_MM, MARGIN_MM);
    let field = grid.read(picture);
    let Some(cells) = not_skin(
        &field,
        &grid.regions,
        &edges(atlas, &field),
        px_mm[0].max(px_mm[1]) < SHARP_PX_MM,
    ) else {
        return;
    };
    drop(grid);
    let width = atlas.width.max(1);
    atlas
        .labels
        .par_chunks_mut(width)
        .enumerate()
        .for_each(|(y, labels)| {
            let from = (y / field.step[1]) * field.width;
            let cells = &cells[from..from + field.width];
            for (labels, _) in labels
                .chunks_mut(field.step[0])
                .zip(cells)
                .filter(|(_, hidden)| **hidden)
            {
                for l in labels.iter_mut().filter(|l| **l & label::REGION != 0) {
                    *l |= label::COLOUR_MASK;
                }
            }
        });
}

/// Cells beside which hair can begin: masked by the landmarks, or beyond the surface.
fn edges(atlas: &Atlas, field: &Field) -> Vec<bool> {
    let mut edge = vec![false; field.len()];
    let rows = field.step[1] * atlas.width;
    edge.par_chunks_mut(field.width)
        .zip(atlas.labels.par_chunks(rows.max(1)))
        .for_each_init(
            || vec![0_u8; atlas.width],
            |any, (edge, rows)| {
                any.fill(0);
                for labels in rows.chunks(atlas.width) {
                    for (any, l) in any.iter_mut().zip(labels) {
                        *any |= l;
                    }
                }
                for (edge, labels) in edge.iter_mut().zip(any.chunks(field.step[0])) {
                    *edge = labels.iter().fold(0, |any, l| any | l) & label::LANDMARK_MASK != 0;
                }
            },
        );
    edge
}

/// What the skin of this face looks like.
struct Reference {
    /// Median chroma.
    chroma: [f32; 2],
    /// Median of the mean density.
    shade: f32,
}

impl Reference {
    /// From where hair is least likely; `None` without skin there or elsewhere.
    fn of(field: &Field, regions: &[Option<Region>]) -> Option<Self> {
        let bare = |r: Region| {
            matches!(
                r,
                Region::Nose
                    | Region::UnderEyeLeft
                    | Region::UnderEyeRight
                    | Region::CheekLeft
                    | Region::CheekRight
                    | Region::Glabella
            )
        };
        let pick = |all: bool| -> Vec<usize> {
            (0..field.len())
                .filter(|&i| field.weight[i] > 0.5 && regions[i].is_some_and(|r| all || bare(r)))
                .collect()
        };
        let mut cells = pick(false);
        if cells.len() < 500 {
            cells = pick(true);
        }
        let median = |of: &dyn Fn(usize) -> f32| {
            let mut v: Vec<f32> = cells.iter().map(|&i| of(i)).collect();
            quantile(&mut v, 0.5)
        };
        Some(Self {
            chroma: [
                median(&|i| chroma(field.at(i))[0])?,
                median(&|i| chroma(field.at(i))[1])?,
            ],
            shade: median(&|i| mean(field.at(i)))?,
        })
    }

    /// Colourfulness: 1 is that of the reference, 0 is grey.
    fn saturation(&self, density: [f32; 3]) -> f32 {
        let c = chroma(density);
        let length = self.chroma[0] * self.chroma[0] + self.chroma[1] * self.chroma[1];
        (c[0] * self.chroma[0] + c[1] * self.chroma[1]) / length.max(1e-6)
    }
}

fn mean(d: [f32; 3]) -> f32 {
    (d[0] + d[1] + d[2]) / 3.0
}

/// A quantity of density over all cells.
fn plane<F: Fn([f32; 3]) -> f32 + Sync>(field: &Field, of: F) -> Vec<f32> {
    let [r, g, b] = &field.density;
    (r, g, b)
        .into_par_iter()
        .map(|(r, g, b)| of([*r, *g, *b]))
        .collect()
}

fn not_skin(
    field: &Field,
    regions: &[Option<Region>],
    edge: &[bool],
    sharp: bool,
) -> Option<Vec<bool>> {
    let reference = Reference::of(field, regions)?;
    let seen = |i: usize| field.weight[i] > 0.0;
    let mut mask = vec![false; field.len()];
    let mut flood = Flood::new(field.width, field.height);
    let shade = plane(field, mean);

    // Beard and its shadow: without colour over centimetres, and not lighter than skin.
    let broad = Smoother::new(field, &field.weight, 1.6);
    let saturation = broad.apply(
        field,
        &field.weight,
        &plane(field, |d| reference.saturation(d)),
    );
    let broad_shade = broad.apply(field, &field.weight, &shade);
    let pale = |i: usize, limit: f32| {
        seen(i) && saturation[i] < limit && broad_shade[i] > reference.shade - 0.1
    };
    for patch in patches(&mut flood, |i| pale(i, 0.74), |i| pale(i, 0.86)) {
        if field.surface(&patch) >= 40.0 {
            spread(field, &patch, 0.8, &mut mask);
        }
    }

    // Hair, brows and frames: far darker than the light explains, and either beside a
    // brow, an eye or a nostril, or larger than any mole.
    let level = baseline(field, &shade, &field.weight, false);
    let fine = field.smooth(&shade, &field.weight, 0.35);
    let excess = |i: usize| if seen(i) { fine[i] - level[i] } else { 0.0 };
    let dark = if sharp {
        evenly_dark(field, &mut flood, excess)
    } else {
        patches(&mut flood, |i| excess(i) > 0.55, |i| excess(i) > 0.3)
    };
    for patch in dark {
        let area = field.surface(&patch);
        if area >= 180.0 || (area >= 1.5 && touches(field, &patch, edge)) {
            spread(field, &patch, 0.6, &mut mask);
        }
    }
    Some(mask)
}

/// Dark patches that end at once, as hair and frames do; skin in the shade, such as one side
/// of a nose, fades over many millimetres. A patch ends where it is much paler than where it
/// began, so that one of a nostril does not run on over the shade beside it.
fn evenly_dark<E>(field: &Field, flood: &mut Flood, excess: E) -> Vec<Vec<u32>>
where
    E: Fn(usize) -> f32,
{
    let mut seeds: Vec<usize> = (0..field.len()).filter(|&i| excess(i) > 0.75).collect();
    seeds.sort_by(|&a, &b| excess(b).total_cmp(&excess(a)).then(a.cmp(&b)));
    let mut taken = vec![false; field.len()];
    let mut out = vec![];
    for seed in seeds {
        if taken[seed] {
            continue;
        }
        let limit = 0.65 * excess(seed);
        let patch = flood.cells(seed, |j| excess(j) > limit);
        spread(field, &patch, 1.5, &mut taken);
        if is_steep(field, &patch, |j| excess(j) < 0.4 * limit) {
            out.push(patch);
        }
    }
    out
}

/// Whether most cells of a patch's border have one within 1.5 mm that is outside by this
/// condition.
fn is_steep<F: Fn(usize) -> bool>(field: &Field, patch: &[u32], outside: F) -> bool {
    let reach = field.cell_mm.map(|mm| (1.5 / mm).ceil() as usize);
    let near = |cell: u32, reach: [usize; 2], found: &dyn Fn(usize) -> bool| {
        let (x, y) = (cell as usize % field.width, cell as usize / field.width);
        (y.saturating_sub(reach[1])..=(y + reach[1]).min(field.height - 1)).any(|ny| {
            (x.saturating_sub(reach[0])..=(x + reach[0]).min(field.width - 1))
                .any(|nx| found(ny * field.width + nx))
        })
    };
    let not_in_patch = |i: usize| patch.binary_search(&(i as u32)).is_err();
    let border: Vec<u32> = patch
        .iter()
        .copied()
        .filter(|&c| near(c, [1, 1], &not_in_patch))
        .collect();
    let steep = border.iter().filter(|&&c| near(c, reach, &outside)).count();
    2 * steep > border.len()
}

/// Connected cells of a weak condition that hold one of the strong condition.
fn patches<S, W>(flood: &mut Flood, strong: S, weak: W) -> Vec<Vec<u32>>
where
    S: Fn(usize) -> bool,
    W: Fn(usize) -> bool,
{
    let mut taken = vec![false; flood.len()];
    let mut out = vec![];
    for i in 0..flood.len() {
        if taken[i] || !strong(i) {
            continue;
        }
        let patch = flood.cells(i, |j| weak(j) || strong(j));
        for &c in &patch {
            taken[c as usize] = true;
        }
        out.push(patch);
    }
    out
}

/// Whether a patch lies within a millimetre of an edge.
fn touches(field: &Field, cells: &[u32], edge: &[bool]) -> bool {
    let reach = field.cell_mm.map(|mm| (1.0 / mm).ceil() as isize);
    let (w, h) = (field.width as isize, field.height as isize);
    cells.iter().any(|&c| {
        let (x, y) = (c as isize % w, c as isize / w);
        (-reach[1]..=reach[1]).any(|dy| {
            (-reach[0]..=reach[0]).any(|dx| {
                let (nx, ny) = (x + dx, y + dy);
                nx >= 0 && ny >= 0 && nx < w && ny < h && edge[(ny * w + nx) as usize]
            })
        })
    })
}

/// Marks cells and all within `margin_mm` of them.
fn spread(field: &Field, cells: &[u32], margin_mm: f32, mask: &mut [bool]) {
    let reach = field.cell_mm.map(|mm| (margin_mm / mm).round() as isize);
    let (w, h) = (field.width as isize, field.height as isize);
    for &c in cells {
        let (x, y) = (c as isize % w, c as isize / w);
        for ny in (y - reach[1]).max(0)..=(y + reach[1]).min(h - 1) {
            for nx in (x - reach[0]).max(0)..=(x + reach[0]).min(w - 1) {
                mask[(ny * w + nx) as usize] = true;
            }
        }
    }
}
