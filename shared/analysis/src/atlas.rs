use dermalia_findings::Region;
use dermalia_surface::{Mesh, Metric, NO_TRIANGLE};
use rayon::prelude::*;

/// What is known about the size of a pixel on the skin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From the mesh, or stated with the photograph.
    Stated,
    /// From the width of the iris (11.7 mm +- 0.5).
    Iris,
    /// Not known: lengths and areas are in an assumed unit and must not be reported.
    Unknown,
}

/// The working raster: the part of the UV atlas that holds the face, at the resolution
/// of the finest picture, with the surface metric and the regions of the face.
///
/// Pixels are row-major, row 0 at the top (v = 1).
#[derive(Debug, Clone)]
pub struct Atlas {
    /// Columns of the working raster.
    pub width: usize,
    /// Rows of the working raster.
    pub height: usize,
    /// Its left column and top row in the whole atlas.
    pub origin_px: [usize; 2],
    /// Columns and rows of the whole atlas.
    pub full_px: [usize; 2],
    /// The surface.
    pub mesh: Mesh,
    /// What its millimetres are worth.
    pub scale: Scale,
    /// The triangle of each pixel, or [`NO_TRIANGLE`].
    pub triangle: Vec<u32>,
    /// The label of each pixel: region and reasons for exclusion.
    pub labels: Vec<u8>,
    /// The metric of each triangle; zero for one without area.
    pub metrics: Vec<Metric>,
}

/// The bits of [`Atlas::labels`].
pub mod label {
    /// The low four bits: position in `Region::ALL` plus 1; 0 is outside of the face.
    /// `Region::Face` marks skin of the face in no named region.
    pub const REGION: u8 = 0x0F;
    /// Eye, brow, lips or nostril by the landmarks.
    pub const LANDMARK_MASK: u8 = 0x10;
    /// Beard, hair, glasses and the like by colour.
    pub const COLOUR_MASK: u8 = 0x20;
    /// No picture covers this place.
    pub const NOT_COVERED: u8 = 0x40;
    /// No triangle covers this pixel.
    pub const NO_SURFACE: u8 = 0x80;
    /// Any reason not to measure.
    pub const EXCLUDED: u8 = LANDMARK_MASK | COLOUR_MASK | NOT_COVERED;
}

/// Whether a label is that of a pixel that is measured.
#[inline(always)]
pub(crate) fn is_measured(bits: u8) -> bool {
    bits & label::REGION != 0 && bits & label::EXCLUDED == 0
}

/// Where a triangle lies: its middle pixel's position and the steps of one pixel.
struct Frame {
    at: [f64; 2],
    origin: [f64; 3],
    right: [f64; 3],
    down: [f64; 3],
}

impl Atlas {
    /// Pixels in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.width * self.height
    }

    /// Whether there is no pixel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The metric at a pixel; `None` outside of the surface.
    #[must_use]
    pub fn metric(&self, i: usize) -> Option<&Metric> {
        match self.triangle[i] {
            NO_TRIANGLE => None,
            t => self.metrics.get(t as usize),
        }
    }

    /// The surface of a pixel in mm2; 0 outside of the surface.
    #[must_use]
    pub fn area_mm2(&self, i: usize) -> f32 {
        self.metric(i).map_or(0.0, Metric::pixel_area_mm2)
    }

    /// The side of a square of a pixel's area, in millimetres.
    #[must_use]
    pub fn mm_per_px(&self, i: usize) -> f32 {
        self.area_mm2(i).sqrt()
    }

    /// The named region of a pixel, masked or not. Skin of the face outside of every
    /// named region is [`Region::Face`].
    #[must_use]
    pub fn region(&self, i: usize) -> Option<Region> {
        match self.labels[i] & label::REGION {
            0 => None,
            n => Region::ALL.get(usize::from(n) - 1).copied(),
        }
    }

    /// The region of a pixel that is measured: in the face, not masked, covered.
    #[must_use]
    pub fn measured_region(&self, i: usize) -> Option<Region> {
        if self.labels[i] & label::EXCLUDED != 0 {
            return None;
        }
        self.region(i)
    }

    /// Whether a pixel is measured.
    #[must_use]
    pub fn is_measured(&self, i: usize) -> bool {
        is_measured(self.labels[i])
    }

    /// The pixel of a point, in pixels of the working raster (middles at n + 0.5).
    #[must_use]
    pub fn pixel(&self, x: f64, y: f64) -> Option<usize> {
        if !(x >= 0.0 && y >= 0.0 && x < self.width as f64 && y < self.height as f64) {
            return None;
        }
        Some(y as usize * self.width + x as usize)
    }

    /// Atlas coordinates of a point of the working raster, v up.
    #[must_use]
    pub fn uv(&self, x: f64, y: f64) -> [f64; 2] {
        [
            (x + self.origin_px[0] as f64) / self.full_px[0] as f64,
            1.0 - (y + self.origin_px[1] as f64) / self.full_px[1] as f64,
        ]
    }

    fn frame(&self, triangle: u32) -> Option<Frame> {
        let t = triangle as usize;
        let p = self.mesh.corners(t).map(|c| c.map(f64::from));
        let q = self.mesh.uv_corners(t).map(|[u, v]| {
            [
                f64::from(u) * self.full_px[0] as f64 - self.origin_px[0] as f64,
                (1.0 - f64::from(v)) * self.full_px[1] as f64 - self.origin_px[1] as f64,
            ]
        });
        let (x1, y1) = (q[1][0] - q[0][0], q[1][1] - q[0][1]);
        let (x2, y2) = (q[2][0] - q[0][0], q[2][1] - q[0][1]);
        let det = x1 * y2 - x2 * y1;
        if det == 0.0 || !det.is_finite() {
            return None;
        }
        let (mut right, mut down) = ([0.0; 3], [0.0; 3]);
        for k in 0..3 {
            let (d1, d2) = (p[1][k] - p[0][k], p[2][k] - p[0][k]);
            right[k] = (d1 * y2 - d2 * y1) / det;
            down[k] = (d2 * x1 - d1 * x2) / det;
        }
        Some(Frame {
            at: q[0],
            origin: p[0],
            right,
            down,
        })
    }

    /// The point of the surface at a point of the working raster, in the frame of
    /// [`Atlas::mesh`]; `None` outside of the surface.
    #[must_use]
    pub fn surface_point(&self, x: f64, y: f64) -> Option<[f64; 3]> {
        let t = self.triangle[self.pixel(x, y)?];
        if t == NO_TRIANGLE {
            return None;
        }
        let f = self.frame(t)?;
        let (dx, dy) = (x - f.at[0], y - f.at[1]);
        Some([0, 1, 2].map(|k| f.origin[k] + f.right[k] * dx + f.down[k] * dy))
    }

    /// The same in the mesh's own axes, as the findings state it.
    #[must_use]
    pub fn position_mm(&self, x: f64, y: f64) -> Option<[f64; 3]> {
        let p = self.surface_point(x, y)?;
        Some(self.mesh.source_from_mesh.map(|row| {
            f64::from(row[0]) * p[0] + f64::from(row[1]) * p[1] + f64::from(row[2]) * p[2] + 0.0
        }))
    }

    /// The surface of the pixels of each label in mm2.
    pub(crate) fn label_areas(&self) -> LabelAreas {
        const STRIP_ROWS: usize = 64;
        let strip = (STRIP_ROWS * self.width).max(1);
        let pixels_mm2: Vec<f32> = self.metrics.iter().map(Metric::pixel_area_mm2).collect();
        let area = |triangle: u32| match pixels_mm2.get(triangle as usize) {
            Some(area) => f64::from(*area),
            None => 0.0,
        };
        // Sums of strips, added in their order.
        let strips: Vec<[f64; 256]> = self
            .labels
            .par_chunks(strip)
            .zip(self.triangle.par_chunks(strip))
            .map(|(labels, mut triangles)| {
                let mut areas = [0.0_f64; 256];
                for run in labels.chunk_by(|a, b| a == b) {
                    let own;
                    (own, triangles) = triangles.split_at(run.len());
                    if run[0] & label::REGION == 0 {
                        continue;
                    }
                    // Four sums side by side wait for each other less.
                    let (fours, rest) = own.as_chunks::<4>();
                    let mut sums = [0.0_f64; 4];
                    for four in fours {
                        for (sum, t) in sums.iter_mut().zip(four) {
                            *sum += area(*t);
                        }
                    }
                    let rest: f64 = rest.iter().map(|t| area(*t)).sum();
                    areas[usize::from(run[0])] += (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest;
                }
                areas
            })
            .collect();
        let mut areas = [0.0_f64; 256];
        for strip in strips {
            for (sum, part) in areas.iter_mut().zip(strip) {
                *sum += part;
            }
        }
        LabelAreas { mm2: areas }
    }

    /// The median size of a measured pixel in millimetres.
    #[must_use]
    pub fn median_mm_per_px(&self) -> Option<f64> {
        // Some hundred thousand pixels tell it as well as all of a large raster.
        let step = (self.len() / 300_000).max(7) | 1;
        let mut sizes: Vec<f32> = (0..self.len())
            .step_by(step)
            .filter(|&i| self.is_measured(i))
            .map(|i| self.mm_per_px(i))
            .filter(|s| *s > 0.0)
            .collect();
        if sizes.is_empty() {
            return None;
        }
        let middle = sizes.len() / 2;
        let (_, m, _) = sizes.select_nth_unstable_by(middle, f32::total_cmp);
        Some(f64::from(*m))
    }
}

/// The surface of the pixels of each label.
#[derive(Debug, Clone)]
pub(crate) struct LabelAreas {
    mm2: [f64; 256],
}

impl LabelAreas {
    /// Each label with its surface in mm2.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u8, f64)> + '_ {
        (0..=u8::MAX).zip(self.mm2)
    }

    /// Net and excluded surface of each region in mm2, in the order of `Region::ALL`;
    /// `Region::Face` holds the sum of all.
    pub(crate) fn of_regions(&self) -> [[f64; 2]; 14] {
        let face = Region::Face.index();
        let mut areas = [[0.0_f64; 2]; 14];
        for (l, area) in self.each() {
            let index = usize::from(l & label::REGION);
            if !(1..=14).contains(&index) {
                continue;
            }
            let excluded = usize::from(l & label::EXCLUDED != 0);
            areas[index - 1][excluded] += area;
            if index - 1 != face {
                areas[face][excluded] += area;
            }
        }
        areas
    }
}

/// Surface points pixel by pixel; remembers the triangle it stands on.
pub(crate) struct Walker<'a> {
    atlas: &'a Atlas,
    triangle: u32,
    frame: Option<Frame>,
}

impl Walker<'_> {
    /// The surface point of a pixel's middle, as [`Atlas::surface_point`].
    pub(crate) fn at(&mut self, x: usize, y: usize) -> Option<[f64; 3]> {
        let t = self.atlas.triangle[y * self.atlas.width + x];
        if t != self.triangle {
            self.triangle = t;
            self.frame = if t == NO_TRIANGLE {
                None
            } else {
                self.atlas.frame(t)
            };
        }
        let f = self.frame.as_ref()?;
        let (dx, dy) = (x as f64 + 0.5 - f.at[0], y as f64 + 0.5 - f.at[1]);
        Some([0, 1, 2].map(|k| f.origin[k] + f.right[k] * dx + f.down[k] * dy))
    }
}

impl Atlas {
    /// Walks the surface points of pixels.
    pub(crate) fn walker(&self) -> Walker<'_> {
        Walker {
            atlas: self,
            triangle: NO_TRIANGLE,
            frame: None,
        }
    }

    /// The point of the surface as [`Atlas::surface_point`], and the steps on it that one
    /// pixel to the right and one down make there, in millimetres, in the same frame.
    pub(crate) fn point_and_steps_mm(&self, x: f64, y: f64) -> Option<([f64; 3], [[f64; 3]; 2])> {
        let t = self.triangle[self.pixel(x, y)?];
        if t == NO_TRIANGLE {
            return None;
        }
        let f = self.frame(t)?;
        let (dx, dy) = (x - f.at[0], y - f.at[1]);
        let point = [0, 1, 2].map(|k| f.origin[k] + f.right[k] * dx + f.down[k] * dy);
        Some((point, [f.right, f.down]))
    }
}
