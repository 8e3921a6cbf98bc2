//! Whether what a scan says of itself can be so.

use dermalia_scan::manifest::{MeshEntry, Unit};
use dermalia_scan::{Scan, ScanError};
use dermalia_surface::{Mesh, Vec3, add, cross, dot, norm, normalize, scale, sub};

/// From a patch of 5 mm to the whole skin of an adult.
const AREA_CM2: [f64; 2] = [0.25, 20_000.0];
/// From the chin to the top of the forehead: half of a newborn's, and twice of an adult's.
const FACE_MM: [f32; 2] = [50.0, 400.0];
/// Landmarks in one place are no face of any size.
const LEAST_FACE_MM: f32 = 10.0;
/// A nose's tip lies a sixth of the face before the plane of eyes and chin; flat landmarks
/// have none.
const LEAST_NOSE: f32 = 0.05;
/// A head is turned by less than 60° from the axes that the manifest names.
const LEAST_ALONG: f32 = 0.5;
/// The atlas of a scan mirrors nothing, some made by hand one half.
const MOST_MIRRORED: f64 = 0.55;
const MOST_OUTSIDE: f64 = 0.01;
/// Rounded coordinates may lie so far outside.
const BORDER: f32 = 1e-3;

const FOREHEAD: usize = 10;
const CHIN: usize = 152;
const NOSE: usize = 1;
/// Outer corners, right and left of the patient.
const EYES: [usize; 2] = [33, 263];

/// Refuses a scan whose surface or landmarks cannot be those of a person in its unit and axes.
pub(crate) fn check(scan: &Scan) -> Result<(), ScanError> {
    let (Some(mesh), Some(entry)) = (&scan.mesh, &scan.manifest.mesh) else {
        return Ok(());
    };
    check_area(mesh, entry)?;
    let landmarks = scan.landmarks.as_ref();
    landmarks.map_or(Ok(()), |points| check_landmarks(points, mesh, entry))
}

fn bad(field: &str, expected: String, got: String) -> ScanError {
    ScanError::BadField {
        field: field.to_owned(),
        expected,
        got,
    }
}

const fn unit(entry: &MeshEntry) -> &'static str {
    match entry.unit {
        Unit::Mm => "mm",
        Unit::Cm => "cm",
        Unit::M => "m",
    }
}

fn check_area(mesh: &Mesh, entry: &MeshEntry) -> Result<(), ScanError> {
    let triangles = 0..mesh.triangles.len();
    let mm2: f64 = triangles.map(|t| f64::from(mesh.area_mm2(t))).sum();
    let cm2 = mm2 / 100.0;
    let [least, most] = AREA_CM2;
    if (least..=most).contains(&cm2) {
        return Ok(());
    }
    let digits = if cm2 < 1.0 { 6 } else { 0 };
    Err(bad(
        "mesh.unit",
        format!("the unit of a mesh with a surface of {least} to {most} cm2"),
        format!("{}, in which it has {cm2:.digits$} cm2", unit(entry)),
    ))
}

fn check_landmarks(points: &[Vec3], mesh: &Mesh, entry: &MeshEntry) -> Result<(), ScanError> {
    let at = |i: usize| points.get(i).copied().unwrap_or_default();
    let upward = sub(at(FOREHEAD), at(CHIN));
    let tall = norm(upward);
    if tall.is_nan() || tall < LEAST_FACE_MM {
        // Whoever draws the regions tells.
        return Ok(());
    }
    let [least, most] = FACE_MM;
    if !(least..=most).contains(&tall) {
        return Err(bad(
            "landmarks.points",
            format!("those of a face of {least} to {most} mm from chin to forehead, in mesh.unit"),
            format!("{tall:.0} mm, the unit being {}", unit(entry)),
        ));
    }
    let [right, left] = EYES.map(at);
    let ahead = normalize(cross(sub(left, right), upward));
    let plane = scale(add(add(right, left), at(CHIN)), 1.0 / 3.0);
    if dot(sub(at(NOSE), plane), ahead) < -LEAST_NOSE * tall {
        return Err(bad(
            "landmarks.points",
            "those of a face with the patient's right eye at 33 and the left one at 263".to_owned(),
            "a mirrored face, whose nose points inward".to_owned(),
        ));
    }
    for (field, named, direction, axis) in [
        ("mesh.front", entry.front, ahead, [0.0, 0.0, 1.0]),
        ("mesh.up", entry.up, normalize(upward), [0.0, 1.0, 0.0]),
    ] {
        if norm(direction) > 0.0 && dot(direction, axis) < LEAST_ALONG {
            return Err(bad(
                field,
                format!(
                    "an axis within 60 degrees of that of the landmarks' face ({})",
                    nearest_axis(mesh.to_source(direction))
                ),
                named.to_string(),
            ));
        }
    }
    Ok(())
}

fn nearest_axis(direction: [f64; 3]) -> String {
    let longest = (0..3).max_by(|a, b| direction[*a].abs().total_cmp(&direction[*b].abs()));
    let k = longest.unwrap_or_default();
    let sign = if direction[k] < 0.0 { '-' } else { '+' };
    format!("{sign}{}", ['x', 'y', 'z'][k])
}

/// How the surface lies in its atlas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Layout {
    /// The share of it that the atlas shows mirrored.
    mirrored: f64,
    /// The share of it that lies outside of the pictures.
    outside: f64,
}

impl Layout {
    pub(crate) fn of(mesh: &Mesh) -> Self {
        let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
        for p in &mesh.positions {
            for k in 0..3 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        // Seen from here every surface that faces the front is seen from inside.
        let size = norm(sub(high, low));
        let behind = sub(scale(add(low, high), 0.5), [0.0, 0.0, size]);
        let [mut all, mut mirrored, mut outside, mut outward] = [0.0_f64; 4];
        for t in 0..mesh.triangles.len() {
            let normal = mesh.area_normal(t);
            let area = f64::from(norm(normal));
            let [a, b, c] = mesh.uv_corners(t);
            let turn = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
            let is_inside = |v: &f32| (-BORDER..=1.0 + BORDER).contains(v);
            all += area;
            mirrored += if turn < 0.0 { area } else { 0.0 };
            outside += f64::from(u8::from(![a, b, c].as_flattened().iter().all(is_inside))) * area;
            outward += f64::from(dot(normal, sub(mesh.corners(t)[0], behind)));
        }
        // Corners that run clockwise.
        if outward < 0.0 {
            mirrored = all - mirrored;
        }
        let all = all.max(f64::MIN_POSITIVE);
        Self {
            mirrored: mirrored / all,
            outside: outside / all,
        }
    }

    /// Whether one direction of the atlas may run the wrong way.
    pub(crate) fn is_mirrored(self) -> bool {
        self.mirrored > MOST_MIRRORED
    }

    /// A sentence on a mirrored atlas that nothing explains.
    pub(crate) fn mirrored_warning(self) -> Option<String> {
        self.is_mirrored().then(|| {
            format!(
                "{:.0} % of the surface is mirrored in the atlas: u or v may run against the format, and all places may be wrong",
                100.0 * self.mirrored
            )
        })
    }

    /// A sentence on what lies outside of the pictures.
    pub(crate) fn outside_warning(self) -> Option<String> {
        (self.outside > MOST_OUTSIDE).then(|| {
            format!(
                "{:.0} % of the surface lies outside of the pictures, beyond 0 to 1 of the atlas, and is not measured",
                100.0 * self.outside
            )
        })
    }
}
