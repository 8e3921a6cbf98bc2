//! The manifest of `dermalia.scan/1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema identifier of this version of the contract.
pub const SCHEMA: &str = "dermalia.scan/1";

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
    pub schema: String,
    /// The device's identifier of the scan.
    pub scan_id: String,
    /// Which practice made it.
    pub practice_id: String,
    /// RFC 3339 with an offset; retention is counted from it.
    pub captured_at: String,
    /// What captured it.
    pub device: Device,
    /// Who it is, as far as the patient wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<Patient>,
    /// An earlier scan of the same patient at the same practice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    pub maker: String,
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
}

/// All that is accepted about the patient.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Patient {
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Where the link goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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
pub struct ImageEntry {
    /// Name in the bundle.
    pub file: String,
    /// Under which light.
    pub light: Light,
    /// Where it lies.
    pub space: Space,
    /// A name of the view, such as `front` or `left`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// With `camera` space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// With `photo` space, where the scale is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mm_per_px: Option<f64>,
}

/// A pinhole camera, `OpenCV` convention: x right, y down, z forward, in pixels and
/// millimetres.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Camera {
    pub fx: f64,
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
    pub scheme: String,
    /// In `MediaPipe` Face Mesh order.
    pub points: Vec<[f64; 3]>,
}

/// A value that the device measured itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceValue {
    /// `wrinkles`, `pores`, `pigmentation`, `redness` or `hydration`.
    pub parameter: String,
    /// A region of the contract.
    pub region: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// What measured it.
    pub instrument: String,
}

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct FileEntry {
    pub name: String,
    pub bytes: u64,
    /// Lower-case hex.
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
