//! Serves links through the routing core that the edge uses too.

use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Request as HttpRequest, Response, StatusCode, header};
use data_encoding::HEXLOWER;
use dermalia_embedded::{DirectoryObjects, QueuePolicy, SqliteQueue, SqliteTallies};
use dermalia_link::{
    AccessMessage, Answer, Body, Count, Decision, Fetch, Host, KeySet, Locale, MAX_BODY_BYTES,
    META_CODE, META_EPOCH, META_RENEWAL, META_SCRIPT_SHA256, META_STYLE_SHA256, META_UNTIL,
    META_USAGE, Message, Next, Origin, Problem, Reply, Request, SessionKey, Stored, problem_page,
    route,
};
use dermalia_record::port::{AccessEntry, AccessKind, Head, PortError, Ports, Queue};
use http_body_util::BodyExt;

use super::http::SILENCE;
use super::local::Local;

/// For how long the record of an access is kept, in days; as in the cloud.
const ACCESS_DAYS: i64 = 30;
/// The queue of [`dermalia_link::RequestMessage`]s.
pub(crate) const REQUEST_QUEUE: &str = "requests";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");

/// What answers requests for links.
pub(crate) struct LinkServer {
    host: Host,
    objects: DirectoryObjects,
    tallies: SqliteTallies,
    requests: SqliteQueue,
    ports: Ports,
}

/// An answer and the bytes from the store that belong to it.
struct Outcome {
    answer: Answer,
    content: Vec<u8>,
}

impl LinkServer {
    /// Over the stores of this data folder.
    pub(crate) fn new(local: &Local) -> anyhow::Result<Self> {
        // A new one with each start: readers with a code type it again.
        let mut session = [0; 32];
        getrandom::fill(&mut session)?;
        let clock = &local.ports.clock;
        let (database, policy) = (local.database.clone(), QueuePolicy::default());
        Ok(Self {
            host: Host {
                keys: KeySet::new(local.key.public()),
                session: SessionKey::from_bytes(session),
            },
            objects: local.objects.clone(),
            tallies: SqliteTallies::new(local.database.clone(), Arc::clone(clock)),
            requests: SqliteQueue::new(database, REQUEST_QUEUE, policy, Arc::clone(clock)),
            ports: local.ports.clone(),
        })
    }

    /// Answers a request for a link, or for one of the public pages.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        request: HttpRequest<HttpBody>,
    ) -> Response<HttpBody> {
        let (parts, body) = request.into_parts();
        let body = read_body(&parts, body).await;
        let address = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip().to_string());
        let text = |name: HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok());
        let request = Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            content_length: text(header::CONTENT_LENGTH).and_then(|v| v.parse().ok()),
            body: &body,
            content_type: text(header::CONTENT_TYPE),
            accept_language: text(header::ACCEPT_LANGUAGE),
            range: text(header::RANGE),
            if_range: text(header::IF_RANGE),
            if_none_match: text(header::IF_NONE_MATCH),
            cookie: text(header::COOKIE),
            host: text(header::HOST),
            origin: text(header::ORIGIN),
            fetch_site: text(SEC_FETCH_SITE),
            privacy_control: text(SEC_GPC),
            user_agent: text(header::USER_AGENT),
            address: address.as_deref(),
        };
        let locale = Locale::preferred(request.accept_language);
        let outcome = match route(&request, &self.host, self.now_secs()) {
            Decision::Answer(answer) => Outcome::of(answer),
            Decision::Fetch(fetch) => self.from_origin(&fetch, locale).await,
        };
        respond(outcome)
    }

    fn now_secs(&self) -> u64 {
        u64::try_from(self.ports.clock.now_secs()).unwrap_or(0)
    }

    async fn from_origin(self: &Arc<Self>, fetch: &Fetch, locale: Locale) -> Outcome {
        let found = match self.objects.open_content(&fetch.key).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "an object cannot be served");
                return self.finish(self.after(fetch, &Origin::Failed)).await;
            }
        };
        let Some((head, mut file)) = found else {
            return self.finish(self.after(fetch, &Origin::Missing)).await;
        };
        let etag = format!("\"{}\"", head.version);
        let stored = stored(&head, &etag);
        let origin = match fetch.range {
            None => Origin::Whole(stored),
            Some(range) => match range.resolve(head.bytes) {
                None => Origin::Unsatisfiable(stored),
                Some(part) => Origin::Part(stored, part),
            },
        };
        let outcome = self.finish(self.after(fetch, &origin)).await;
        if outcome.answer.body != Body::Origin {
            return outcome;
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
            Ok(Ok(content)) => Outcome { content, ..outcome },
            _ => fault(locale),
        }
    }

    fn after(&self, fetch: &Fetch, origin: &Origin<'_>) -> Next {
        fetch.after_origin(origin, &self.host, self.now_secs())
    }

    /// Counts what is to be counted and sends what is to be sent.
    async fn finish(self: &Arc<Self>, mut next: Next) -> Outcome {
        loop {
            match next {
                Next::Reply(reply) => return Outcome::of(self.deliver(reply).await),
                Next::Count(count) => {
                    let counted = self.tallies.take(count.allowance.clone()).await;
                    if let Err(error) = &counted {
                        tracing::warn!(%error, "nothing can be counted");
                    }
                    next = self.after_count(count, counted.ok()).await;
                }
            }
        }
    }

    /// On a thread for long work: a code's hash is slow on purpose.
    async fn after_count(
        self: &Arc<Self>,
        count: Count,
        counted: Option<dermalia_link::Counted>,
    ) -> Next {
        let (server, now_secs) = (Arc::clone(self), self.now_secs());
        let fallback = count.clone();
        let work = move || count.after(counted, &server.host, now_secs);
        match tokio::task::spawn_blocking(work).await {
            Ok(next) => next,
            Err(_) => fallback.after(None, &self.host, now_secs),
        }
    }

    async fn deliver(&self, mut reply: Reply) -> Answer {
        match reply.message.take() {
            None => {}
            Some(Message::Access(message)) => {
                // An access that is not recorded keeps nobody from the report.
                if let Err(error) = self.keep(&message).await {
                    tracing::warn!(%error, "an access is not recorded");
                }
            }
            Some(Message::Request(message)) => {
                if let Err(error) = self.requests.send(&message.to_json(), 0).await {
                    tracing::warn!(%error, "a request is not taken");
                    reply = reply.not_taken();
                }
            }
        }
        if let Some(allowance) = reply.give_back
            && let Err(error) = self.tallies.give_back(allowance).await
        {
            tracing::warn!(%error, "a try is not given back");
        }
        reply.answer
    }

    /// Keeps an access or a usage event: at once, where the cloud has a queue and a
    /// function. It is never kept longer than its scan.
    async fn keep(&self, message: &AccessMessage) -> Result<(), PortError> {
        let (report, at_secs, kind) = match message {
            AccessMessage::Access(access) => (access.report_id, access.at_secs, AccessKind::Access),
            AccessMessage::Usage(usage) => (usage.report_id, usage.at_secs, AccessKind::Usage),
        };
        let Some(record) = self.ports.records.by_report(report).await? else {
            return Ok(());
        };
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|e| PortError::retry("accesses", "name", e))?;
        let now_secs = self.ports.clock.now_secs();
        let entry = AccessEntry {
            report,
            id: HEXLOWER.encode(&id),
            at_secs: i64::try_from(at_secs).unwrap_or(now_secs),
            kind,
            body: message.to_json(),
            expires_at_secs: record
                .expires_at_secs
                .min(now_secs.saturating_add(ACCESS_DAYS * 86_400)),
        };
        self.ports.accesses.put(entry).await
    }
}

impl Outcome {
    fn of(answer: Answer) -> Self {
        Self {
            answer,
            content: Vec::new(),
        }
    }
}

/// When to come again after a fault of this machine.
const FAULT_RETRY_SECS: u32 = 30;

fn fault(locale: Locale) -> Outcome {
    Outcome::of(problem_page(
        Problem::OriginFailed(FAULT_RETRY_SECS),
        locale,
        false,
    ))
}

/// The body of a POST, as far as the routing core wants to see it.
async fn read_body(parts: &Parts, mut body: HttpBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    if parts.method != "POST" {
        return bytes;
    }
    while bytes.len() <= MAX_BODY_BYTES {
        let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, body.frame()).await else {
            break;
        };
        if let Some(data) = frame.data_ref() {
            let room = MAX_BODY_BYTES + 1 - bytes.len();
            bytes.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    bytes
}

fn stored<'a>(head: &'a Head, etag: &'a str) -> Stored<'a> {
    let metadata = |name: &str| head.metadata.get(name).map(String::as_str);
    Stored {
        epoch: metadata(META_EPOCH),
        style_sha256: metadata(META_STYLE_SHA256),
        script_sha256: metadata(META_SCRIPT_SHA256),
        code: metadata(META_CODE),
        usage: metadata(META_USAGE),
        until: metadata(META_UNTIL),
        renewal: metadata(META_RENEWAL),
        etag: Some(etag),
        total_bytes: head.bytes,
    }
}

fn respond(outcome: Outcome) -> Response<HttpBody> {
    let Outcome { answer, content } = outcome;
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
