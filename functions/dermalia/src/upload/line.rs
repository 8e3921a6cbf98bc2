//! The line to a service: the door, and the requests that it has signed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::body::{Bytes, HttpBody};
use dermalia_upload::door::{Offer, OfferedFile, Place, SignedRequest};
use http_body::{Frame, SizeHint};
use indicatif::ProgressBar;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url, header};
use serde::Deserialize;
use serde_json::json;

use crate::output::Failure;

/// How long the other end may take to take up a connection, and to say nothing.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);
/// How much is sent between two moves of the bar.
const CHUNK_BYTES: usize = 64 << 10;
/// How much of an error's text is read.
const MAX_ERROR_BYTES: usize = 4 << 10;

/// A line to one door.
#[derive(Clone)]
pub(super) struct Line {
    client: Client,
    door: Url,
    credential: String,
}

/// Why something was not done.
pub(super) enum Trouble {
    /// It may be done at the next try.
    Passing(String),
    /// It will not.
    Refused(Failure),
}

#[derive(Deserialize)]
struct Answer {
    files: Vec<Place>,
}

#[derive(Deserialize)]
struct Complaint {
    error: String,
}

impl Line {
    /// To the door at this address.
    pub(super) fn new(door: &str, credential: String) -> anyhow::Result<Self> {
        let door: Url = door.parse().context("--to: expected an address")?;
        let is_local = is_local(&door);
        if !is_safe(&door) {
            bail!("--to: expected https://…; without encryption, this machine alone");
        }
        let builder = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .user_agent(concat!("dermalia/", env!("CARGO_PKG_VERSION")));
        let builder = if is_local {
            builder.no_proxy()
        } else {
            builder
        };
        Ok(Self {
            client: builder.build().context("no connection can be made")?,
            door,
            credential,
        })
    }

    /// Asks the door what of an offer is there and how to send the rest.
    pub(super) async fn ask(&self, offer: &Offer) -> Result<Vec<Place>, Trouble> {
        let body = serde_json::to_vec(offer).map_err(|e| fault(anyhow!(e)))?;
        let request = self
            .client
            .post(self.door.clone())
            .bearer_auth(&self.credential)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        let answer = request.send().await.map_err(|e| passing(&e))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => {
                return Err(fault(anyhow!(
                    "the credential is not accepted for practice {}",
                    offer.practice
                )));
            }
            status @ (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) => {
                let message = complaint(answer, status).await;
                return Err(Trouble::Refused(Failure::Refused(json!({
                    "error": "refused",
                    "code": "offer",
                    "subject": null,
                    "message": message,
                }))));
            }
            status if may_pass(status) => return Err(Trouble::Passing(said(status))),
            status => {
                let what = "there is no door for uploads at this address";
                return Err(fault(anyhow!("{what}: {}", said(status))));
            }
        }
        let body = answer.bytes().await.map_err(|e| passing(&e))?;
        let places = serde_json::from_slice::<Answer>(&body).map(|answer| answer.files);
        match places {
            Ok(places) if places.len() == offer.files.len() => Ok(places),
            _ => Err(fault(anyhow!(
                "what answers at this address is no door for uploads"
            ))),
        }
    }

    /// Sends one file, or a part of it, as it was signed for.
    pub(super) async fn put(
        &self,
        file: &OfferedFile,
        signed: &SignedRequest,
        content: Vec<u8>,
        bar: &ProgressBar,
    ) -> Result<(), Trouble> {
        let name = file.name.as_deref().unwrap_or("the archive");
        let url = self.door.join(&signed.url).ok().filter(is_safe);
        let url =
            url.ok_or_else(|| fault(anyhow!("the door names an address that is not safe")))?;
        let mut request = self.client.put(url);
        for (header, value) in &signed.headers {
            request = request.header(header, value);
        }
        let body = Content {
            rest: Bytes::from(content),
            bar: bar.clone(),
        };
        let answer = request.body(reqwest::Body::wrap(body)).send().await;
        let answer = answer.map_err(|e| passing(&e))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        // Not signed, or no longer: the next round brings a new signature.
        if status == StatusCode::FORBIDDEN || may_pass(status) {
            return Err(Trouble::Passing(said(status)));
        }
        let message = complaint(answer, status).await;
        Err(fault(anyhow!("{name} is not taken: {message}")))
    }
}

/// Nobody between the two ends may read the credential or a bundle.
fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_local(url))
}

fn is_local(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

fn fault(error: anyhow::Error) -> Trouble {
    Trouble::Refused(Failure::Fault(error))
}

/// Of the error its kind alone: its text has the address, and a signature in it.
fn passing(error: &reqwest::Error) -> Trouble {
    let reason = if error.is_connect() {
        "no connection can be made"
    } else if error.is_timeout() {
        "the other end is silent"
    } else {
        "the connection broke"
    };
    Trouble::Passing(reason.to_owned())
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS
}

fn said(status: StatusCode) -> String {
    format!("the other end answered {}", status.as_u16())
}

/// What a service of ours says, or the status alone.
async fn complaint(answer: Response, status: StatusCode) -> String {
    let body = answer.bytes().await.unwrap_or_default();
    let complaint = (body.len() <= MAX_ERROR_BYTES)
        .then(|| serde_json::from_slice::<Complaint>(&body).ok())
        .flatten();
    complaint.map_or_else(|| said(status), |complaint| complaint.error)
}

/// A file's content that moves the bar as it goes.
struct Content {
    rest: Bytes,
    bar: ProgressBar,
}

impl HttpBody for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = self.rest.len().min(CHUNK_BYTES);
        let chunk = self.rest.split_to(bytes);
        self.bar.inc(u64::try_from(bytes).unwrap_or(0));
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_goes_nowhere_unencrypted() {
        for (address, is_fine) in [
            ("https://upload.dermalia.de/", true),
            ("http://127.0.0.1:8787/upload", true),
            ("http://[::1]:8787/upload", true),
            ("http://upload.dermalia.de/", false),
            ("http://127.0.0.1.example.org/", false),
            ("ftp://127.0.0.1/", false),
            ("upload.dermalia.de", false),
            ("", false),
        ] {
            let line = Line::new(address, "x".to_owned());
            assert_eq!(line.is_ok(), is_fine, "{address}");
        }
    }
}
