//! The door of `dermalia serve`, as the function `upload` has it in the cloud: `POST
//! /upload` takes an offer under a practice's credential and answers with signed requests.
//!
//! What they are signed with lives as long as the process: after a restart the same offer
//! gives new ones.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body as HttpBody;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use data_encoding::HEXLOWER;
use dermalia_record::port::PortError;
use dermalia_record::{Clock, ScanKey};
use dermalia_scan::Limits;
use dermalia_upload::door::{Door, DoorError, MAX_OFFER_BYTES, Offer, SignedRequest, Signer};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sha2::Sha256;

use super::http::{CHECKSUM_HEADER, Refusal, SILENCE, json_response};
use super::local::Local;

/// What a signed request's path begins with, instead of the objects' own prefix.
const UPLOADS: &str = "/upload/";
const INCOMING: &str = "incoming/";
/// As long as in the cloud.
const SIGNED_FOR_SECS: i64 = 900;
/// What stays as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The door, and what recognises the requests that it has signed.
pub(super) struct Gate {
    door: Door,
    seal: Arc<Seal>,
}

/// Signs requests to this server.
struct Seal {
    key: [u8; 32],
    clock: Arc<dyn Clock>,
}

impl Seal {
    fn mac(&self, key: &str, bytes: u64, sha256: &str, expires_secs: i64) -> Hmac<Sha256> {
        // HMAC fills a key with zeros up to its block; so nothing can be refused.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        // No key has a line end.
        mac.update(format!("{key}\n{bytes}\n{sha256}\n{expires_secs}").as_bytes());
        mac
    }

    /// Whether a query is the signature of this write, and not too old.
    fn has_signed(&self, query: &str, key: &str, bytes: u64, sha256: &str) -> bool {
        let value = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let (Some(expires), Some(signature)) = (value("expires"), value("signature")) else {
            return false;
        };
        let (Ok(expires_secs), Ok(signature)) = (
            expires.parse::<i64>(),
            HEXLOWER.decode(signature.as_bytes()),
        ) else {
            return false;
        };
        let mac = self.mac(key, bytes, sha256, expires_secs);
        mac.verify_slice(&signature).is_ok() && self.clock.now_secs() < expires_secs
    }
}

#[async_trait]
impl Signer for Seal {
    async fn sign(&self, key: &str, bytes: u64, sha256: &str) -> Result<SignedRequest, PortError> {
        let expires_secs = self.clock.now_secs().saturating_add(SIGNED_FOR_SECS);
        let mac = self.mac(key, bytes, sha256, expires_secs).finalize();
        let signature = HEXLOWER.encode(&mac.into_bytes());
        let path = key.strip_prefix(INCOMING).unwrap_or(key);
        let path = utf8_percent_encode(path, PATH);
        Ok(SignedRequest {
            url: format!("{UPLOADS}{path}?expires={expires_secs}&signature={signature}"),
            headers: vec![
                ("content-length".to_owned(), bytes.to_string()),
                (CHECKSUM_HEADER.to_owned(), sha256.to_owned()),
            ],
        })
    }
}

impl Gate {
    /// Over the stores of this data folder.
    pub(super) fn new(local: &Local, limits: &Limits) -> anyhow::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let seal = Arc::new(Seal {
            key,
            clock: Arc::clone(&local.ports.clock),
        });
        let door = Door {
            practices: Arc::clone(&local.ports.practices),
            objects: Arc::clone(&local.ports.objects),
            signer: Arc::<Seal>::clone(&seal),
            limits: limits.clone(),
        };
        Ok(Self { door, seal })
    }

    /// Answers an offer.
    pub(super) async fn answer(&self, request: Request<HttpBody>) -> Response<HttpBody> {
        match self.places(request).await {
            Ok(response) => response,
            Err(refusal) => {
                let mut response = refusal.into_response();
                let headers = response.headers_mut();
                if headers.contains_key(header::ALLOW) {
                    headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
                }
                response
            }
        }
    }

    async fn places(&self, request: Request<HttpBody>) -> Result<Response<HttpBody>, Refusal> {
        let (parts, body) = request.into_parts();
        if parts.method != Method::POST {
            let message = "expected POST".to_owned();
            return Err(Refusal::Status(StatusCode::METHOD_NOT_ALLOWED, message));
        }
        if parts.headers.contains_key(header::ORIGIN) {
            return Err(Refusal::web_page());
        }
        let credential = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let Some(credential) = credential else {
            return Err(Refusal::unauthorized("expected a credential"));
        };
        let body = Limited::new(body, MAX_OFFER_BYTES).collect();
        let body = match tokio::time::timeout(SILENCE, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            _ => return Err(Refusal::bad_request("the offer is too long or was cut off")),
        };
        let offer: Offer = serde_json::from_slice(&body)
            .map_err(|_| Refusal::bad_request("expected an offer as JSON"))?;
        match self.door.answer(credential, &offer).await {
            Ok(places) => Ok(json_response(StatusCode::OK, &json!({ "files": places }))),
            Err(error @ DoorError::Credential) => {
                tracing::warn!("a credential was not accepted");
                Err(Refusal::unauthorized(error))
            }
            Err(DoorError::Offer { reason }) => {
                Err(Refusal::Status(StatusCode::UNPROCESSABLE_ENTITY, reason))
            }
            Err(DoorError::Port(error)) => Err(Refusal::Upload(error.into())),
        }
    }

    /// Whether a file may be written as this object. Whoever is a practice here has a
    /// credential, and then nobody writes without a signature of the door.
    pub(super) async fn admit(
        &self,
        scan: &ScanKey,
        key: &str,
        parts: &Parts,
    ) -> Result<(), Refusal> {
        let header = |name: &str| parts.headers.get(name)?.to_str().ok();
        if let Some(query) = parts.uri.query() {
            let bytes = header("content-length").and_then(|length| length.parse().ok());
            let is_signed = bytes
                .zip(header(CHECKSUM_HEADER))
                .is_some_and(|(bytes, sha256)| self.seal.has_signed(query, key, bytes, sha256));
            if is_signed {
                return Ok(());
            }
            let message = "this request is not signed, or no longer: ask again".to_owned();
            return Err(Refusal::Status(StatusCode::FORBIDDEN, message));
        }
        let practice = self.door.practices.get(&scan.practice).await;
        if practice.map_err(|e| Refusal::Upload(e.into()))?.is_some() {
            return Err(Refusal::unauthorized(
                "this practice has a credential: ask for signed requests with POST /upload",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use dermalia_record::ManualClock;

    use super::*;

    #[tokio::test]
    async fn a_signature_is_for_one_object_one_size_one_checksum_and_a_while() {
        let clock = ManualClock::at_ms(1_000_000);
        let seal = Seal {
            key: [7; 32],
            clock: Arc::new(clock.clone()),
        };
        let key = "incoming/praxis-nord/SCAN-0001/weiß 1?.jpg";
        let request = seal.sign(key, 3, "ab").await.unwrap();
        let (path, query) = request.url.split_once('?').unwrap();
        assert_eq!(path, "/upload/praxis-nord/SCAN-0001/wei%C3%9F%201%3F.jpg");
        assert!(seal.has_signed(query, key, 3, "ab"));
        let other = key.replace("nord", "sued");
        assert!(!seal.has_signed(query, &other, 3, "ab"));
        assert!(!seal.has_signed(query, key, 4, "ab"));
        assert!(!seal.has_signed(query, key, 3, "ac"));
        let later = query.replace("expires=1900", "expires=1901");
        assert_ne!(later, query);
        assert!(!seal.has_signed(&later, key, 3, "ab"));
        for broken in ["", "expires=1900", "signature=00", "expires=x&signature=zz"] {
            assert!(!seal.has_signed(broken, key, 3, "ab"), "{broken}");
        }
        clock.advance_ms(899_000);
        assert!(seal.has_signed(query, key, 3, "ab"));
        clock.advance_ms(1_000);
        assert!(!seal.has_signed(query, key, 3, "ab"));
    }
}
