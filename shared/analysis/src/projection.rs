//! Camera photographs onto the atlas.

use dermalia_scan::manifest::{Camera, Light};
use dermalia_scan::{Levels, Pixels, Samples, Scan};
use dermalia_surface::{Mesh, Vec3, ViewRaster, dot, normalize, rasterize_uv, rasterize_view, sub};
use rayon::prelude::*;

use crate::atlas::label;
use crate::preparation::{Decoded, MEASURED, Prepared, crop, label as label_face};
use crate::registration::Window;
use crate::{AnalysisError, Atlas, RegisteredPicture, Scale, face, labels, relief, thumbnails};

/// Skin seen flatter than this is not used.
const LEAST_COSINE: f32 = 0.2;
/// A point this far behind the nearest surface is hidden.
const DEPTH_TOLERANCE_MM: f32 = 2.0;
/// Side of the depth buffers.
const DEPTH_PX: usize = 1024;
/// Side of the small atlas in which the face is looked for.
const LOOK_PX: usize = 1024;
const SIDES_PX: (usize, usize) = (512, 8192);
/// Pixels over which a picture fades out at its border, so that its edge makes no line.
const FADE_PX: f64 = 64.0;

/// One photograph with its camera.
struct View<'a> {
    camera: &'a Camera,
    pixels: &'a Pixels,
    /// Size of its pixels on the skin.
    ground_mm: Option<f64>,
    depth: ViewRaster,
    /// Of the camera, in the frame of the mesh.
    centre: Vec3,
}

/// A point in the camera: picture point in pixels and depth.
fn project(camera: &Camera, p: [f64; 3]) -> Option<[f64; 3]> {
    let m = &camera.camera_from_mesh;
    let [x, y, z] = [0, 4, 8].map(|r| m[r] * p[0] + m[r + 1] * p[1] + m[r + 2] * p[2] + m[r + 3]);
    if z <= 1e-6 {
        return None;
    }
    let (u, v) = (x / z, y / z);
    let [k1, k2, p1, p2, k3] = camera.distortion;
    let r2 = u * u + v * v;
    let radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3));
    // Beyond the model's turning point the picture would fold back.
    if radial <= 0.1 || r2 > 9.0 {
        return None;
    }
    let du = u * radial + 2.0 * p1 * u * v + p2 * (r2 + 2.0 * u * u);
    let dv = v * radial + p1 * (r2 + 2.0 * v * v) + 2.0 * p2 * u * v;
    Some([camera.fx * du + camera.cx, camera.fy * dv + camera.cy, z])
}

fn to_source(mesh: &Mesh, p: Vec3) -> [f64; 3] {
    mesh.to_source(p)
}

impl<'a> View<'a> {
    fn new(mesh: &Mesh, camera: &'a Camera, pixels: &'a Pixels) -> Self {
        let scale = DEPTH_PX as f64 / pixels.width.max(pixels.height) as f64;
        let size = |n: usize| ((n as f64 * scale).ceil() as usize).max(1);
        let depth = rasterize_view(mesh, size(pixels.width), size(pixels.height), |p| {
            let q = project(camera, to_source(mesh, p))?;
            Some([(q[0] * scale) as f32, (q[1] * scale) as f32, q[2] as f32])
        });
        let m = &camera.camera_from_mesh;
        // The camera lies at -R^T t in the mesh's own axes; turned back into its frame.
        let own = [0, 1, 2].map(|k| -(m[k] * m[3] + m[4 + k] * m[7] + m[8 + k] * m[11]));
        let rows = mesh.source_from_mesh;
        let centre =
            [0, 1, 2].map(|k| (0..3).map(|r| f64::from(rows[r][k]) * own[r]).sum::<f64>() as f32);
        Self {
            camera,
            pixels,
            ground_mm: ground_mm(mesh, camera),
            depth,
            centre,
        }
    }

    /// Colour (gamma-encoded, 0 to 1) and weight of a surface point; `None` where it is
    /// not seen.
    fn look(&self, mesh: &Mesh, p: [f64; 3], normal: Vec3) -> Option<([f32; 3], f32)> {
        let point = p.map(|v| v as f32);
        let to_camera = normalize(sub(self.centre, point));
        let cosine = dot(normal, to_camera);
        if cosine < LEAST_COSINE {
            return None;
        }
        let q = project(self.camera, to_source(mesh, point))?;
        let (w, h) = (self.pixels.width as f64, self.pixels.height as f64);
        let border = q[0].min(q[1]).min(w - q[0]).min(h - q[1]);
        if border < 1.0 {
            return None;
        }
        let (dx, dy) = (
            (q[0] * self.depth.width as f64 / w) as usize,
            (q[1] * self.depth.height as f64 / h) as usize,
        );
        let nearest = self.depth.fragments
            [dy.min(self.depth.height - 1) * self.depth.width + dx.min(self.depth.width - 1)]
        .depth;
        if nearest.is_finite() && (q[2] as f32) > nearest + DEPTH_TOLERANCE_MM / cosine {
            return None;
        }
        let fade = (border / FADE_PX).min(1.0) as f32;
        let weight = cosine * cosine * (cosine - LEAST_COSINE) * fade;
        Some((colour(self.pixels, q[0], q[1]), weight))
    }
}

fn colour(pixels: &Pixels, x: f64, y: f64) -> [f32; 3] {
    let fx = (x - 0.5).clamp(0.0, (pixels.width - 1) as f64);
    let fy = (y - 0.5).clamp(0.0, (pixels.height - 1) as f64);
    let (x0, y0) = (fx as usize, fy as usize);
    let (x1, y1) = (
        (x0 + 1).min(pixels.width - 1),
        (y0 + 1).min(pixels.height - 1),
    );
    let (tx, ty) = ((fx - x0 as f64) as f32, (fy - y0 as f64) as f32);
    [0, 1, 2].map(|c| {
        let at = |x: usize, y: usize| {
            let i = 3 * (y * pixels.width + x) + c;
            match &pixels.samples {
                Samples::Eight(v) => f32::from(v[i]) / 255.0,
                Samples::Sixteen(v) => f32::from(v[i]) / 65535.0,
            }
        };
        let top = at(x0, y0) + tx * (at(x1, y0) - at(x0, y0));
        top + ty * (at(x0, y1) + tx * (at(x1, y1) - at(x0, y1)) - top)
    })
}

/// All photographs of one light on the pixels of an atlas, and which pixels are seen.
fn blend(atlas: &Atlas, light: Light, views: &[View<'_>]) -> (RegisteredPicture, Vec<bool>) {
    let normals = atlas.mesh.vertex_normals();
    let mut samples = vec![0_u16; 3 * atlas.len()];
    let mut seen = vec![false; atlas.len()];
    let row = atlas.width.max(1);
    samples
        .par_chunks_mut(3 * row)
        .zip(seen.par_chunks_mut(row))
        .enumerate()
        .for_each(|(y, (out, seen))| {
            for x in 0..row {
                let i = y * row + x;
                let t = atlas.triangle[i];
                let (px, py) = (x as f64 + 0.5, y as f64 + 0.5);
                let Some(p) = atlas.surface_point(px, py) else {
                    continue;
                };
                let corners = atlas.mesh.triangles[t as usize];
                let normal = smooth_normal(&atlas.mesh, &normals, corners, p);
                let (mut sum, mut weight) = ([0.0_f32; 3], 0.0_f32);
                for view in views {
                    if let Some((c, w)) = view.look(&atlas.mesh, p, normal) {
                        for k in 0..3 {
                            sum[k] += w * c[k];
                        }
                        weight += w;
                    }
                }
                if weight > 0.0 {
                    seen[x] = true;
                    for k in 0..3 {
                        out[3 * x + k] = (65535.0 * (sum[k] / weight).clamp(0.0, 1.0) + 0.5) as u16;
                    }
                }
            }
        });
    let picture = RegisteredPicture {
        light,
        grey: views.iter().all(|v| v.pixels.grey),
        chroma_step: coarsest(views.iter().map(|v| v.pixels.chroma_step)),
        magnification: 1.0,
        samples: Samples::Sixteen(samples),
    };
    (picture, seen)
}

/// The normal at a point of a triangle, weighted by nearness to its corners.
fn smooth_normal(mesh: &Mesh, normals: &[Vec3], corners: [u32; 3], p: [f64; 3]) -> Vec3 {
    let mut n = [0.0_f32; 3];
    for c in corners {
        let q = mesh.positions[c as usize];
        let d: f64 = (0..3).map(|k| (p[k] - f64::from(q[k])).powi(2)).sum();
        let w = (1.0 / (d + 1e-3)) as f32;
        for k in 0..3 {
            n[k] += w * normals[c as usize][k];
        }
    }
    normalize(n)
}

/// Size of a pixel on the skin at the middle of the mesh.
fn ground_mm(mesh: &Mesh, camera: &Camera) -> Option<f64> {
    let n = mesh.positions.len().max(1) as f64;
    let mut front = [0.0_f64; 3];
    for p in &mesh.positions {
        for k in 0..3 {
            front[k] += f64::from(p[k]) / n;
        }
    }
    let q = project(camera, to_source(mesh, front.map(|v| v as f32)))?;
    let size = q[2] / camera.fx.abs().max(camera.fy.abs());
    (size.is_finite() && size > 0.0).then_some(size)
}

/// The pixels of the finest of some views, on the skin.
fn finest_mm<'a>(views: impl Iterator<Item = &'a View<'a>>) -> Option<f64> {
    views.filter_map(|v| v.ground_mm).min_by(f64::total_cmp)
}

/// The raster that photographs of `side` pixels are brought to: no smaller than a height map
/// of the same atlas, so that neither loses detail.
fn raster_px(side: usize, levels: Option<&Levels>) -> [usize; 2] {
    let least = levels.map_or([0, 0], |l| [l.width, l.height]);
    least.map(|n| n.max(side).clamp(SIDES_PX.0, SIDES_PX.1))
}

/// A cylinder around the vertical axis through the mesh, for a mesh without an atlas;
/// the seam lies at the back.
pub(crate) fn unwrapped(mesh: &Mesh) -> Mesh {
    let mut mesh = mesh.clone();
    let (mut lo, mut hi) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for p in &mesh.positions {
        for k in 0..3 {
            lo[k] = lo[k].min(p[k]);
            hi[k] = hi[k].max(p[k]);
        }
    }
    let middle = 0.5 * (lo[0] + hi[0]);
    // The axis stands behind the middle, so that a mask of a face unrolls, too.
    let axis = (hi[2] - 0.6 * (hi[0] - lo[0])).max(lo[2] - 30.0);
    let turn: Vec<f32> = mesh
        .positions
        .iter()
        .map(|p| libm::atan2f(p[0] - middle, p[2] - axis) / (2.0 * core::f32::consts::PI) + 0.5)
        .collect();
    let height = (hi[1] - lo[1]).max(1e-3);
    // Pixels come out about square: the circle's length over the height.
    let radius = 0.5 * (hi[0] - lo[0]).max(1e-3);
    let aspect = (2.0 * core::f32::consts::PI * radius / height).max(1e-3);
    let (su, sv) = if aspect > 1.0 {
        (1.0, 1.0 / aspect)
    } else {
        (aspect, 1.0)
    };
    mesh.uvs = mesh
        .positions
        .iter()
        .zip(&turn)
        .map(|(p, t)| [t * su, (p[1] - lo[1]) / height * sv])
        .collect();
    let keep: Vec<[u32; 3]> = mesh
        .triangles
        .iter()
        .copied()
        .filter(|t| {
            let u = t.map(|i| turn[i as usize]);
            let span = u[0].max(u[1]).max(u[2]) - u[0].min(u[1]).min(u[2]);
            span < 0.5
        })
        .collect();
    mesh.triangles.clone_from(&keep);
    mesh.uv_triangles = keep;
    mesh
}

/// An atlas of all of a mesh at a size, every pixel labelled `face`.
fn whole_atlas(mesh: &Mesh, side: usize) -> Result<Atlas, AnalysisError> {
    let raster = rasterize_uv(mesh, side, side);
    let bits = labels::whole_surface(&raster.triangle);
    crop(mesh, raster, bits, Scale::Stated)
}

/// The photographs by light, in the order of the manifest.
fn by_light(photos: &[Decoded]) -> Vec<(Light, Vec<usize>)> {
    let mut out: Vec<(Light, Vec<usize>)> = vec![];
    for (k, p) in photos.iter().enumerate() {
        match out.iter_mut().find(|(l, _)| *l == p.1) {
            Some((_, list)) => list.push(k),
            None => out.push((p.1, vec![k])),
        }
    }
    out
}

/// Measures camera photographs on the surface, with the height map of its atlas.
pub(crate) fn on_surface(
    scan: &Scan,
    mesh: &Mesh,
    photos: &[Decoded],
    levels: Option<&Levels>,
) -> Result<Prepared<'static>, AnalysisError> {
    let mut warnings = vec![];
    let unrolled;
    let mesh = if mesh.has_atlas() {
        mesh
    } else {
        unrolled = unwrapped(mesh);
        &unrolled
    };
    let cameras: Vec<&Camera> = photos
        .iter()
        .map(|p| {
            scan.manifest.images[p.0].camera.as_ref().ok_or_else(|| {
                AnalysisError::NothingToMeasure("a camera picture has no camera".to_owned())
            })
        })
        .collect::<Result<_, _>>()?;
    let views: Vec<(Light, Vec<View<'_>>)> = by_light(photos)
        .into_iter()
        .map(|(light, list)| {
            let views = list
                .into_iter()
                .map(|k| View::new(mesh, cameras[k], &photos[k].2))
                .collect();
            (light, views)
        })
        .collect();
    let small = whole_atlas(mesh, LOOK_PX)?;
    let shown = [
        Light::White,
        Light::CrossPolarised,
        Light::ParallelPolarised,
    ]
    .iter()
    .find_map(|l| views.iter().find(|(light, _)| light == l))
    .or(views.first());
    let Some((light, list)) = shown else {
        return Err(AnalysisError::NothingToMeasure(
            "no camera picture".to_owned(),
        ));
    };
    let look = whole_picture(&small, &blend(&small, *light, list).0);
    let landmarks = match &scan.landmarks {
        Some(points) => Some(points.clone()),
        None => face::on_mesh(mesh, Some(&look))?.map(|f| f.points_mm),
    };
    let ground = finest_mm(views.iter().flat_map(|(_, list)| list));
    let small_mm = small.median_mm_per_px();
    let side = match (small_mm, ground) {
        (Some(raster), Some(ground)) => (LOOK_PX as f64 * raster / ground) as usize,
        _ => LOOK_PX,
    };
    let [width, height] = raster_px(side, levels);
    let raster = rasterize_uv(mesh, width, height);
    let (bits, has_face) = label_face(mesh, &raster, landmarks.as_deref(), &mut warnings);
    let mut atlas = crop(mesh, raster, bits, Scale::Stated)?;
    let full_px = atlas.full_px;
    let base = thumbnails::base_of(Some(&look), full_px);
    let mut pictures = vec![];
    let mut coverage: Vec<Vec<bool>> = vec![];
    let raster_mm = small_mm.map(|mm| mm * LOOK_PX as f64 / ((width * height) as f64).sqrt());
    for (light, list) in &views {
        let (mut picture, seen) = blend(&atlas, *light, list);
        if let (Some(own), Some(raster)) = (finest_mm(list.iter()), raster_mm) {
            picture.magnification = (own / raster).max(1.0) as f32;
        }
        pictures.push(picture);
        coverage.push(seen);
    }
    let counts: Vec<usize> = coverage
        .iter()
        .map(|s| {
            (0..atlas.len())
                .filter(|&i| s[i] && atlas.is_measured(i))
                .count()
        })
        .collect();
    // Skin is measured under visible light: it is not left out for what another shows more of.
    let most_under = |wanted: &dyn Fn(Light) -> bool| {
        let counts = views.iter().zip(&counts).filter(|(v, _)| wanted(v.0));
        counts.map(|(_, c)| *c).max().unwrap_or(0)
    };
    let most = match most_under(&|light| MEASURED.contains(&light)) {
        0 => most_under(&|_| true),
        most => most,
    };
    if most == 0 {
        return Err(AnalysisError::NothingToMeasure(
            "no camera picture shows the surface".to_owned(),
        ));
    }
    // A light that shows little more than half of the face would cost the others theirs.
    let kept: Vec<bool> = counts.iter().map(|c| *c * 10 >= most * 6).collect();
    for (i, bits) in atlas.labels.iter_mut().enumerate() {
        if coverage.iter().zip(&kept).any(|(s, k)| *k && !s[i]) {
            *bits |= label::NOT_COVERED;
        }
    }
    let mut keep = kept.iter();
    pictures.retain(|_| *keep.next().unwrap_or(&true));
    if pictures.len() < views.len() {
        warnings.push(format!(
            "{} lights show less than 60 % of the skin that the others show and were not measured",
            views.len() - pictures.len()
        ));
    }
    let relief = match (levels, &scan.manifest.relief) {
        (Some(levels), Some(entry)) => {
            Some(relief::from_levels(levels, entry, &Window::of(&atlas)))
        }
        _ => None,
    };
    Ok(Prepared {
        atlas,
        pictures,
        ultraviolet: None,
        unmeasured: vec![],
        relief,
        base,
        has_surface: true,
        has_face,
        landmarks_mm: landmarks.filter(|_| has_face),
        warnings,
    })
}

/// The coarsest step of some pictures' colour differences; `None` where one is not known.
fn coarsest(steps: impl Iterator<Item = Option<f32>>) -> Option<f32> {
    steps.reduce(|a, b| Some(a?.max(b?))).flatten()
}

/// A registered picture as a picture of the whole atlas.
fn whole_picture(atlas: &Atlas, picture: &RegisteredPicture) -> Pixels {
    let mut rgb = vec![128_u8; 3 * atlas.full_px[0] * atlas.full_px[1]];
    for y in 0..atlas.height {
        for x in 0..atlas.width {
            let p = picture.srgb(y * atlas.width + x);
            let o = 3 * ((y + atlas.origin_px[1]) * atlas.full_px[0] + x + atlas.origin_px[0]);
            for c in 0..3 {
                rgb[o + c] = (255.0 * p[c] + 0.5) as u8;
            }
        }
    }
    Pixels {
        width: atlas.full_px[0],
        height: atlas.full_px[1],
        grey: picture.grey,
        chroma_step: picture.chroma_step,
        samples: Samples::Eight(rgb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Camera {
        Camera {
            fx: 1000.0,
            fy: 1000.0,
            cx: 400.0,
            cy: 300.0,
            // Looks along -z of the mesh from z = 400: x right, y down.
            camera_from_mesh: [
                1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 400.0, 0.0, 0.0, 0.0, 1.0,
            ],
            distortion: [0.0; 5],
        }
    }

    #[test]
    fn a_point_lands_where_opencv_puts_it() {
        let q = project(&camera(), [40.0, 20.0, 0.0]).unwrap();
        assert_eq!(q, [500.0, 250.0, 400.0]);
        let mut bent = camera();
        bent.distortion = [0.1, -0.05, 0.01, 0.02, 0.003];
        let q = project(&bent, [40.0, 20.0, 0.0]).unwrap();
        // u = 0.1, v = -0.05, r2 = 0.0125
        let radial = 1.0 + 0.1 * 0.0125 - 0.05 * 0.0125_f64.powi(2) + 0.003 * 0.0125_f64.powi(3);
        let u = 0.1 * radial + 2.0 * 0.01 * 0.1 * -0.05 + 0.02 * (0.0125 + 2.0 * 0.01);
        assert!((q[0] - (1000.0 * u + 400.0)).abs() < 1e-9);
        assert!(project(&camera(), [0.0, 0.0, 500.0]).is_none());
    }

    #[test]
    fn the_raster_is_no_coarser_than_photographs_or_relief() {
        let levels = |width, height| Levels {
            width,
            height,
            levels: vec![],
        };
        assert_eq!(raster_px(1000, None), [1000, 1000]);
        assert_eq!(raster_px(1000, Some(&levels(600, 800))), [1000, 1000]);
        assert_eq!(raster_px(1000, Some(&levels(900, 2000))), [1000, 2000]);
        assert_eq!(raster_px(100, Some(&levels(16_000, 64))), [8192, 512]);
    }

    #[test]
    fn a_photograph_of_a_sheet_comes_back_as_the_sheet() {
        let mesh = Mesh::sheet(100.0, 80.0);
        let (w, h) = (800, 600);
        let mut samples = vec![0_u8; 3 * w * h];
        for i in 0..w * h {
            samples[3 * i] = (i % w / 4) as u8;
            samples[3 * i + 1] = (i / w / 4) as u8;
        }
        let pixels = Pixels {
            width: w,
            height: h,
            grey: false,
            chroma_step: None,
            samples: Samples::Eight(samples),
        };
        let camera = camera();
        let view = View::new(&mesh, &camera, &pixels);
        let atlas = whole_atlas(&mesh, 200).unwrap();
        let (picture, seen) = blend(&atlas, Light::White, &[view]);
        let at = |x: usize, y: usize| y * atlas.width + x;
        // The middle of pixel (100, 100): x = 50.25 mm, y = 39.8 mm.
        let i = at(100, 100);
        assert!(seen[i]);
        let c = picture.srgb(i);
        let (px, py) = (400.0 + 2.5 * 50.25, 300.0 - 2.5 * 39.8);
        assert!((f64::from(c[0]) * 255.0 - px / 4.0).abs() < 0.6);
        assert!((f64::from(c[1]) * 255.0 - py / 4.0).abs() < 0.6);
    }

    #[test]
    fn a_hidden_sheet_is_not_seen() {
        let mut mesh = Mesh::sheet(100.0, 80.0);
        let front = mesh.clone();
        mesh.positions
            .extend(front.positions.iter().map(|p| [p[0], p[1], 30.0]));
        mesh.triangles
            .extend(front.triangles.iter().map(|t| t.map(|i| i + 4)));
        mesh.uvs = mesh.uvs.iter().map(|u| [u[0] * 0.5, u[1]]).collect();
        mesh.uvs
            .extend(front.uvs.iter().map(|u| [0.5 + u[0] * 0.5, u[1]]));
        mesh.uv_triangles
            .extend(front.uv_triangles.iter().map(|t| t.map(|i| i + 4)));
        let pixels = Pixels {
            width: 800,
            height: 600,
            grey: true,
            chroma_step: None,
            samples: Samples::Eight(vec![90; 3 * 800 * 600]),
        };
        let camera = camera();
        let view = View::new(&mesh, &camera, &pixels);
        let atlas = whole_atlas(&mesh, 128).unwrap();
        let (_, seen) = blend(&atlas, Light::White, &[view]);
        let share = |from: usize| {
            let n = (20..108)
                .flat_map(|y| (from + 12..from + 52).map(move |x| y * 128 + x))
                .filter(|&i| seen[i])
                .count();
            n as f64 / (88.0 * 40.0)
        };
        assert!(
            share(0) < 0.05 && share(64) > 0.95,
            "{} {}",
            share(0),
            share(64)
        );
    }
}
