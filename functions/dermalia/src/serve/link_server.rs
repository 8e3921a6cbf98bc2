//! Serves links through the routing core that the edge uses too.

use std::io::{Read, Seek, SeekFrom};

use axum::body::Body as HttpBody;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use dermalia_embedded::DirectoryObjects;
use dermalia_link::{
    Answer, Body, Decision, Fetch, KeySet, META_EPOCH, META_SCRIPT_SHA256, META_STYLE_SHA256,
    Origin, Request, Stored, route,
};
use dermalia_record::Clock;
use dermalia_record::port::Head;

/// Answers a request for a link, or for one of the public pages.
pub(crate) async fn answer(
    parts: &Parts,
    objects: &DirectoryObjects,
    keys: &KeySet,
    clock: &dyn Clock,
) -> Response<HttpBody> {
    let text = |name: HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok());
    let request = Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        content_length: text(header::CONTENT_LENGTH).and_then(|v| v.parse().ok()),
        accept_language: text(header::ACCEPT_LANGUAGE),
        range: text(header::RANGE),
        if_range: text(header::IF_RANGE),
        if_none_match: text(header::IF_NONE_MATCH),
    };
    let now_secs = u64::try_from(clock.now_secs()).unwrap_or(0);
    match route(&request, keys, now_secs) {
        Decision::Answer(answer) => respond(answer, Vec::new()),
        Decision::Fetch(fetch) => from_origin(&fetch, objects).await,
    }
}

async fn from_origin(fetch: &Fetch, objects: &DirectoryObjects) -> Response<HttpBody> {
    let found = match objects.open_content(&fetch.key).await {
        Ok(Some(found)) => found,
        Ok(None) => return respond(fetch.after_origin(&Origin::Missing), Vec::new()),
        Err(error) => {
            tracing::warn!(%error, "an object cannot be served");
            return respond(fetch.after_origin(&Origin::Failed), Vec::new());
        }
    };
    let (head, mut file) = found;
    let etag = format!("\"{}\"", head.version);
    let stored = stored(&head, &etag);
    let origin = match fetch.range {
        None => Origin::Whole(stored),
        Some(range) => match range.resolve(head.bytes) {
            None => Origin::Unsatisfiable(stored),
            Some(part) => Origin::Part(stored, part),
        },
    };
    let answer = fetch.after_origin(&origin);
    if answer.body != Body::Origin {
        return respond(answer, Vec::new());
    }
    let (first, length) = match origin {
        Origin::Part(_, part) => (part.first, part.len_bytes()),
        _ => (0, head.bytes),
    };
    let read = tokio::task::spawn_blocking(move || -> std::io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(first))?;
        let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(length).read_to_end(&mut content)?;
        Ok(content)
    });
    match read.await {
        Ok(Ok(content)) => respond(answer, content),
        _ => respond(fetch.after_origin(&Origin::Failed), Vec::new()),
    }
}

fn stored<'a>(head: &'a Head, etag: &'a str) -> Stored<'a> {
    let metadata = |name: &str| head.metadata.get(name).map(String::as_str);
    Stored {
        epoch: metadata(META_EPOCH),
        style_sha256: metadata(META_STYLE_SHA256),
        script_sha256: metadata(META_SCRIPT_SHA256),
        etag: Some(etag),
        total_bytes: head.bytes,
    }
}

fn respond(answer: Answer, content: Vec<u8>) -> Response<HttpBody> {
    let body = match answer.body {
        Body::Empty => HttpBody::empty(),
        Body::Text(text) => HttpBody::from(text),
        Body::Origin => HttpBody::from(content),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}
