//! One file out of a gzipped tar archive (POSIX ustar), all that `npm pack` needs.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::models::ModelError;

const BLOCK: usize = 512;
/// The package unpacks to 17 MB; more than this is not it.
const LIMIT_BYTES: u64 = 64 << 20;

/// The bytes of the file called `name`.
pub(crate) fn file(tgz: &[u8], name: &str) -> Result<Vec<u8>, ModelError> {
    let fault = |reason: String| ModelError::Package { reason };
    let mut tar = vec![];
    GzDecoder::new(tgz)
        .take(LIMIT_BYTES)
        .read_to_end(&mut tar)
        .map_err(|e| fault(e.to_string()))?;
    let mut at = 0;
    while let Some(header) = tar.get(at..at + BLOCK) {
        if header.iter().all(|&b| b == 0) {
            break;
        }
        let size = octal(&header[124..136])
            .ok_or_else(|| fault(format!("the header at byte {at} has no size")))?;
        let start = at + BLOCK;
        if text(&header[..100]) == name {
            return tar
                .get(start..start + size)
                .map(<[u8]>::to_vec)
                .ok_or_else(|| fault(format!("{name} is cut short")));
        }
        at = start + size.div_ceil(BLOCK) * BLOCK;
    }
    Err(fault(format!("{name} is not in it")))
}

fn text(field: &[u8]) -> &str {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    std::str::from_utf8(&field[..end]).unwrap_or_default()
}

fn octal(field: &[u8]) -> Option<usize> {
    usize::from_str_radix(text(field).trim(), 8)
        .ok()
        .filter(|&n| n as u64 <= LIMIT_BYTES)
}
