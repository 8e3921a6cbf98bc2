//! The later surface as a coarse raster that knows where each of its pixels lay earlier.

use dermalia_findings::{Parameter, ParameterMap, Region};
use dermalia_landmarks::Tree;
use dermalia_surface::{Mesh, rasterize_uv};
use rayon::prelude::*;

use super::ChangeError;
use super::registration::{narrow, normal, wide};
use super::rigid::{Rigid, V3, dot};
use crate::gaussian::smooth_weighted;
use crate::preparation::{crop, label};
use crate::{Analysis, Atlas, Scale};

/// Longest side of the raster.
const SIDE_PX: usize = 1024;
/// Skin that has moved farther has no counterpart.
const REACH_MM: f32 = 3.0;
/// A fold's two sides are no counterparts (cosine between normals).
const LEAST_AGREEMENT: f64 = 0.3;
/// What is compared is the mean over about this (standard deviation), so that no pore and
/// no edge counts as change because the registration leaves part of a millimetre.
const SMOOTH_MM: f64 = 1.2;

/// The later surface.
pub(super) struct Ground {
    pub(super) atlas: Atlas,
    /// For each pixel of measured skin its place in the earlier atlas.
    then_uv: Vec<Option<[f64; 2]>>,
    /// Net surface of each region and of the face.
    pub(super) areas_mm2: [f64; 14],
}

/// One parameter on the later surface.
pub(super) struct Layer {
    pub(super) parameter: Parameter,
    /// For each pixel strength then and now, smoothed; `None` where not both were measured.
    pub(super) levels: Vec<Option<[f32; 2]>>,
    /// Surface of each region and of the face that both scans measured.
    pub(super) common_mm2: [f64; 14],
}

/// A parameter's map at the size of the raster.
struct Level {
    width: usize,
    height: usize,
    measured: Vec<bool>,
    smooth: Vec<f32>,
}

impl Level {
    fn of(map: &ParameterMap, mesh: &Mesh) -> Self {
        let step = map.width.max(map.height).div_ceil(SIDE_PX).max(1);
        let (width, height) = (map.width.div_ceil(step), map.height.div_ceil(step));
        let (mut value, mut share) = (vec![0.0_f32; width * height], vec![0.0; width * height]);
        value
            .par_chunks_mut(width.max(1))
            .zip(share.par_chunks_mut(width.max(1)))
            .enumerate()
            .for_each(|(y, (value, share))| {
                let rows = y * step..((y + 1) * step).min(map.height);
                for (x, (value, share)) in value.iter_mut().zip(share).enumerate() {
                    let columns = x * step..((x + 1) * step).min(map.width);
                    let (mut sum, mut seen, mut all) = (0.0, 0.0_f32, 0.0_f32);
                    for row in rows.clone() {
                        for s in &map.strength[row * map.width..][columns.clone()] {
                            all += 1.0;
                            if *s > 0 {
                                seen += 1.0;
                                sum += f32::from(*s);
                            }
                        }
                    }
                    if seen > 0.0 {
                        *value = sum / seen;
                        *share = seen / all.max(1.0);
                    }
                }
            });
        let sigma = (SMOOTH_MM / mm_per_px(mesh, width, height)) as f32;
        let smooth = smooth_weighted(&value, &share, width, height, [sigma; 2]);
        Self {
            width,
            height,
            measured: share.iter().map(|s| *s >= 0.5).collect(),
            smooth,
        }
    }

    fn at(&self, uv: [f64; 2]) -> Option<f32> {
        let (x, y) = (
            uv[0] * self.width as f64,
            (1.0 - uv[1]) * self.height as f64,
        );
        if !(x >= 0.0 && y >= 0.0 && x < self.width as f64 && y < self.height as f64) {
            return None;
        }
        let i = y as usize * self.width + x as usize;
        self.measured[i].then(|| self.smooth[i])
    }
}

/// The side of a mean pixel of an atlas on its surface.
fn mm_per_px(mesh: &Mesh, width: usize, height: usize) -> f64 {
    let (mut surface, mut flat) = (0.0, 0.0);
    for t in 0..mesh.triangles.len() {
        surface += f64::from(mesh.area_mm2(t));
        let [a, b, c] = mesh.uv_corners(t).map(|uv| uv.map(f64::from));
        flat += 0.5 * ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).abs();
    }
    (surface / (flat * (width * height) as f64).max(1e-12))
        .sqrt()
        .max(1e-3)
}

impl Ground {
    /// `motion` brings the earlier surface onto the later one.
    pub(super) fn new(
        previous: &Mesh,
        earlier_tree: &Tree,
        current: &Analysis,
        motion: &Rigid,
    ) -> Result<Self, ChangeError> {
        let mesh = &current.mesh;
        let base = [current.base.width, current.base.height];
        let step = base[0].max(base[1]).div_ceil(SIDE_PX).max(1);
        let raster = rasterize_uv(mesh, base[0].div_ceil(step), base[1].div_ceil(step));
        let (bits, has_face) = label(mesh, &raster, current.landmarks_mm.as_deref(), &mut vec![]);
        if !has_face {
            return Err(ChangeError::NoFace("later"));
        }
        let atlas =
            crop(mesh, raster, bits, Scale::Stated).map_err(|_| ChangeError::NoFace("later"))?;
        let back = motion.inverse();
        let then_uv = (0..atlas.height)
            .into_par_iter()
            .flat_map_iter(|y| {
                let mut walker = atlas.walker();
                let row: Vec<Option<[f64; 2]>> = (0..atlas.width)
                    .map(|x| {
                        let i = y * atlas.width + x;
                        atlas.measured_region(i)?;
                        let p = back.apply(walker.at(x, y)?);
                        let near = earlier_tree.closest(narrow(p), REACH_MM)?;
                        let n = back.rotate(normal(mesh, atlas.triangle[i] as usize));
                        if dot(n, normal(previous, near.triangle)) < LEAST_AGREEMENT {
                            return None;
                        }
                        Some(uv_at(previous, near.triangle, near.bary))
                    })
                    .collect();
                row
            })
            .collect();
        let areas_mm2 = atlas.label_areas().of_regions().map(|a| a[0]);
        Ok(Self {
            atlas,
            then_uv,
            areas_mm2,
        })
    }

    /// A parameter then and now, where both scans have a map of it.
    pub(super) fn layer(
        &self,
        previous: &Analysis,
        current: &Analysis,
        parameter: Parameter,
    ) -> Option<Layer> {
        let of = |a: &Analysis| {
            let map = a.maps.iter().find(|m| m.parameter == parameter)?;
            Some(Level::of(map, &a.mesh))
        };
        let (then, now) = (of(previous)?, of(current)?);
        let levels: Vec<Option<[f32; 2]>> = (0..self.atlas.len())
            .into_par_iter()
            .map(|i| {
                let then = then.at(self.then_uv[i]?)?;
                let (x, y) = (i % self.atlas.width, i / self.atlas.width);
                let now = now.at(self.atlas.uv(x as f64 + 0.5, y as f64 + 0.5))?;
                Some([then, now])
            })
            .collect();
        let mut common_mm2 = [0.0; 14];
        for (i, level) in levels.iter().enumerate() {
            if let (Some(_), Some(region)) = (level, self.atlas.measured_region(i)) {
                let area = f64::from(self.atlas.area_mm2(i));
                common_mm2[region.index()] += area;
                if region != Region::Face {
                    common_mm2[Region::Face.index()] += area;
                }
            }
        }
        Some(Layer {
            parameter,
            levels,
            common_mm2,
        })
    }

    /// The pixel of measured skin at a point of the later surface or just beside it.
    pub(super) fn pixel(&self, tree: &Tree, p: V3) -> Option<usize> {
        let mesh = &self.atlas.mesh;
        let near = tree.closest(narrow(p), REACH_MM)?;
        let uv = uv_at(mesh, near.triangle, near.bary);
        let at =
            |k: usize, v: f64| v * self.atlas.full_px[k] as f64 - self.atlas.origin_px[k] as f64;
        let (x, y) = (at(0, uv[0]), at(1, 1.0 - uv[1]));
        let beside = [[0.0, 0.0], [0.0, -1.0], [-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        beside
            .iter()
            .filter_map(|[dx, dy]| self.atlas.pixel(x + dx, y + dy))
            .find(|&i| self.atlas.measured_region(i).is_some())
    }
}

fn uv_at(mesh: &Mesh, triangle: usize, bary: [f32; 3]) -> [f64; 2] {
    let corners = mesh.uv_corners(triangle);
    let weights = wide(bary);
    [0, 1].map(|k| (0..3).map(|c| weights[c] * f64::from(corners[c][k])).sum())
}
