//! The manifest of `dermalia.scan/1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema identifier of this version of the contract.
pub const SCHEMA: &str = "dermalia.scan/1";

/// Longest text of a device's name, a first name, a unit, an instrument.
pub const MAX_TEXT_CHARS: usize = 128;

const SCAN_ID_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$";
const PRACTICE_ID_PATTERN: &str = "^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$";
const LOCALE_PATTERN: &str = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$";

/// The rules between fields that types cannot say: a camera with `camera` space alone,
/// a scale with `photo` space alone.
fn image_rules() -> serde_json::Value {
    serde_json::json!([
        {
            "if": { "properties": { "space": { "const": "camera" } } },
            "then": { "required": ["camera"], "properties": { "camera": { "type": "object" } } },
            "else": { "properties": { "camera": { "type": "null" } } }
        },
        {
            "if": { "properties": { "space": { "const": "photo" } } },
            "else": { "properties": { "mm_per_px": { "type": "null" } } }
        }
    ])
}

/// The one scheme of landmarks.
pub const LANDMARK_SCHEME: &str = "mediapipe-468";

/// How many landmarks that scheme has.
pub const LANDMARK_COUNT: usize = 468;

/// What a device can have measured itself.
pub const DEVICE_PARAMETERS: [&str; 5] =
    ["wrinkles", "pores", "pigmentation", "redness", "hydration"];

/// The regions of the contract; `face` is their union.
pub const REGIONS: [&str; 14] = [
    "forehead",
    "glabella",
    "crows_feet_left",
    "crows_feet_right",
    "under_eye_left",
    "under_eye_right",
    "nose",
    "cheek_left",
    "cheek_right",
    "nasolabial_left",
    "nasolabial_right",
    "perioral",
    "chin",
    "face",
];

/// `manifest.json`. A field that is not named here refuses the bundle.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// The device's identifier of the scan.
    #[schemars(regex(pattern = SCAN_ID_PATTERN))]
    pub scan_id: String,
    /// Which practice made it.
    #[schemars(regex(pattern = PRACTICE_ID_PATTERN))]
    pub practice_id: String,
    /// RFC 3339 with an offset; retention is counted from it.
    #[schemars(extend("format" = "date-time"))]
    pub captured_at: String,
    /// What captured it.
    pub device: Device,
    /// Who it is, as far as the patient wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<Patient>,
    /// An earlier scan of the same patient at the same practice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = SCAN_ID_PATTERN))]
    pub previous_scan_id: Option<String>,
    /// How it was captured.
    #[serde(default)]
    pub capture: Capture,
    /// The surface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshEntry>,
    /// The pictures.
    pub images: Vec<ImageEntry>,
    /// The height map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relief: Option<ReliefEntry>,
    /// The face's landmarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landmarks: Option<LandmarksEntry>,
    /// What the device measured itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_values: Vec<DeviceValue>,
    /// Every other file of the bundle.
    pub files: Vec<FileEntry>,
}

/// The device that captured the scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Device {
    #[schemars(length(min = 1, max = MAX_TEXT_CHARS))]
    pub maker: String,
    #[schemars(length(min = 1, max = MAX_TEXT_CHARS))]
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_TEXT_CHARS))]
    pub firmware: Option<String>,
}

/// All that is accepted about the patient.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Patient {
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_TEXT_CHARS))]
    pub first_name: Option<String>,
    /// Where the link goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(email, length(max = 254))]
    pub email: Option<String>,
    /// BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = LOCALE_PATTERN))]
    pub locale: Option<String>,
}

/// How the scan was captured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// What lies on the skin.
    #[serde(default)]
    pub skin: SkinState,
}

/// What lies on the skin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SkinState {
    Clean,
    MakeUp,
    #[default]
    Unknown,
}

/// The surface's file and its frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeshEntry {
    /// Name in the bundle.
    pub file: String,
    /// Unit of the file's coordinates.
    pub unit: Unit,
    /// The axis that points out of the face.
    pub front: Axis,
    /// The axis that points up.
    pub up: Axis,
}

/// A unit of length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Unit {
    Mm,
    Cm,
    M,
}

/// A signed axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Axis {
    #[serde(rename = "+x")]
    PlusX,
    #[serde(rename = "-x")]
    MinusX,
    #[serde(rename = "+y")]
    PlusY,
    #[serde(rename = "-y")]
    MinusY,
    #[serde(rename = "+z")]
    PlusZ,
    #[serde(rename = "-z")]
    MinusZ,
}

/// The light a picture was taken under.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Light {
    White,
    ParallelPolarised,
    CrossPolarised,
    Uv,
    Wood,
    Nir,
}

/// Where a picture lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// In the mesh's UV atlas.
    Texture,
    /// Seen by a pinhole camera.
    Camera,
    /// Unregistered.
    Photo,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("allOf" = image_rules()))]
pub struct ImageEntry {
    /// Name in the bundle.
    pub file: String,
    /// Under which light.
    pub light: Light,
    /// Where it lies.
    pub space: Space,
    /// A name of the view, such as `front` or `left`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_TEXT_CHARS))]
    pub view: Option<String>,
    /// With `camera` space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// With `photo` space, where the scale is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub mm_per_px: Option<f64>,
}

/// A pinhole camera, `OpenCV` convention: x right, y down, z forward, in pixels and
/// millimetres.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Camera {
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub fx: f64,
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub fy: f64,
    pub cx: f64,
    pub cy: f64,
    /// Row-major; from the mesh's own axes, in millimetres.
    pub camera_from_mesh: [f64; 16],
    /// k1 k2 p1 p2 k3
    #[serde(default)]
    pub distortion: [f64; 5],
}

/// The height map's file and scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ReliefEntry {
    pub file: String,
    pub space: Space,
    pub mm_per_level: f64,
    pub zero_level: f64,
}

/// 468 points in mesh units and axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LandmarksEntry {
    /// Always `mediapipe-468`.
    #[schemars(extend("const" = LANDMARK_SCHEME))]
    pub scheme: String,
    /// In `MediaPipe` Face Mesh order.
    #[schemars(length(equal = LANDMARK_COUNT))]
    pub points: Vec<[f64; 3]>,
}

/// A value that the device measured itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceValue {
    /// `wrinkles`, `pores`, `pigmentation`, `redness` or `hydration`.
    #[schemars(extend("enum" = DEVICE_PARAMETERS))]
    pub parameter: String,
    /// A region of the contract.
    #[schemars(extend("enum" = REGIONS))]
    pub region: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    #[schemars(length(min = 1, max = MAX_TEXT_CHARS))]
    pub unit: String,
    /// What measured it.
    #[schemars(length(min = 1, max = MAX_TEXT_CHARS))]
    pub instrument: String,
}

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct FileEntry {
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    pub bytes: u64,
    /// Lower-case hex.
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub sha256: String,
}

/// Personal data stays out of every log, so only its presence shows.
impl std::fmt::Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |given: bool| if given { "given" } else { "none" };
        f.debug_struct("Patient")
            .field("first_name", &shown(self.first_name.is_some()))
            .field("email", &shown(self.email.is_some()))
            .field("locale", &self.locale)
            .finish()
    }
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("scan_id", &self.scan_id)
            .field("practice_id", &self.practice_id)
            .field("captured_at", &self.captured_at)
            .field("device", &self.device)
            .field("patient", &self.patient)
            .field("images", &self.images.len())
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl Axis {
    /// 0 for x, 1 for y, 2 for z.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::PlusX | Self::MinusX => 0,
            Self::PlusY | Self::MinusY => 1,
            Self::PlusZ | Self::MinusZ => 2,
        }
    }

    /// The unit vector.
    #[must_use]
    pub fn vector(self) -> [f32; 3] {
        let mut vector = [0.0; 3];
        vector[self.index()] = match self {
            Self::PlusX | Self::PlusY | Self::PlusZ => 1.0,
            Self::MinusX | Self::MinusY | Self::MinusZ => -1.0,
        };
        vector
    }
}

impl std::fmt::Display for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PlusX => "+x",
            Self::MinusX => "-x",
            Self::PlusY => "+y",
            Self::MinusY => "-y",
            Self::PlusZ => "+z",
            Self::MinusZ => "-z",
        })
    }
}
