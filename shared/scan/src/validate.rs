//! The manifest's rules beyond its shape.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::IgnoredAny;

use crate::manifest::{
    Camera, DEVICE_PARAMETERS, DeviceValue, ImageEntry, LANDMARK_COUNT, LANDMARK_SCHEME,
    LandmarksEntry, MAX_TEXT_CHARS, Manifest, MeshEntry, Patient, REGIONS, ReliefEntry, SCHEMA,
    Space,
};
use crate::{Limits, MANIFEST_NAME, ScanError, name, scan};

/// How far a rotation read from rounded decimals may be from a rotation.
const RIGID_TOLERANCE: f64 = 1e-3;

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// The first rule it breaks, with the full path of the field.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ScanError> {
        if bytes.len() as u64 > limits.manifest_bytes {
            return Err(ScanError::ManifestTooLarge {
                limit_bytes: limits.manifest_bytes,
                got_bytes: bytes.len() as u64,
            });
        }
        // A byte order mark is common on Windows gateways.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let manifest: Self =
            serde_path_to_error::deserialize(&mut json).map_err(|e| shape_error(bytes, &e))?;
        json.end().map_err(|e| ScanError::ManifestSyntax {
            line: e.line(),
            column: e.column(),
        })?;
        manifest.check(limits)?;
        Ok(manifest)
    }

    /// Checks the rules of the contract on a manifest that was built, not read.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn check(&self, limits: &Limits) -> Result<(), ScanError> {
        if self.schema != SCHEMA {
            return Err(bad("schema", SCHEMA, &Text(&self.schema)));
        }
        scan_id("scan_id", &self.scan_id)?;
        if !is_practice_id(&self.practice_id) {
            return Err(bad(
                "practice_id",
                "[a-z0-9][a-z0-9-]{1,38}[a-z0-9]",
                &Text(&self.practice_id),
            ));
        }
        if timestamp(&self.captured_at).is_none() {
            return Err(bad(
                "captured_at",
                "an RFC 3339 time with an offset, such as 2026-05-14T09:31:00+02:00",
                &Text(&self.captured_at),
            ));
        }
        text("device.maker", &self.device.maker)?;
        text("device.model", &self.device.model)?;
        if let Some(firmware) = &self.device.firmware {
            text("device.firmware", firmware)?;
        }
        if let Some(patient) = &self.patient {
            check_patient(patient)?;
        }
        if let Some(previous) = &self.previous_scan_id {
            scan_id("previous_scan_id", previous)?;
            if *previous == self.scan_id {
                return Err(bad(
                    "previous_scan_id",
                    "another scan",
                    &"the id of this scan",
                ));
            }
        }
        if let Some(mesh) = &self.mesh {
            check_mesh(mesh)?;
        }
        if self.images.is_empty() && self.mesh.is_none() {
            return Err(ScanError::NothingToAnalyse);
        }
        for (i, image) in self.images.iter().enumerate() {
            check_image(&format!("images[{i}]"), image)?;
        }
        if let Some(relief) = &self.relief {
            check_relief(relief)?;
        }
        if let Some(landmarks) = &self.landmarks {
            check_landmarks(landmarks)?;
        }
        for (i, value) in self.device_values.iter().enumerate() {
            check_device_value(&format!("device_values[{i}]"), value)?;
        }
        self.check_files(limits)
    }

    fn check_files(&self, limits: &Limits) -> Result<(), ScanError> {
        for (i, file) in self.files.iter().enumerate() {
            if file.name == MANIFEST_NAME {
                return Err(bad(
                    &format!("files[{i}].name"),
                    "another file than the manifest itself",
                    &MANIFEST_NAME,
                ));
            }
            if file.sha256.len() != 64 || !file.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(bad(
                    &format!("files[{i}].sha256"),
                    "64 hexadecimal digits",
                    &Text(&file.sha256),
                ));
            }
        }
        scan::check_names(self.files.iter().map(|f| f.name.as_str()))?;
        limits.check_listing(self.files.iter().map(|f| (f.name.as_str(), f.bytes)))?;
        let hashes: HashMap<&str, String> = self
            .files
            .iter()
            .map(|f| (f.name.as_str(), f.sha256.to_ascii_lowercase()))
            .collect();
        let mut lights = HashMap::new();
        let mut used = HashMap::new();
        for (field, file) in self.named_files() {
            if !hashes.contains_key(file) {
                return Err(ScanError::NotListed {
                    field,
                    file: name::shown(file),
                });
            }
        }
        for image in &self.images {
            let hash = &hashes[image.file.as_str()];
            match lights.insert(hash, image) {
                Some(other) if other.light != image.light => {
                    return Err(ScanError::SamePictureTwoLights {
                        file: name::shown(&image.file),
                        other: name::shown(&other.file),
                    });
                }
                _ => {}
            }
        }
        for (field, file) in self.named_files() {
            if let Some(other) = used.insert(file, field.clone()) {
                return Err(ScanError::UsedTwice {
                    field,
                    file: name::shown(file),
                    other,
                });
            }
        }
        Ok(())
    }

    /// Every field that names a file, with that name.
    pub(crate) fn named_files(&self) -> impl Iterator<Item = (String, &str)> {
        let mesh = self
            .mesh
            .iter()
            .map(|m| ("mesh.file".into(), m.file.as_str()));
        let images = self
            .images
            .iter()
            .enumerate()
            .map(|(i, image)| (format!("images[{i}].file"), image.file.as_str()));
        let relief = self
            .relief
            .iter()
            .map(|r| ("relief.file".into(), r.file.as_str()));
        mesh.chain(images).chain(relief)
    }

    /// The time of capture.
    #[must_use]
    pub fn captured_at_timestamp(&self) -> Option<Timestamp> {
        timestamp(&self.captured_at)
    }

    /// Checks that the ids in an object's key are this manifest's.
    ///
    /// # Errors
    /// The first that differs.
    pub fn expect_ids(&self, practice_id: &str, scan_id: &str) -> Result<(), ScanError> {
        for (field, expected, got) in [
            ("practice_id", practice_id, &self.practice_id),
            ("scan_id", scan_id, &self.scan_id),
        ] {
            if expected != got {
                return Err(ScanError::IdMismatch {
                    field,
                    expected: name::shown(expected),
                    got: name::shown(got),
                });
            }
        }
        Ok(())
    }

    /// The manifest as it is uploaded.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Text keys and finite numbers alone: this cannot fail for a checked manifest,
        // and a number that is not finite becomes null, which no reader accepts.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

/// What a text was, without what it said: it could be about a person.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text of {} characters", self.0.chars().count())
    }
}

fn bad(field: &str, expected: &str, got: &dyn fmt::Display) -> ScanError {
    ScanError::BadField {
        field: field.into(),
        expected: expected.into(),
        got: got.to_string(),
    }
}

/// A fault in the shape of the JSON, with the field's path and without its value.
fn shape_error(bytes: &[u8], error: &serde_path_to_error::Error<serde_json::Error>) -> ScanError {
    let inner = error.inner();
    // The parser also calls a well-formed value of a wrong type, such as null for a
    // name, a fault of syntax.
    if !inner.is_data() && serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
        return ScanError::ManifestSyntax {
            line: inner.line(),
            column: inner.column(),
        };
    }
    let message = inner.to_string();
    let path = error.path().to_string();
    let quoted = |prefix: &str| {
        let rest = message.strip_prefix(prefix)?.strip_prefix('`')?;
        // A field's own name may hold a back quote: serde's list follows the last.
        let end = rest.rfind("`, expected").or_else(|| rest.find('`'))?;
        Some(rest[..end].to_owned())
    };
    // The path ends before the field or with it, by the kind of the fault.
    let full = |field: &str| {
        let field = name::shown(field);
        let parent = path
            .strip_suffix(field.as_str())
            .map_or(path.as_str(), |p| p.trim_end_matches('.'));
        if parent.is_empty() || parent == "." {
            field
        } else {
            format!("{}.{field}", name::shown(parent))
        }
    };
    if message.starts_with("unknown field ") {
        let field = quoted("unknown field ").unwrap_or_default();
        return ScanError::UnknownField {
            field: full(&field),
        };
    }
    if let Some(field) = quoted("missing field ") {
        return ScanError::MissingField {
            field: full(&field),
        };
    }
    if let Some(field) = quoted("duplicate field ") {
        return ScanError::DuplicateField {
            field: full(&field),
        };
    }
    // serde's text ends in what it expected; what comes before quotes the value.
    let expected = message
        .rsplit_once(", expected ")
        .map_or("of the contract's type", |(_, expected)| {
            expected.split(" at line ").next().unwrap_or(expected)
        });
    ScanError::BadField {
        field: if path == "." {
            "the manifest".into()
        } else {
            name::shown(&path)
        },
        expected: expected.into(),
        got: "something else".into(),
    }
}

/// Whether an id is a practice's: `[a-z0-9][a-z0-9-]{1,38}[a-z0-9]`.
#[must_use]
pub fn is_practice_id(id: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=40).contains(&id.len())
        && id.bytes().all(|b| inner(b) || b == b'-')
        && !id.starts_with('-')
        && !id.ends_with('-')
}

/// Whether an id is a scan's: `[A-Za-z0-9][A-Za-z0-9_-]{7,63}`.
#[must_use]
pub fn is_scan_id(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !id.starts_with(['-', '_'])
}

fn scan_id(field: &str, id: &str) -> Result<(), ScanError> {
    if is_scan_id(id) {
        return Ok(());
    }
    Err(bad(field, "[A-Za-z0-9][A-Za-z0-9_-]{7,63}", &Text(id)))
}

/// RFC 3339, which is narrower than what a parser of times takes.
fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = |pattern: &str, bytes: &[u8]| {
        pattern.len() == bytes.len()
            && pattern.bytes().zip(bytes).all(|(p, b)| match p {
                b'0' => b.is_ascii_digit(),
                b'T' => b.eq_ignore_ascii_case(&b'T'),
                b'+' => matches!(b, b'+' | b'-'),
                p => p == *b,
            })
    };
    let (head, rest) = bytes.split_at_checked(19)?;
    if !shape("0000-00-00T00:00:00", head) {
        return None;
    }
    let offset = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            &fraction[digits..]
        }
        None => rest,
    };
    if !matches!(offset, b"Z" | b"z") && !shape("+00:00", offset) {
        return None;
    }
    text.parse().ok()
}

/// A short, printable, non-empty text.
fn text(field: &str, value: &str) -> Result<(), ScanError> {
    let chars = value.chars().count();
    if value.trim().is_empty() || chars > MAX_TEXT_CHARS || value.chars().any(char::is_control) {
        return Err(bad(
            field,
            "a printable text of 1 to 128 characters",
            &Text(value),
        ));
    }
    Ok(())
}

fn check_patient(patient: &Patient) -> Result<(), ScanError> {
    if let Some(first_name) = &patient.first_name {
        text("patient.first_name", first_name)?;
    }
    if let Some(email) = &patient.email
        && !is_email(email)
    {
        return Err(bad("patient.email", "an e-mail address", &Text(email)));
    }
    if let Some(locale) = &patient.locale
        && !is_locale(locale)
    {
        return Err(bad(
            "patient.locale",
            "a BCP 47 language tag, such as de or en-GB",
            &Text(locale),
        ));
    }
    Ok(())
}

/// What could be delivered to, and nothing that could be read as a second address or
/// as another header.
fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return false;
    };
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"()<>[]:;,\\\"@".contains(c);
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    email.len() <= 254
        && (1..=64).contains(&local.len())
        && local.chars().all(plain)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// Well-formed in the sense of BCP 47: subtags of letters and digits, the language first.
fn is_locale(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let language = subtags.next().unwrap_or_default();
    tag.len() <= 35
        && (2..=8).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(|s| {
            (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric())
        })
        // A single letter announces more subtags.
        && tag.rsplit('-').next().is_some_and(|last| last.len() > 1)
}

fn check_mesh(mesh: &MeshEntry) -> Result<(), ScanError> {
    if mesh.front.index() == mesh.up.index() {
        return Err(bad(
            "mesh.up",
            "an axis at a right angle to mesh.front",
            &format!("{} with the front {}", mesh.up, mesh.front),
        ));
    }
    Ok(())
}

fn check_image(field: &str, image: &ImageEntry) -> Result<(), ScanError> {
    if let Some(view) = &image.view {
        text(&format!("{field}.view"), view)?;
    }
    match (&image.camera, image.space) {
        (Some(camera), Space::Camera) => check_camera(&format!("{field}.camera"), camera)?,
        (None, Space::Camera) => {
            return Err(ScanError::MissingField {
                field: format!("{field}.camera"),
            });
        }
        (Some(_), _) => {
            return Err(ScanError::MisplacedField {
                field: format!("{field}.camera"),
                reason: "the picture's space is not camera",
            });
        }
        (None, _) => {}
    }
    if let Some(scale) = image.mm_per_px {
        let field = format!("{field}.mm_per_px");
        if image.space != Space::Photo {
            return Err(ScanError::MisplacedField {
                field,
                reason: "the picture's space is not photo",
            });
        }
        if !(scale.is_finite() && scale > 0.0) {
            return Err(bad(&field, "a number above 0", &scale));
        }
    }
    Ok(())
}

fn check_camera(field: &str, camera: &Camera) -> Result<(), ScanError> {
    for (name, value) in [("fx", camera.fx), ("fy", camera.fy)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(bad(&format!("{field}.{name}"), "a number above 0", &value));
        }
    }
    for (name, value) in [("cx", camera.cx), ("cy", camera.cy)] {
        if !value.is_finite() {
            return Err(bad(&format!("{field}.{name}"), "a finite number", &value));
        }
    }
    if let Some(value) = camera.distortion.iter().find(|v| !v.is_finite()) {
        return Err(bad(&format!("{field}.distortion"), "finite numbers", value));
    }
    if let Some(fault) = rigid_fault(&camera.camera_from_mesh) {
        return Err(bad(
            &format!("{field}.camera_from_mesh"),
            "a rotation and a translation, with the last row 0 0 0 1",
            &fault,
        ));
    }
    Ok(())
}

/// Why a row-major matrix is not a rigid motion.
fn rigid_fault(m: &[f64; 16]) -> Option<&'static str> {
    if m.iter().any(|v| !v.is_finite()) {
        return Some("a number that is not finite");
    }
    if m[12..]
        .iter()
        .zip([0.0, 0.0, 0.0, 1.0])
        .any(|(v, e)| (v - e).abs() > 1e-9)
    {
        return Some("another last row");
    }
    let row = |i: usize| [m[4 * i], m[4 * i + 1], m[4 * i + 2]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    for i in 0..3 {
        for j in i..3 {
            let expected = if i == j { 1.0 } else { 0.0 };
            if (dot(row(i), row(j)) - expected).abs() > RIGID_TOLERANCE {
                return Some("rows that are not at right angles or not of length 1");
            }
        }
    }
    let [a, b, c] = [row(0), row(1), row(2)];
    let cross = [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ];
    (dot(cross, c) < 0.0).then_some("a reflection")
}

fn check_relief(relief: &ReliefEntry) -> Result<(), ScanError> {
    if relief.space == Space::Camera {
        return Err(bad("relief.space", "texture or photo", &"camera"));
    }
    if !relief.mm_per_level.is_finite() || relief.mm_per_level == 0.0 {
        return Err(bad(
            "relief.mm_per_level",
            "a finite number other than 0",
            &relief.mm_per_level,
        ));
    }
    if !relief.zero_level.is_finite() {
        return Err(bad(
            "relief.zero_level",
            "a finite number",
            &relief.zero_level,
        ));
    }
    Ok(())
}

fn check_landmarks(landmarks: &LandmarksEntry) -> Result<(), ScanError> {
    if landmarks.scheme != LANDMARK_SCHEME {
        return Err(bad(
            "landmarks.scheme",
            LANDMARK_SCHEME,
            &Text(&landmarks.scheme),
        ));
    }
    if landmarks.points.len() != LANDMARK_COUNT {
        return Err(bad(
            "landmarks.points",
            "468 points",
            &landmarks.points.len(),
        ));
    }
    // Beyond a kilometre in any unit, 32-bit floats lose the skin.
    if let Some(i) = landmarks
        .points
        .iter()
        .position(|p| p.iter().any(|c| !c.is_finite() || c.abs() > 1e6))
    {
        return Err(bad(
            &format!("landmarks.points[{i}]"),
            "finite numbers of at most 1e6",
            &"another number",
        ));
    }
    Ok(())
}

fn check_device_value(field: &str, value: &DeviceValue) -> Result<(), ScanError> {
    if !DEVICE_PARAMETERS.contains(&value.parameter.as_str()) {
        return Err(bad(
            &format!("{field}.parameter"),
            "wrinkles, pores, pigmentation, redness or hydration",
            &Text(&value.parameter),
        ));
    }
    if !REGIONS.contains(&value.region.as_str()) {
        return Err(bad(
            &format!("{field}.region"),
            "a region of the contract",
            &Text(&value.region),
        ));
    }
    if !value.value.is_finite() {
        return Err(bad(
            &format!("{field}.value"),
            "a finite number",
            &value.value,
        ));
    }
    text(&format!("{field}.unit"), &value.unit)?;
    text(&format!("{field}.instrument"), &value.instrument)
}
