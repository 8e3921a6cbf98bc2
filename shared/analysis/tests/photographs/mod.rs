//! Scans as cameras around them take them.

use dermalia_scan::manifest::{Camera, ImageEntry, Space};
use dermalia_scan::{Limits, Picture, Pixels, Samples, Scan};
use dermalia_surface::{Mesh, NO_TRIANGLE, Vec3, rasterize_view};

/// From the middle of the surface to each camera.
const DISTANCE_MM: f64 = 450.0;
/// Around the surface in a photograph, because its border fades out.
const MARGIN_PX: f64 = 80.0;

/// The scan with a photograph from each of `degrees` (to the side) in place of every picture
/// of its atlas, with pixels of `mm_per_px` at the middle of the surface.
pub(crate) fn photographed(scan: &Scan, mm_per_px: f64, degrees: &[f64]) -> Scan {
    let mesh = scan.mesh.as_ref().unwrap();
    let mut out = scan.clone();
    out.manifest.images.clear();
    out.pictures.clear();
    for (entry, picture) in scan.manifest.images.iter().zip(&scan.pictures) {
        let texture = picture.decode(&Limits::default()).unwrap();
        for angle in degrees {
            let (camera, size) = camera(mesh, mm_per_px, angle.to_radians());
            let file = format!("{angle}_{}", entry.file);
            let rgb = photograph(mesh, &texture, &camera, size);
            let picture = Picture::new(file.clone(), png(&rgb, size)).unwrap();
            out.pictures.push(picture);
            out.manifest.images.push(ImageEntry {
                file,
                space: Space::Camera,
                camera: Some(camera),
                ..entry.clone()
            });
        }
    }
    out
}

/// A camera to the side of the surface's middle that looks at it, and its width and height.
fn camera(mesh: &Mesh, mm_per_px: f64, angle: f64) -> (Camera, [usize; 2]) {
    let (sin, cos) = (libm::sin(angle), libm::cos(angle));
    let axes = [[cos, 0.0, -sin], [0.0, -1.0, 0.0], [-sin, 0.0, -cos]];
    // The program takes the mean of the points for the middle, too.
    let n = mesh.positions.len() as f64;
    let middle = [0, 1, 2].map(|k| {
        let sum: f64 = mesh.positions.iter().map(|p| f64::from(p[k])).sum();
        sum / n
    });
    let turned = |p: [f64; 3]| axes.map(|a| (0..3).map(|k| a[k] * (p[k] - middle[k])).sum::<f64>());
    let f = DISTANCE_MM / mm_per_px;
    let reach = mesh.positions.iter().fold([0.0_f64; 2], |reach, p| {
        let [x, y, z] = turned(p.map(f64::from));
        let seen = f / (DISTANCE_MM + z);
        [reach[0].max(x.abs() * seen), reach[1].max(y.abs() * seen)]
    });
    let [cx, cy] = reach.map(|r| r.ceil() + MARGIN_PX);
    let shift = turned([0.0; 3]);
    let row = |k: usize| {
        let [a, b, c] = axes[k];
        [a, b, c, shift[k] + if k == 2 { DISTANCE_MM } else { 0.0 }]
    };
    let mut camera_from_mesh = [0.0; 16];
    for k in 0..3 {
        camera_from_mesh[4 * k..4 * k + 4].copy_from_slice(&row(k));
    }
    camera_from_mesh[15] = 1.0;
    let camera = Camera {
        fx: f,
        fy: f,
        cx,
        cy,
        camera_from_mesh,
        distortion: [0.0; 5],
    };
    (camera, [cx, cy].map(|c| 2 * c as usize))
}

/// What the camera sees; beside the surface its mean colour, which makes no edge.
fn photograph(mesh: &Mesh, texture: &Pixels, camera: &Camera, [w, h]: [usize; 2]) -> Vec<u8> {
    let m = &camera.camera_from_mesh;
    let view = rasterize_view(mesh, w, h, |p: Vec3| {
        let p = p.map(f64::from);
        let [x, y, z] =
            [0, 4, 8].map(|r| m[r] * p[0] + m[r + 1] * p[1] + m[r + 2] * p[2] + m[r + 3]);
        let at = [
            camera.fx * x / z + camera.cx,
            camera.fy * y / z + camera.cy,
            z,
        ];
        Some(at.map(|v| v as f32))
    });
    let colours: Vec<Option<[f64; 3]>> = view
        .fragments
        .iter()
        .map(|fragment| {
            let corners = (fragment.triangle != NO_TRIANGLE)
                .then(|| mesh.uv_triangles[fragment.triangle as usize])?;
            let weights = fragment.weights().map(f64::from);
            let [u, v] = [0, 1].map(|k| {
                let corner = |c: usize| f64::from(mesh.uvs[corners[c] as usize][k]);
                (0..3).map(|c| weights[c] * corner(c)).sum::<f64>()
            });
            Some(between(texture, u, 1.0 - v))
        })
        .collect();
    let seen = colours.iter().flatten();
    let n = seen.clone().count() as f64;
    let mean = [0, 1, 2].map(|c| seen.clone().map(|p| p[c]).sum::<f64>() / n);
    let levels = colours.iter().flat_map(|c| c.unwrap_or(mean));
    levels.map(|l| (l + 0.5) as u8).collect()
}

/// Levels between the pixels of a picture, whose sides are 1 long.
fn between(texture: &Pixels, x: f64, y: f64) -> [f64; 3] {
    let Samples::Eight(levels) = &texture.samples else {
        unreachable!("phantoms have 8 bits")
    };
    let tap = |t: f64, size: usize| {
        let t = (t * size as f64 - 0.5).clamp(0.0, (size - 1) as f64);
        let first = t as usize;
        (first, (first + 1).min(size - 1), t - first as f64)
    };
    let ((x0, x1, tx), (y0, y1, ty)) = (tap(x, texture.width), tap(y, texture.height));
    [0, 1, 2].map(|c| {
        let at = |x: usize, y: usize| f64::from(levels[3 * (y * texture.width + x) + c]);
        let top = at(x0, y0) + tx * (at(x1, y0) - at(x0, y0));
        let bottom = at(x0, y1) + tx * (at(x1, y1) - at(x0, y1));
        top + ty * (bottom - top)
    })
}

fn png(rgb: &[u8], [w, h]: [usize; 2]) -> Vec<u8> {
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, w as u32, h as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(rgb).unwrap();
    writer.finish().unwrap();
    bytes
}
