use dermalia_surface::{Mesh, NO_TRIANGLE, Vec3, ViewRaster, norm, normalize, rasterize_view, sub};

use crate::LandmarkError;
use crate::attention::{POINTS, square_around};
use crate::find::{LEAST_PRESENCE, Models, find_on_picture, look_once, settle};
use crate::picture::{Pyramid, RgbView};
use crate::polygons::FACE_OVAL;

/// Landmarks on a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshLandmarks {
    /// 478 points on the surface in millimetres; the first 468 are the face.
    pub points_mm: Vec<Vec3>,
    /// The least certain view's certainty that there is a face, from 0 to 1.
    pub presence: f32,
    /// How far the views disagree: the median distance of a view's inner points from
    /// their median over the views.
    pub spread_mm: f32,
    /// Whether the face is right only with the texture turned upside down: then its v runs
    /// down, and whoever reads the texture must turn it (the points are found with it turned).
    pub texture_upside_down: bool,
}

/// Pixels a side of a rendered view.
const VIEW_PX: usize = 640;
/// Degrees to the side and upward from where the face is first looked for.
const FIRST_VIEWS: [[f32; 2]; 3] = [[0.0, 0.0], [0.0, 15.0], [0.0, -15.0]];
/// Degrees to the side and upward of the views whose median counts.
const VIEWS: [[f32; 2]; 9] = [
    [0.0, 0.0],
    [-9.0, 0.0],
    [9.0, 0.0],
    [0.0, -8.0],
    [0.0, 8.0],
    [-6.0, -6.0],
    [6.0, -6.0],
    [-6.0, 6.0],
    [6.0, 6.0],
];
/// Part of a view that the face fills.
const FACE_SHARE: f32 = 0.6;
/// Share of the light that does not depend on the direction.
const AMBIENT: f32 = 0.45;
/// Points that lie closer together than this share of a view agree.
const NEAR_SHARE: f32 = 0.02;
const BACKGROUND: u8 = 64;
/// Colour of a scan without a texture.
const CLAY: [f32; 3] = [205.0, 165.0, 145.0];

/// Finds the face on a mesh (front +z, up +y) by rendering it and looking at the pictures.
/// The texture lies in the mesh's atlas.
///
/// # Errors
/// Only a fault of the models; a mesh without a face, or with a wrong front, is `None`.
pub fn find_on_mesh(
    mesh: &Mesh,
    texture: Option<&RgbView<'_>>,
) -> Result<Option<MeshLandmarks>, LandmarkError> {
    let Some(mut scene) = Scene::new(mesh, texture) else {
        return Ok(None);
    };
    let found = find(&scene)?;
    if scene.texture.is_none() {
        return Ok(found);
    }
    scene.upside_down = true;
    match found {
        Some(face) if upside_down(&mut scene, &face.points_mm)? => {
            scene.upside_down = true;
            Ok(Some(find(&scene)?.unwrap_or(face).turned()))
        }
        Some(face) => Ok(Some(face)),
        // A turned texture can hide the face altogether.
        None => {
            let Some(face) = find(&scene)? else {
                return Ok(None);
            };
            let turned = upside_down(&mut scene, &face.points_mm)?;
            Ok(turned.then(|| face.turned()))
        }
    }
}

impl MeshLandmarks {
    fn turned(self) -> Self {
        Self {
            texture_upside_down: true,
            ..self
        }
    }
}

fn find(scene: &Scene<'_>) -> Result<Option<MeshLandmarks>, LandmarkError> {
    for first in FIRST_VIEWS {
        let camera = scene.whole(first);
        let raster = scene.raster(&camera);
        let rgb = scene.paint(&camera, &raster, AMBIENT);
        let picture = RgbView::new(VIEW_PX, VIEW_PX, &rgb)?;
        let Some(found) = find_on_picture(&picture)? else {
            continue;
        };
        let Some(points) = on_surface(&camera, &raster, &found.points_px) else {
            continue;
        };
        if let Some(face) = around(scene, first, points)? {
            return Ok(Some(face));
        }
    }
    Ok(None)
}

/// Whether the texture alone, without shading, shows a face at these points only when it
/// is turned upside down. Shading alone makes a face of any texture.
fn upside_down(scene: &mut Scene<'_>, points: &[Vec3]) -> Result<bool, LandmarkError> {
    let models = Models::get()?;
    let camera = Camera::close([0.0, 0.0], points);
    let raster = scene.raster(&camera);
    let expected: Vec<[f32; 3]> = points.iter().map(|&p| camera.project(p)).collect();
    let mut looks = [(0.0, 0.0); 2];
    for (look, turned) in looks.iter_mut().zip([false, true]) {
        scene.upside_down = turned;
        let rgb = scene.paint(&camera, &raster, 1.0);
        let picture = Pyramid::new(RgbView::new(VIEW_PX, VIEW_PX, &rgb)?);
        let found = look_once(models, &picture, square_around(&expected))?;
        let distances = found
            .points_px
            .iter()
            .zip(&expected)
            .map(|(a, b)| norm(sub([a[0], a[1], 0.0], [b[0], b[1], 0.0])))
            .collect();
        *look = (found.presence, median(distances) / VIEW_PX as f32);
    }
    scene.upside_down = false;
    let [(presence, off), (presence_turned, off_turned)] = looks;
    Ok(presence_turned >= LEAST_PRESENCE
        && off_turned < NEAR_SHARE
        && (presence < 0.5 || off_turned < 0.5 * off))
}

/// Looks at the found face closely from all views.
fn around(
    scene: &Scene<'_>,
    first: [f32; 2],
    mut points: Vec<Vec3>,
) -> Result<Option<MeshLandmarks>, LandmarkError> {
    let models = Models::get()?;
    let mut views: Vec<Vec<Vec3>> = vec![];
    let mut presence = 1.0_f32;
    for [side, up] in VIEWS {
        let camera = Camera::close([first[0] + side, first[1] + up], &points);
        let raster = scene.raster(&camera);
        let rgb = scene.paint(&camera, &raster, AMBIENT);
        let picture = RgbView::new(VIEW_PX, VIEW_PX, &rgb)?;
        let seen: Vec<[f32; 3]> = points.iter().map(|&p| camera.project(p)).collect();
        let look = settle(models, &Pyramid::new(picture), square_around(&seen))?;
        if look.presence < LEAST_PRESENCE {
            continue;
        }
        let Some(placed) = on_surface(&camera, &raster, &look.points_px) else {
            continue;
        };
        presence = presence.min(look.presence);
        if views.is_empty() {
            points.clone_from(&placed);
        }
        views.push(placed);
    }
    // One view may fail where hair or a border is in the way, but not most of them.
    if views.len() < 2 * VIEWS.len() / 3 {
        return Ok(None);
    }
    let points_mm: Vec<Vec3> = (0..POINTS)
        .map(|i| [0, 1, 2].map(|k| median(views.iter().map(|v| v[i][k]).collect())))
        .collect();
    let inner = (0..crate::FACE_POINTS).filter(|i| !FACE_OVAL.contains(i));
    let distances = inner
        .flat_map(|i| views.iter().map(move |v| (i, v[i])))
        .map(|(i, p)| norm(sub(p, points_mm[i])))
        .collect();
    let spread_mm = median(distances);
    Ok(plausible(&points_mm).then_some(MeshLandmarks {
        points_mm,
        presence,
        spread_mm,
        texture_upside_down: false,
    }))
}

/// Whether points can be those of a face in this frame: chin below, patient's left at +x.
/// The size is not judged, since a wrong unit is for the reader of the mesh to refuse.
fn plausible(points: &[Vec3]) -> bool {
    let (height, width) = (sub(points[10], points[152]), sub(points[454], points[234]));
    let ratio = norm(height) / norm(width).max(f32::MIN_POSITIVE);
    height[1] > 0.5 * norm(height) && width[0] > 0.5 * norm(width) && (0.6..2.5).contains(&ratio)
}

fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    let n = values.len();
    match n {
        0 => 0.0,
        _ if n % 2 == 1 => values[n / 2],
        _ => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// A parallel projection.
struct Camera {
    /// Right, up and towards the viewer, as unit vectors.
    axes: [Vec3; 3],
    /// What lies in the middle of the view.
    centre: Vec3,
    px_per_mm: f32,
}

impl Camera {
    /// From a viewer `degrees` to the patient's left and above.
    fn new(degrees: [f32; 2], centre: Vec3, extent_mm: f32) -> Self {
        let [side, up] = degrees.map(|d| d * (std::f32::consts::PI / 180.0));
        let (sy, cy, sp, cp) = (
            libm::sinf(side),
            libm::cosf(side),
            libm::sinf(up),
            libm::cosf(up),
        );
        Self {
            axes: [
                [cy, 0.0, -sy],
                [-sy * sp, cp, -cy * sp],
                [sy * cp, sp, cy * cp],
            ],
            centre,
            px_per_mm: VIEW_PX as f32 / extent_mm,
        }
    }

    /// Around a face.
    fn close(degrees: [f32; 2], points: &[Vec3]) -> Self {
        let mut low = [f32::INFINITY; 3];
        let mut high = [f32::NEG_INFINITY; 3];
        for p in points {
            for k in 0..3 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        let extent = (high[0] - low[0]).max(high[1] - low[1]) / FACE_SHARE;
        let centre = [0, 1, 2].map(|k| (low[k] + high[k]) / 2.0);
        Self::new(degrees, centre, extent.max(f32::MIN_POSITIVE))
    }

    fn project(&self, p: Vec3) -> [f32; 3] {
        let d = sub(p, self.centre);
        let [x, y, z] = self.axes.map(|a| a[0] * d[0] + a[1] * d[1] + a[2] * d[2]);
        let half = VIEW_PX as f32 / 2.0;
        [half + x * self.px_per_mm, half - y * self.px_per_mm, -z]
    }

    fn back(&self, x_px: f32, y_px: f32, depth: f32) -> Vec3 {
        let half = VIEW_PX as f32 / 2.0;
        let v = [
            (x_px - half) / self.px_per_mm,
            (half - y_px) / self.px_per_mm,
            -depth,
        ];
        [0, 1, 2].map(|k| {
            self.centre[k]
                + v[0] * self.axes[0][k]
                + v[1] * self.axes[1][k]
                + v[2] * self.axes[2][k]
        })
    }
}

/// The points of a view on the surface. Where the view shows no surface at a point (beyond
/// the outline, or a hole in the scan), the model's own depth places it.
fn on_surface(camera: &Camera, raster: &ViewRaster, points_px: &[[f32; 3]]) -> Option<Vec<Vec3>> {
    let depths: Vec<Option<f32>> = points_px.iter().map(|p| depth_at(raster, p)).collect();
    let model = |p: &[f32; 3]| p[2] / camera.px_per_mm;
    let offsets: Vec<f32> = points_px
        .iter()
        .zip(&depths)
        .filter_map(|(p, d)| Some((*d)? - model(p)))
        .collect();
    // Most of a face must be there.
    if offsets.len() < 2 * points_px.len() / 3 {
        return None;
    }
    let offset = median(offsets);
    // A depth far from the model's is not the face's: an ear, a shoulder, the inside of the head.
    let face_mm = FACE_SHARE * VIEW_PX as f32 / camera.px_per_mm;
    Some(
        points_px
            .iter()
            .zip(&depths)
            .map(|(p, depth)| {
                let expected = model(p) + offset;
                let depth = depth.filter(|d| (d - expected).abs() < 0.25 * face_mm);
                camera.back(p[0], p[1], depth.unwrap_or(expected))
            })
            .collect(),
    )
}

/// The depth of the surface at a place of the view, between the pixels around it that lie
/// on the same piece of surface as the nearest one.
fn depth_at(raster: &ViewRaster, p: &[f32; 3]) -> Option<f32> {
    let get = |x: i64, y: i64| {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        if x >= raster.width || y >= raster.height {
            return None;
        }
        let f = &raster.fragments[y * raster.width + x];
        (f.triangle != NO_TRIANGLE).then_some(f.depth)
    };
    let nearest = get(p[0].floor() as i64, p[1].floor() as i64)?;
    let (x, y) = (p[0] - 0.5, p[1] - 0.5);
    let (x0, y0) = (x.floor(), y.floor());
    let (fx, fy) = (x - x0, y - y0);
    let (mut sum, mut weights) = (0.0, 0.0);
    for (dx, dy, w) in [
        (0, 0, (1.0 - fx) * (1.0 - fy)),
        (1, 0, fx * (1.0 - fy)),
        (0, 1, (1.0 - fx) * fy),
        (1, 1, fx * fy),
    ] {
        if let Some(depth) = get(x0 as i64 + dx, y0 as i64 + dy)
            && (depth - nearest).abs() < 2.0
        {
            sum += depth * w;
            weights += w;
        }
    }
    Some(if weights > 0.0 {
        sum / weights
    } else {
        nearest
    })
}

/// A mesh ready to be rendered.
struct Scene<'a> {
    mesh: &'a Mesh,
    texture: Option<Pyramid<'a>>,
    /// Whether the texture's v runs down.
    upside_down: bool,
    normals: Vec<Vec3>,
    /// Texture pixels a millimetre.
    texels_per_mm: f32,
    centre: Vec3,
    extent_mm: f32,
}

impl<'a> Scene<'a> {
    /// `None` for a mesh without extent.
    fn new(mesh: &'a Mesh, texture: Option<&RgbView<'a>>) -> Option<Self> {
        let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
        for p in mesh
            .triangles
            .iter()
            .flatten()
            .map(|&i| mesh.positions[i as usize])
        {
            for k in 0..3 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        let extent_mm = (high[0] - low[0]).max(high[1] - low[1]) * 1.05;
        if !(extent_mm > 0.0 && extent_mm.is_finite()) {
            return None;
        }
        let texture = texture
            .filter(|_| mesh.has_atlas())
            .map(|t| Pyramid::new(*t));
        let texels_per_mm = texture
            .as_ref()
            .map_or(1.0, |t| texels_per_mm(mesh, &t.full()));
        Some(Self {
            mesh,
            texture,
            upside_down: false,
            normals: mesh.vertex_normals(),
            texels_per_mm,
            centre: [0, 1, 2].map(|k| (low[k] + high[k]) / 2.0),
            extent_mm,
        })
    }

    /// The whole mesh from one direction.
    fn whole(&self, degrees: [f32; 2]) -> Camera {
        Camera::new(degrees, self.centre, self.extent_mm)
    }

    fn raster(&self, camera: &Camera) -> ViewRaster {
        rasterize_view(self.mesh, VIEW_PX, VIEW_PX, |p| Some(camera.project(p)))
    }

    /// A shaded picture, mildly so: flat colours misplace the nose.
    fn paint(&self, camera: &Camera, raster: &ViewRaster, ambient: f32) -> Vec<u8> {
        let light = normalize([0.25, 0.45, 0.86]);
        let step = self.texels_per_mm / camera.px_per_mm;
        let mut rgb = vec![BACKGROUND; VIEW_PX * VIEW_PX * 3];
        for (f, out) in raster.fragments.iter().zip(rgb.chunks_exact_mut(3)) {
            if f.triangle == NO_TRIANGLE {
                continue;
            }
            let (t, w) = (f.triangle as usize, f.weights());
            let mix = |k: usize| {
                (0..3)
                    .map(|c| self.normals[self.mesh.triangles[t][c] as usize][k] * w[c])
                    .sum::<f32>()
            };
            let normal = normalize([mix(0), mix(1), mix(2)]);
            let towards: f32 = (0..3)
                .map(|k| {
                    let l: f32 = (0..3).map(|c| light[c] * camera.axes[c][k]).sum();
                    normal[k] * l
                })
                .sum();
            let shade = ambient + (1.05 - ambient).max(0.0) * towards.max(0.0);
            let colour = self.texture.as_ref().map_or(CLAY, |texture| {
                let uv = self.mesh.uv_corners(t);
                let [u, v] = [0, 1].map(|k| (0..3).map(|c| uv[c][k] * w[c]).sum::<f32>());
                let full = texture.full();
                let down = if self.upside_down { v } else { 1.0 - v };
                texture.sample(u * full.width() as f32, down * full.height() as f32, step)
            });
            for k in 0..3 {
                out[k] = (colour[k] * shade).clamp(0.0, 255.0) as u8;
            }
        }
        rgb
    }
}

/// From the areas of all triangles in the texture and in space.
fn texels_per_mm(mesh: &Mesh, texture: &RgbView<'_>) -> f32 {
    let (mut texels, mut mm2) = (0.0_f64, 0.0_f64);
    for t in 0..mesh.triangles.len() {
        let [a, b, c] = mesh.uv_corners(t);
        let double = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        texels += 0.5 * f64::from(double.abs());
        mm2 += f64::from(mesh.area_mm2(t));
    }
    texels *= (texture.width() * texture.height()) as f64;
    if mm2 > 0.0 && texels > 0.0 {
        (texels / mm2).sqrt() as f32
    } else {
        1.0
    }
}
