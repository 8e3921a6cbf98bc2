//! Why a bundle is refused.

use thiserror::Error;

/// A refusal of a bundle, or a source that could not be read ([`ScanError::is_refusal`]
/// tells them apart). No text holds the value of a manifest field that could be about
/// a person: fields are named, values are described.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are named by what they hold
pub enum ScanError {
    /// The place the bundle lies in failed, not the bundle.
    #[error("{file} cannot be read: {reason}")]
    Source { file: String, reason: String },

    /// Neither a folder nor a zip archive.
    #[error("neither a folder nor a zip archive")]
    NotABundle,
    /// The archive's structure is broken.
    #[error("the archive is broken: {reason}")]
    ArchiveBroken { reason: &'static str },
    /// An entry's data is broken.
    #[error("{file} in the archive is broken: {reason}")]
    ArchiveEntryBroken { file: String, reason: &'static str },
    /// An entry is encrypted.
    #[error("{file} in the archive is encrypted")]
    Encrypted { file: String },
    /// An entry is neither stored nor deflated.
    #[error("{file} is packed with method {got}; stored (0) and deflated (8) are accepted")]
    Compression { file: String, got: u16 },
    /// A symbolic link.
    #[error("{file} is a symbolic link")]
    Symlink { file: String },
    /// A folder in the bundle.
    #[error("{file} is a folder or lies in one; all files lie at the bundle's root")]
    Nested { file: String },
    /// A device, pipe or socket.
    #[error("{file} is not a regular file")]
    NotAFile { file: String },
    /// A name that is not a plain file name.
    #[error("the file name {file:?} {reason}")]
    BadName { file: String, reason: &'static str },
    /// A name twice.
    #[error("{file} is in the bundle twice")]
    DuplicateName { file: String },
    /// Two names that differ in case alone.
    #[error("{file} and {other} differ in upper and lower case alone")]
    CaseCollision { file: String, other: String },

    /// Over the limit of files.
    #[error("{got} files; at most {limit} are accepted")]
    TooManyFiles { limit: u64, got: u64 },
    /// Over the limit of uploaded bytes.
    #[error("{got_bytes} bytes packed; at most {limit_bytes} are accepted")]
    PackedTooLarge { limit_bytes: u64, got_bytes: u64 },
    /// Over the limit of unpacked bytes.
    #[error("{got_bytes} bytes unpacked; at most {limit_bytes} are accepted")]
    UnpackedTooLarge { limit_bytes: u64, got_bytes: u64 },
    /// A file holds more than it declares.
    #[error("{file} holds more than the {declared_bytes} bytes it declares")]
    LongerThanDeclared { file: String, declared_bytes: u64 },
    /// Over the limit of pixels.
    #[error("{file} has {width} x {height} pixels; at most {limit} are accepted")]
    TooManyPixels {
        file: String,
        width: u64,
        height: u64,
        limit: u64,
    },
    /// Over the limit of triangles.
    #[error("{file} has {got} triangles or more; at most {limit} are accepted")]
    TooManyTriangles { file: String, limit: u64, got: u64 },
    /// Over the manifest's limit.
    #[error("manifest.json has {got_bytes} bytes; at most {limit_bytes} are accepted")]
    ManifestTooLarge { limit_bytes: u64, got_bytes: u64 },

    /// No manifest.
    #[error("manifest.json is missing")]
    ManifestMissing,
    /// Not JSON.
    #[error("manifest.json is not valid JSON at line {line}, column {column}")]
    ManifestSyntax { line: usize, column: usize },
    /// A field outside the contract: the bundle is refused and deleted, because such
    /// data is not processed.
    #[error("manifest.json has the field {field}, which the contract does not name")]
    UnknownField { field: String },
    /// A required field is not there.
    #[error("manifest.json lacks {field}")]
    MissingField { field: String },
    /// A field twice.
    #[error("manifest.json has {field} twice")]
    DuplicateField { field: String },
    /// A field with a value outside the contract.
    #[error("{field} in manifest.json must be {expected}; got {got}")]
    BadField {
        field: String,
        expected: String,
        got: String,
    },
    /// A field that another field rules out.
    #[error("{field} in manifest.json is given, but {reason}")]
    MisplacedField { field: String, reason: &'static str },
    /// Neither a picture nor a mesh.
    #[error("the bundle has neither a picture nor a mesh")]
    NothingToAnalyse,
    /// The ids in the object's key are not the manifest's.
    #[error("{field} is {got} in manifest.json and {expected} in the key")]
    IdMismatch {
        field: &'static str,
        expected: String,
        got: String,
    },

    /// A picture, mesh or relief file that `files` does not list.
    #[error("{field} names {file}, which files does not list")]
    NotListed { field: String, file: String },
    /// A file under two fields.
    #[error("{field} names {file}, and so does {other}")]
    UsedTwice {
        field: String,
        file: String,
        other: String,
    },
    /// A listed file is not in the bundle.
    #[error("{file} is listed in files but missing from the bundle")]
    FileMissing { file: String },
    /// A file of the bundle is not listed.
    #[error("{file} is in the bundle but not listed in files")]
    FileExtra { file: String },
    /// Another size than listed.
    #[error("{file} has {got_bytes} bytes; files says {expected_bytes}")]
    SizeMismatch {
        file: String,
        expected_bytes: u64,
        got_bytes: u64,
    },
    /// Another hash than listed.
    #[error("{file} has the SHA-256 {got}; files says {expected}")]
    HashMismatch {
        file: String,
        expected: String,
        got: String,
    },
    /// The same picture under two lights: a known device fault.
    #[error("{file} and {other} are the same picture under different lights")]
    SamePictureTwoLights { file: String, other: String },

    /// Neither JPEG nor PNG.
    #[error("{file} is neither JPEG nor PNG")]
    PictureFormat { file: String },
    /// A picture without pixels.
    #[error("{file} has {width} x {height} pixels")]
    PictureEmpty {
        file: String,
        width: u64,
        height: u64,
    },
    /// A broken or unsupported picture.
    #[error("{file} cannot be decoded: {reason}")]
    PictureBroken { file: String, reason: String },
    /// A broken or unsuitable colour profile.
    #[error("the colour profile of {file} cannot be used: {reason}")]
    ProfileBroken { file: String, reason: String },
    /// A height map with colour or with too few bits.
    #[error("the relief {file} must be a grey picture of 8 or 16 bits; it is {got}")]
    ReliefFormat { file: String, got: String },

    /// Neither OBJ, PLY, GLB nor glTF by its name.
    #[error("the mesh {file} must end in .obj, .ply, .glb or .gltf")]
    MeshFormat { file: String },
    /// A mesh without triangles.
    #[error("the mesh {file} has no triangles")]
    MeshEmpty { file: String },
    /// A fault in a text mesh.
    #[error("{file}, line {line}: {reason}")]
    MeshLine {
        file: String,
        line: usize,
        reason: String,
    },
    /// A fault in a mesh.
    #[error("{file}: {reason}")]
    MeshBroken { file: String, reason: String },
    /// An index without a point.
    #[error("{file} names {what} {index}, but there are {count}")]
    MeshIndex {
        file: String,
        what: &'static str,
        index: i64,
        count: u64,
    },
    /// A coordinate that is not a finite number within reach.
    #[error("{file}: {what} {index} is not a finite number of at most {limit}")]
    MeshNotFinite {
        file: String,
        what: &'static str,
        index: u64,
        limit: f64,
    },
    /// A feature of the format that is not accepted.
    #[error("{file} needs {feature}, which is not supported")]
    MeshFeature { file: String, feature: String },
    /// A reference out of the bundle.
    #[error("{file} refers to {uri}, which is not a file of the bundle")]
    MeshForeign { file: String, uri: String },
    /// Pictures in texture space, but no atlas.
    #[error("{field} lies in texture space, but the mesh {file} has no atlas")]
    NoAtlas { field: String, file: String },
}

impl ScanError {
    /// Whether the bundle is at fault. Otherwise its source failed, and another try can
    /// succeed.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Source { .. })
    }

    /// A stable name of the variant for machines, such as `unknown_field`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source { .. } => "source",
            Self::NotABundle => "not_a_bundle",
            Self::ArchiveBroken { .. } => "archive_broken",
            Self::ArchiveEntryBroken { .. } => "archive_entry_broken",
            Self::Encrypted { .. } => "encrypted",
            Self::Compression { .. } => "compression",
            Self::Symlink { .. } => "symlink",
            Self::Nested { .. } => "nested",
            Self::NotAFile { .. } => "not_a_file",
            Self::BadName { .. } => "bad_name",
            Self::DuplicateName { .. } => "duplicate_name",
            Self::CaseCollision { .. } => "case_collision",
            Self::TooManyFiles { .. } => "too_many_files",
            Self::PackedTooLarge { .. } => "packed_too_large",
            Self::UnpackedTooLarge { .. } => "unpacked_too_large",
            Self::LongerThanDeclared { .. } => "longer_than_declared",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::TooManyTriangles { .. } => "too_many_triangles",
            Self::ManifestTooLarge { .. } => "manifest_too_large",
            Self::ManifestMissing => "manifest_missing",
            Self::ManifestSyntax { .. } => "manifest_syntax",
            Self::UnknownField { .. } => "unknown_field",
            Self::MissingField { .. } => "missing_field",
            Self::DuplicateField { .. } => "duplicate_field",
            Self::BadField { .. } => "bad_field",
            Self::MisplacedField { .. } => "misplaced_field",
            Self::NothingToAnalyse => "nothing_to_analyse",
            Self::IdMismatch { .. } => "id_mismatch",
            Self::NotListed { .. } => "not_listed",
            Self::UsedTwice { .. } => "used_twice",
            Self::FileMissing { .. } => "file_missing",
            Self::FileExtra { .. } => "file_extra",
            Self::SizeMismatch { .. } => "size_mismatch",
            Self::HashMismatch { .. } => "hash_mismatch",
            Self::SamePictureTwoLights { .. } => "same_picture_two_lights",
            Self::PictureFormat { .. } => "picture_format",
            Self::PictureEmpty { .. } => "picture_empty",
            Self::PictureBroken { .. } => "picture_broken",
            Self::ProfileBroken { .. } => "profile_broken",
            Self::ReliefFormat { .. } => "relief_format",
            Self::MeshFormat { .. } => "mesh_format",
            Self::MeshEmpty { .. } => "mesh_empty",
            Self::MeshLine { .. } => "mesh_line",
            Self::MeshBroken { .. } => "mesh_broken",
            Self::MeshIndex { .. } => "mesh_index",
            Self::MeshNotFinite { .. } => "mesh_not_finite",
            Self::MeshFeature { .. } => "mesh_feature",
            Self::MeshForeign { .. } => "mesh_foreign",
            Self::NoAtlas { .. } => "no_atlas",
        }
    }

    /// The manifest field or the file at fault, where there is one.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::UnknownField { field }
            | Self::MissingField { field }
            | Self::DuplicateField { field }
            | Self::BadField { field, .. }
            | Self::MisplacedField { field, .. }
            | Self::NotListed { field, .. }
            | Self::UsedTwice { field, .. }
            | Self::NoAtlas { field, .. } => Some(field),
            Self::IdMismatch { field, .. } => Some(field),
            Self::Source { file, .. }
            | Self::ArchiveEntryBroken { file, .. }
            | Self::Encrypted { file }
            | Self::Compression { file, .. }
            | Self::Symlink { file }
            | Self::Nested { file }
            | Self::NotAFile { file }
            | Self::BadName { file, .. }
            | Self::DuplicateName { file }
            | Self::CaseCollision { file, .. }
            | Self::LongerThanDeclared { file, .. }
            | Self::TooManyPixels { file, .. }
            | Self::TooManyTriangles { file, .. }
            | Self::FileMissing { file }
            | Self::FileExtra { file }
            | Self::SizeMismatch { file, .. }
            | Self::HashMismatch { file, .. }
            | Self::SamePictureTwoLights { file, .. }
            | Self::PictureFormat { file }
            | Self::PictureEmpty { file, .. }
            | Self::PictureBroken { file, .. }
            | Self::ProfileBroken { file, .. }
            | Self::ReliefFormat { file, .. }
            | Self::MeshFormat { file }
            | Self::MeshEmpty { file }
            | Self::MeshLine { file, .. }
            | Self::MeshBroken { file, .. }
            | Self::MeshIndex { file, .. }
            | Self::MeshNotFinite { file, .. }
            | Self::MeshFeature { file, .. }
            | Self::MeshForeign { file, .. } => Some(file),
            Self::ManifestTooLarge { .. } | Self::ManifestMissing | Self::ManifestSyntax { .. } => {
                Some(crate::MANIFEST_NAME)
            }
            Self::NotABundle
            | Self::ArchiveBroken { .. }
            | Self::TooManyFiles { .. }
            | Self::PackedTooLarge { .. }
            | Self::UnpackedTooLarge { .. }
            | Self::NothingToAnalyse => None,
        }
    }
}
