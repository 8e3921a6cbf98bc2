//! What all signed requests to S3 have in common.

use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use data_encoding::{BASE64, HEXLOWER};
use dermalia_record::port::PortError;

use crate::objects::PORT;

/// How long a signed request can be made.
pub const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
pub(crate) const PRESIGN: &str = "presign";

/// A request by its URL and the headers that must come with it.
pub type Presigned = (String, Vec<(String, String)>);

fn bad(detail: &str) -> PortError {
    PortError::permanent(PORT, PRESIGN, detail)
}

pub(crate) fn for_a_while() -> Result<PresigningConfig, PortError> {
    PresigningConfig::expires_in(SIGNED_FOR).map_err(|_| bad("validity"))
}

pub(crate) fn stated_length(bytes: u64) -> Result<i64, PortError> {
    i64::try_from(bytes).map_err(|_| bad("expected a smaller file"))
}

/// A SHA-256 in hex as S3 takes it.
pub(crate) fn checksum(sha256: &str) -> Result<String, PortError> {
    let digest = HEXLOWER.decode(sha256.as_bytes());
    let digest = digest.map_err(|_| bad("expected a SHA-256 in hex"))?;
    Ok(BASE64.encode(&digest))
}

pub(crate) fn as_sent(signed: &PresignedRequest) -> Presigned {
    let headers = signed
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    (signed.uri().to_owned(), headers.collect())
}
