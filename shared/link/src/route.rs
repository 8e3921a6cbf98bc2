//! From a request to an answer, or to the object that answers it.

use crate::asset::Asset;
use crate::claims::Claims;
use crate::headers::{self, Caching, FILE_POLICY, InlineHashes};
use crate::keys::KeySet;
use crate::language::Language;
use crate::pages::{self, Problem, problem_page};
use crate::range::{ByteRange, RangeRequest};
use crate::token::{Refusal, verify};

/// A header: its name in lower case, and its value.
pub type Header = (&'static str, String);

/// The longest path and query that are read at all.
const MAX_TARGET_BYTES: usize = 2048;
/// A GET needs no body; one longer than this is refused, not drained.
const MAX_BODY_BYTES: u64 = 16 * 1024;
/// When to try again after the origin failed.
const RETRY_AFTER_SECS: u32 = 30;

/// What of a request decides its answer.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    /// The method as sent.
    pub method: &'a str,
    /// The path as sent, percent-encoding included.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    /// The length of the body, where the request states it.
    pub content_length: Option<u64>,
    /// `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// `Range`.
    pub range: Option<&'a str>,
    /// `If-Range`.
    pub if_range: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Send this.
    Answer(Answer),
    /// Fetch this object, then send what [`Fetch::after_origin`] says.
    Fetch(Fetch),
}

/// A whole answer. The headers include `content-length`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, each name once.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None, though `content-length` may state what GET would bring.
    Empty,
    /// This text.
    Text(String),
    /// The origin's body, streamed as it comes.
    Origin,
}

/// An object that a genuine, unexpired link asks for.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The object's key. Always fetch it with GET, for HEAD too: the answer
    /// to a HEAD from the origin carries no reason for a refusal.
    pub key: String,
    /// The range to ask for. Where the origin calls it unsatisfiable, fetch
    /// again without it, for the metadata ([`Origin::Unsatisfiable`]).
    pub range: Option<RangeRequest>,
    claims: Claims,
    content_type: &'static str,
    download_name: Option<String>,
    is_page: bool,
    is_certain: bool,
    is_head: bool,
    if_none_match: Option<String>,
    language: Language,
}

/// What the origin holds of an object, beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored<'a> {
    /// The metadata [`META_EPOCH`](crate::META_EPOCH).
    pub epoch: Option<&'a str>,
    /// The metadata [`META_STYLE_SHA256`](crate::META_STYLE_SHA256).
    pub style_sha256: Option<&'a str>,
    /// The metadata [`META_SCRIPT_SHA256`](crate::META_SCRIPT_SHA256).
    pub script_sha256: Option<&'a str>,
    /// The entity tag, with its quotation marks.
    pub etag: Option<&'a str>,
    /// The size of the whole object.
    pub total_bytes: u64,
}

/// How the origin answered a [`Fetch`].
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// The whole object.
    Whole(Stored<'a>),
    /// A part of it.
    Part(Stored<'a>, ByteRange),
    /// The object exists, the range asked for lies outside it.
    Unsatisfiable(Stored<'a>),
    /// There is no such object.
    Missing,
    /// No usable answer.
    Failed,
}

enum Route<'a> {
    Health,
    Privacy,
    Security,
    Report {
        token: &'a str,
        asset: Option<Asset<'a>>,
    },
}

/// Decides what to do with a request at `now_secs` (seconds since 1970).
#[must_use]
pub fn route(request: &Request<'_>, keys: &KeySet, now_secs: u64) -> Decision {
    match decide(request, keys, now_secs) {
        Ok(decision) => decision,
        Err(problem) => {
            let language = Language::preferred(request.accept_language);
            Decision::Answer(problem_page(problem, language, request.method == "HEAD"))
        }
    }
}

fn decide(request: &Request<'_>, keys: &KeySet, now_secs: u64) -> Result<Decision, Problem> {
    if request.path.len() + request.query.map_or(0, str::len) > MAX_TARGET_BYTES {
        return Err(Problem::TargetTooLong);
    }
    let route = parse(request.path, request.query).ok_or(Problem::NotFound)?;
    let is_head = match request.method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Problem::MethodNotAllowed),
    };
    if request.content_length.unwrap_or(0) > MAX_BODY_BYTES {
        return Err(Problem::BodyTooLarge);
    }
    let language = chosen_language(request);
    let (token, asset) = match route {
        Route::Health => return Ok(Decision::Answer(health(is_head))),
        Route::Privacy => return Ok(Decision::Answer(pages::privacy(language, is_head))),
        Route::Security => return Ok(Decision::Answer(pages::security(language, is_head))),
        Route::Report { token, asset } => (token, asset),
    };
    let verdict = verify(token, keys, now_secs);
    // After the signature, so that the time of a refusal names no file.
    let asset = asset.ok_or(Problem::NotFound)?;
    let claims = verdict.map_err(|refusal| match refusal {
        Refusal::Expired(_) => Problem::Expired,
        Refusal::Malformed | Refusal::UnknownKey | Refusal::Forged | Refusal::NotUnderstood => {
            Problem::NotFound
        }
    })?;
    // With If-Range the whole object is a right answer, and the simplest;
    // a range of a HEAD has no meaning (RFC 9110, section 14.2).
    let range = request
        .range
        .filter(|_| request.if_range.is_none() && !is_head);
    Ok(Decision::Fetch(Fetch {
        key: format!("{}{}", claims.report_id.object_prefix(), asset.name()),
        range: range.and_then(RangeRequest::from_header),
        claims,
        content_type: asset.content_type(),
        download_name: asset.is_download().then(|| asset.name().to_owned()),
        is_page: asset.is_page(),
        is_certain: asset.is_certain(),
        is_head,
        if_none_match: request.if_none_match.map(str::to_owned),
        language,
    }))
}

/// Paths of ours need no escape and no dot segment: what has one is unknown.
fn parse<'a>(path: &'a str, query: Option<&'a str>) -> Option<Route<'a>> {
    match path {
        "/healthz" => return Some(Route::Health),
        "/privacy" => return Some(Route::Privacy),
        "/security" => return Some(Route::Security),
        _ => {}
    }
    let (token, file) = path
        .strip_prefix("/r/")
        .map(|rest| match rest.split_once('/') {
            Some((token, file)) => (token, file),
            None => (rest, ""),
        })?;
    if token.is_empty() || file.contains('/') {
        return None;
    }
    // A query with an equals sign is none of ours (mail programs append
    // such for their statistics) and changes nothing.
    let file = match query {
        Some(name) if file.is_empty() && !name.contains('=') => name,
        _ => file,
    };
    let asset = if file.is_empty() {
        Some(Asset::PAGE)
    } else {
        Asset::from_name(file)
    };
    Some(Route::Report { token, asset })
}

fn chosen_language(request: &Request<'_>) -> Language {
    match request.query {
        Some("lang=de") => Language::German,
        Some("lang=en") => Language::English,
        _ => Language::preferred(request.accept_language),
    }
}

fn health(is_head: bool) -> Answer {
    let mut headers = headers::common(FILE_POLICY.to_owned(), Caching::Never);
    headers.push(("content-type", "text/plain; charset=utf-8".to_owned()));
    Answer::text(200, headers, "ok\n".to_owned(), is_head)
}

impl Answer {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(status: u16, mut headers: Vec<Header>, text: String, is_head: bool) -> Self {
        headers.push(("content-length", text.len().to_string()));
        Self {
            status,
            headers,
            body: if is_head {
                Body::Empty
            } else {
                Body::Text(text)
            },
        }
    }
}

impl Fetch {
    /// The claims of the link.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The answer, once the origin has answered.
    ///
    /// A link of another epoch than the object's is revoked: 410. An object
    /// without a readable epoch is our own fault and is not served: 503. A
    /// page that is gone was erased or has passed its retention: 410; another
    /// file that is missing never was: 404.
    #[must_use]
    pub fn after_origin(&self, origin: &Origin<'_>) -> Answer {
        let (stored, part) = match origin {
            Origin::Whole(stored) | Origin::Unsatisfiable(stored) => (stored, None),
            Origin::Part(stored, part) => (stored, Some(*part)),
            Origin::Missing if self.is_certain => return self.problem(Problem::Removed),
            Origin::Missing => return self.problem(Problem::NotFound),
            Origin::Failed => return self.problem(Problem::OriginFailed(RETRY_AFTER_SECS)),
        };
        let Some(epoch) = stored.epoch.and_then(epoch_of) else {
            return self.problem(Problem::OriginFailed(RETRY_AFTER_SECS));
        };
        if !self.claims.authorises(self.claims.report_id, epoch) {
            return self.problem(Problem::Revoked);
        }
        if matches!(origin, Origin::Unsatisfiable(_)) {
            let mut answer = self.problem(Problem::RangeOutside);
            answer
                .headers
                .push(("content-range", format!("bytes */{}", stored.total_bytes)));
            return answer;
        }
        self.serve(stored, part)
    }

    fn problem(&self, problem: Problem) -> Answer {
        problem_page(problem, self.language, self.is_head)
    }

    fn serve(&self, stored: &Stored<'_>, part: Option<ByteRange>) -> Answer {
        let policy = if self.is_page {
            InlineHashes::from_metadata(stored.style_sha256, stored.script_sha256).policy()
        } else {
            FILE_POLICY.to_owned()
        };
        let mut headers = headers::common(policy, Caching::Never);
        if let Some(etag) = stored.etag {
            headers.push(("etag", etag.to_owned()));
            if self
                .if_none_match
                .as_deref()
                .is_some_and(|tags| names_tag(tags, etag))
            {
                return Answer {
                    status: 304,
                    headers,
                    body: Body::Empty,
                };
            }
        }
        headers.push(("accept-ranges", "bytes".to_owned()));
        headers.push(("content-type", self.content_type.to_owned()));
        if let Some(name) = &self.download_name {
            headers.push((
                "content-disposition",
                format!("attachment; filename=\"{name}\""),
            ));
        }
        let (status, bytes) = match part {
            None => (200, stored.total_bytes),
            Some(part) => {
                let range = format!("bytes {}-{}/{}", part.first, part.last, stored.total_bytes);
                headers.push(("content-range", range));
                (206, part.len_bytes())
            }
        };
        headers.push(("content-length", bytes.to_string()));
        Answer {
            status,
            headers,
            body: if self.is_head {
                Body::Empty
            } else {
                Body::Origin
            },
        }
    }
}

/// Decimal digits without sign or leading zero, as we write them.
fn epoch_of(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .filter(|epoch: &u32| epoch.to_string() == text)
}

/// Weak comparison, as for `If-None-Match` (RFC 9110, section 13.1.2).
fn names_tag(tags: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(etag))
}
