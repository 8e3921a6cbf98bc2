use crate::ScanError;

/// What a bundle may cost. Every limit is enforced before the memory is spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Files beside the manifest.
    pub files: usize,
    /// All files together, unpacked.
    pub unpacked_bytes: u64,
    /// The archive, or the objects of a folder, as uploaded.
    pub packed_bytes: u64,
    /// Pixels of one picture.
    pub pixels: u64,
    /// Triangles of the mesh.
    pub triangles: usize,
    /// The manifest.
    pub manifest_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            files: 512,
            unpacked_bytes: 512 * MIB,
            packed_bytes: 256 * MIB,
            pixels: 64_000_000,
            triangles: 5_000_000,
            manifest_bytes: MIB,
        }
    }
}

impl Limits {
    /// Checks the names and sizes of a bundle's files before any of them is read: what
    /// a cloud handler does with a listing of objects.
    ///
    /// # Errors
    /// Too many files, too many bytes, or a name that is not a plain file name.
    pub fn check_listing<'a>(
        &self,
        entries: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Result<(), ScanError> {
        let (mut files, mut total) = (0_usize, 0_u64);
        for (name, bytes) in entries {
            crate::name::check(name)?;
            if name == crate::MANIFEST_NAME {
                if bytes > self.manifest_bytes {
                    return Err(ScanError::ManifestTooLarge {
                        limit_bytes: self.manifest_bytes,
                        got_bytes: bytes,
                    });
                }
            } else {
                files += 1;
            }
            total = total.saturating_add(bytes);
        }
        if files > self.files {
            return Err(ScanError::TooManyFiles {
                limit: self.files as u64,
                got: files as u64,
            });
        }
        if total > self.unpacked_bytes {
            return Err(ScanError::UnpackedTooLarge {
                limit_bytes: self.unpacked_bytes,
                got_bytes: total,
            });
        }
        Ok(())
    }

    pub(crate) fn check_pixels(
        &self,
        file: &str,
        width: u64,
        height: u64,
    ) -> Result<(), ScanError> {
        if width == 0 || height == 0 {
            return Err(ScanError::PictureEmpty {
                file: file.to_owned(),
                width,
                height,
            });
        }
        if width.saturating_mul(height) > self.pixels {
            return Err(ScanError::TooManyPixels {
                file: file.to_owned(),
                width,
                height,
                limit: self.pixels,
            });
        }
        Ok(())
    }
}
