//! The HTTP server: `POST /upload` (the door), `PUT /upload/{practice}/{scan}/{file}`, `PUT
//! /upload/{practice}/{scan}.zip`, and everything that the edge serves.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use axum::routing::any;
use data_encoding::HEXLOWER;
use dermalia_record::ScanKey;
use dermalia_record::port::{Body, Kind};
use dermalia_scan::Limits;
use dermalia_upload::{
    Accepted, Received, Target, UploadError, accept, announce, max_bytes, object_key,
};
use http_body_util::BodyExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::door::Gate;
use super::link_server::LinkServer;
use super::local::Local;
use super::workers::Stop;

/// The header in which a sender states the SHA-256 of a file, in hex.
pub(super) const CHECKSUM_HEADER: &str = "x-checksum-sha256";
/// A sender that is silent for longer is cut off.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// How long open connections are waited for at the end.
const GRACE: Duration = Duration::from_secs(5);

/// What the server works with.
#[derive(Clone)]
pub(crate) struct Server {
    local: Local,
    limits: Limits,
    links: Arc<LinkServer>,
    gate: Arc<Gate>,
}

impl Server {
    pub(crate) fn new(local: Local, limits: Limits) -> anyhow::Result<Self> {
        let links = Arc::new(LinkServer::new(&local)?);
        let gate = Arc::new(Gate::new(&local, &limits)?);
        Ok(Self {
            local,
            limits,
            links,
            gate,
        })
    }
}

/// Serves until the stop.
pub(crate) async fn run(listener: TcpListener, server: Server, stop: Stop) {
    let router = Router::new()
        .route("/upload", any(take_offer))
        .route("/upload/{practice}/{archive}", any(put_archive))
        .route("/upload/{practice}/{scan}/{file}", any(put_file))
        .fallback(serve_link)
        .with_state(server)
        .into_make_service_with_connect_info::<SocketAddr>();
    let (mut until, mut end) = (stop.clone(), stop);
    let served =
        axum::serve(listener, router).with_graceful_shutdown(async move { until.wait().await });
    tokio::select! {
        result = served.into_future() => {
            if let Err(error) = result {
                tracing::error!(%error, "the server ended");
            }
        }
        // A connection that is kept open must not keep the process alive.
        () = async { end.wait().await; tokio::time::sleep(GRACE).await } => {}
    }
}

/// Why a request is not served.
pub(super) enum Refusal {
    Status(StatusCode, String),
    Upload(UploadError),
}

impl From<UploadError> for Refusal {
    fn from(error: UploadError) -> Self {
        Self::Upload(error)
    }
}

impl Refusal {
    pub(super) fn bad_request(message: impl ToString) -> Self {
        Self::Status(StatusCode::BAD_REQUEST, message.to_string())
    }

    pub(super) fn unauthorized(message: impl ToString) -> Self {
        Self::Status(StatusCode::UNAUTHORIZED, message.to_string())
    }

    /// Scanners send no `Origin`, browsers always: no web page may upload through its visitor.
    pub(super) fn web_page() -> Self {
        let message = "uploads from web pages are not accepted".to_owned();
        Self::Status(StatusCode::FORBIDDEN, message)
    }

    pub(super) fn into_response(self) -> Response<HttpBody> {
        let (status, message) = match self {
            Self::Status(status, message) => (status, message),
            Self::Upload(error) => {
                let status = match &error {
                    UploadError::Name(_) => StatusCode::BAD_REQUEST,
                    UploadError::TooLarge { .. } | UploadError::TooManyFiles { .. } => {
                        StatusCode::PAYLOAD_TOO_LARGE
                    }
                    UploadError::Checksum { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                    UploadError::Port(port) if port.kind == Kind::Retry => {
                        StatusCode::SERVICE_UNAVAILABLE
                    }
                    UploadError::Port(_) => StatusCode::INTERNAL_SERVER_ERROR,
                };
                (status, error.to_string())
            }
        };
        json_response(status, &json!({ "error": message }))
    }
}

pub(super) fn json_response(status: StatusCode, value: &serde_json::Value) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::from(format!("{value}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("PUT"));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

async fn take_offer(
    State(server): State<Server>,
    request: Request<HttpBody>,
) -> Response<HttpBody> {
    server.gate.answer(request).await
}

async fn put_file(
    State(server): State<Server>,
    Path((practice, scan, file)): Path<(String, String, String)>,
    request: Request<HttpBody>,
) -> Response<HttpBody> {
    let result = put(&server, &practice, &scan, Target::File(file), request).await;
    result.unwrap_or_else(Refusal::into_response)
}

async fn put_archive(
    State(server): State<Server>,
    Path((practice, archive)): Path<(String, String)>,
    request: Request<HttpBody>,
) -> Response<HttpBody> {
    let result = match archive.strip_suffix(".zip") {
        Some(scan) => put(&server, &practice, scan, Target::Archive, request).await,
        None => Err(Refusal::Status(
            StatusCode::NOT_FOUND,
            "expected {scan}.zip".to_owned(),
        )),
    };
    result.unwrap_or_else(Refusal::into_response)
}

async fn put(
    server: &Server,
    practice: &str,
    scan: &str,
    target: Target,
    request: Request<HttpBody>,
) -> Result<Response<HttpBody>, Refusal> {
    let (parts, content) = request.into_parts();
    if parts.method != Method::PUT {
        let message = "expected PUT".to_owned();
        return Err(Refusal::Status(StatusCode::METHOD_NOT_ALLOWED, message));
    }
    if parts.headers.contains_key(header::ORIGIN) {
        return Err(Refusal::web_page());
    }
    let scan = ScanKey {
        practice: practice.parse().map_err(Refusal::bad_request)?,
        scan: scan.parse().map_err(Refusal::bad_request)?,
    };
    let key = object_key(&scan, &target).map_err(UploadError::from)?;
    server.gate.admit(&scan, &key, &parts).await?;
    let header_text = |name: &str| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let expected_sha256 = header_text(CHECKSUM_HEADER);
    let limit = max_bytes(&target, &server.limits);
    if let Some(got) = header_text("content-length").and_then(|l| l.parse::<u64>().ok())
        && got > limit
    {
        return Err(UploadError::TooLarge {
            what: "file",
            limit,
            got,
        }
        .into());
    }
    let path = server
        .local
        .objects
        .staging_file()
        .map_err(UploadError::from)?;
    let _cleanup = Cleanup(path.clone());
    let (bytes, sha256) = receive(content, path.clone(), limit).await?;
    let body = Body::File(path);
    // The name of the file is not logged: people name files after people.
    let logged_scan = scan.to_string();
    let received = Received {
        scan,
        target,
        body,
        bytes,
        sha256,
        expected_sha256,
    };
    let accepted = accept(&server.local.ports, received, &server.limits).await?;
    if accepted.completes {
        announce(&server.local.ports, &accepted, bytes)
            .await
            .map_err(UploadError::from)?;
    }
    let Accepted {
        object_key,
        version,
        completes,
    } = accepted;
    tracing::info!(scan = logged_scan, bytes, completes, "file received");
    let value = json!({ "key": object_key, "version": version, "complete": completes });
    Ok(json_response(StatusCode::CREATED, &value))
}

/// Removes what was received if it was not stored.
struct Cleanup(PathBuf);

impl Drop for Cleanup {
    fn drop(&mut self) {
        // Stored means moved away: usually there is nothing to remove.
        drop(std::fs::remove_file(&self.0));
    }
}

/// Streams a body into a file; gives its size and SHA-256.
async fn receive(mut body: HttpBody, path: PathBuf, limit: u64) -> Result<(u64, String), Refusal> {
    let disk = |_| {
        let message = "the file cannot be written".to_owned();
        Refusal::Status(StatusCode::INSUFFICIENT_STORAGE, message)
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(disk)?;
    let (mut bytes, mut hash) = (0_u64, Sha256::new());
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame())
            .await
            .map_err(|_| {
                let message = "nothing came for too long".to_owned();
                Refusal::Status(StatusCode::REQUEST_TIMEOUT, message)
            })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Refusal::bad_request("the upload was cut off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        bytes = bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if bytes > limit {
            return Err(UploadError::TooLarge {
                what: "file",
                limit,
                got: bytes,
            }
            .into());
        }
        hash.update(&data);
        let written = tokio::task::spawn_blocking(move || file.write_all(&data).map(|()| file));
        file = match written.await {
            Ok(result) => result.map_err(disk)?,
            Err(_) => {
                return Err(Refusal::Status(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "stopped".to_owned(),
                ));
            }
        };
    }
    Ok((bytes, HEXLOWER.encode(&hash.finalize())))
}

async fn serve_link(
    State(server): State<Server>,
    request: Request<HttpBody>,
) -> Response<HttpBody> {
    server.links.answer(request).await
}
