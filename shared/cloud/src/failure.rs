//! What a failed call to AWS means for the caller: try again, or never.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use dermalia_record::port::PortError;

/// Error codes that pass, beside every status of 500 and above.
const PASSING: [&str; 16] = [
    "ConditionalRequestConflict",
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalError",
    "InternalServerError",
    "KmsThrottled",
    "LimitExceededException",
    "OperationAborted",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TransactionInProgressException",
];

/// The port's error for a failed call. Only the error's code is told: a message may quote
/// what was sent.
pub(crate) fn failure<E>(
    port: &'static str,
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> PortError
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or("no code");
            let detail = format!("{code} (status {status})");
            if status >= 500 || status == 429 || PASSING.contains(&code) {
                PortError::retry(port, operation, detail)
            } else {
                PortError::permanent(port, operation, detail)
            }
        }
        SdkError::ConstructionFailure(_) => {
            PortError::permanent(port, operation, "the request could not be built")
        }
        SdkError::TimeoutError(_) => PortError::retry(port, operation, "no answer in time"),
        SdkError::DispatchFailure(_) => PortError::retry(port, operation, "no connection"),
        SdkError::ResponseError(_) => {
            PortError::retry(port, operation, "the answer could not be read")
        }
        _ => PortError::retry(port, operation, "an unknown failure"),
    }
}

/// Whether the service answered with this code.
pub(crate) fn is_code<E>(error: &SdkError<E, HttpResponse>, codes: &[&str]) -> bool
where
    E: ProvideErrorMetadata,
{
    matches!(error, SdkError::ServiceError(service)
        if service.err().code().is_some_and(|code| codes.contains(&code)))
}

/// Whether the service answered with this status.
pub(crate) fn is_status<E>(error: &SdkError<E, HttpResponse>, status: u16) -> bool {
    matches!(error, SdkError::ServiceError(service) if service.raw().status().as_u16() == status)
}
