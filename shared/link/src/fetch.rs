//! An object at the origin, and the answer that it makes.

use crate::act::{Act, Actor};
use crate::asset::Asset;
use crate::code::CodeHash;
use crate::headers::{self, Caching, FILE_POLICY, InlineHashes};
use crate::host::Host;
use crate::message::{AccessMessage, AccessRecord};
use crate::problem::Problem;
use crate::range::{ByteRange, RangeRequest};
use crate::reply::{Answer, Body, Message, Next, Reply};
use crate::request::{Request, Visitor};
use crate::{Claims, PAGE_OBJECT};

/// A report is drawn anew within seconds.
const RENEWAL_RETRY_SECS: u32 = 10;

/// An object that a genuine link asks for, or asks about.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The object's key. Always fetch it with GET, for HEAD too: the answer
    /// to a HEAD from the origin carries no reason for a refusal.
    pub key: String,
    /// The range to ask for. Where the origin calls it unsatisfiable, fetch
    /// again without it, for the metadata ([`Origin::Unsatisfiable`]).
    pub range: Option<RangeRequest>,
    actor: Actor,
    cookie: Cookie,
    purpose: Purpose,
}

#[derive(Clone, Debug)]
enum Purpose {
    Serve(Serving),
    Act(Act),
}

#[derive(Clone, Debug)]
struct Serving {
    content_type: &'static str,
    download_name: Option<String>,
    is_page: bool,
    is_certain: bool,
    if_none_match: Option<String>,
    /// Of a page alone: no other access is recorded.
    visitor: Option<Visitor>,
}

/// A `Cookie` header, kept out of every log.
#[derive(Clone)]
struct Cookie(Option<String>);

impl core::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cookie(redacted)")
    }
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
    /// The metadata [`META_CODE`](crate::META_CODE).
    pub code: Option<&'a str>,
    /// The metadata [`META_USAGE`](crate::META_USAGE).
    pub usage: Option<&'a str>,
    /// The metadata [`META_UNTIL`](crate::META_UNTIL).
    pub until: Option<&'a str>,
    /// The metadata [`META_RENEWAL`](crate::META_RENEWAL).
    pub renewal: Option<&'a str>,
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

impl Fetch {
    /// A file, to be served.
    pub(crate) fn of_asset(request: &Request<'_>, actor: Actor, asset: &Asset<'_>) -> Self {
        // With If-Range the whole object is a right answer, and the simplest;
        // a range of a HEAD has no meaning (RFC 9110, section 14.2).
        let range = request
            .range
            .filter(|_| request.if_range.is_none() && !actor.is_head);
        Self {
            key: format!("{}{}", actor.claims.report_id.object_prefix(), asset.name()),
            range: range.and_then(RangeRequest::from_header),
            cookie: Cookie(request.cookie.map(str::to_owned)),
            purpose: Purpose::Serve(Serving {
                content_type: asset.content_type(),
                download_name: asset.is_download().then(|| asset.name().to_owned()),
                is_page: asset.is_page(),
                is_certain: asset.is_certain(),
                if_none_match: request.if_none_match.map(str::to_owned),
                visitor: asset.is_page().then(|| request.visitor()),
            }),
            actor,
        }
    }

    /// The page, for its metadata alone.
    pub(crate) fn of_act(request: &Request<'_>, actor: Actor, act: Act) -> Self {
        Self {
            key: format!("{}{PAGE_OBJECT}", actor.claims.report_id.object_prefix()),
            // The first byte: a refusal of a GET says why, one of a HEAD does not.
            range: Some(RangeRequest::From {
                first: 0,
                last: Some(0),
            }),
            cookie: Cookie(request.cookie.map(str::to_owned)),
            purpose: Purpose::Act(act),
            actor,
        }
    }

    /// The claims of the link.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.actor.claims
    }

    /// What to do, once the origin has answered.
    ///
    /// A link of another epoch than the object's is revoked: 410. An object
    /// without a readable epoch is our own fault and is not served: 503. What
    /// is past its time is not served, however late its removal comes: 410. A
    /// page that is gone was erased or has passed its retention: 410; another
    /// file that is missing never was: 404. What has a code and no session is
    /// not served: 403, and the code is asked for. While the report is being drawn anew,
    /// its page says so and comes again by itself: 503.
    #[must_use]
    pub fn after_origin(&self, origin: &Origin<'_>, host: &Host, now_secs: u64) -> Next {
        let actor = &self.actor;
        let (stored, part) = match origin {
            Origin::Whole(stored) | Origin::Unsatisfiable(stored) => (stored, None),
            Origin::Part(stored, part) => (stored, Some(*part)),
            Origin::Missing => {
                return actor.problem(match &self.purpose {
                    Purpose::Serve(serving) if !serving.is_certain => Problem::NotFound,
                    _ => Problem::Removed,
                });
            }
            Origin::Failed => return actor.fault(),
        };
        let Some(epoch) = stored.epoch.and_then(epoch_of) else {
            return actor.fault();
        };
        if actor.claims.epoch != epoch {
            return actor.problem(Problem::Revoked);
        }
        // A link may live longer than data whose retention was shortened since.
        match stored.until.map(str::parse::<u64>).transpose() {
            Ok(Some(until)) if now_secs >= until => return actor.problem(Problem::Removed),
            Ok(_) => {}
            Err(_) => return actor.fault(),
        }
        let Ok(code) = stored.code.map(str::parse::<CodeHash>).transpose() else {
            return actor.fault();
        };
        let is_admitted = match &self.purpose {
            // Whoever asks for these needs no code: what follows is an e-mail
            // to the address on file.
            Purpose::Act(Act::Unlock(_) | Act::ShowWish(_) | Act::TakeWish(_)) => true,
            Purpose::Act(Act::Event(_)) | Purpose::Serve(_) => stored.code.is_none_or(|hash| {
                let cookies = self.cookie.0.as_deref();
                host.session.admits(cookies, &actor.claims, hash, now_secs)
            }),
        };
        if !is_admitted {
            return actor.ask_for_code(None);
        }
        match &self.purpose {
            Purpose::Act(act) => {
                let usage_is_off = stored.usage.is_some();
                actor.act(act, code.as_ref(), usage_is_off, now_secs)
            }
            Purpose::Serve(_) if stored.renewal.is_some() => {
                actor.problem(Problem::BeingRenewed(RENEWAL_RETRY_SECS))
            }
            Purpose::Serve(_) if matches!(origin, Origin::Unsatisfiable(_)) => {
                let mut next = actor.problem(Problem::RangeOutside);
                if let Next::Reply(reply) = &mut next {
                    let range = format!("bytes */{}", stored.total_bytes);
                    reply.answer.headers.push(("content-range", range));
                }
                next
            }
            Purpose::Serve(serving) => {
                let answer = self.serve(serving, stored, part);
                let reply = Reply::new(answer, actor.locale);
                let Some(visitor) = serving.visitor.filter(|_| !actor.is_head && part.is_none())
                else {
                    return Next::Reply(reply);
                };
                // That the page was served is a record of privacy; it opens
                // nothing, closes nothing and counts for nothing.
                let record = AccessMessage::Access(AccessRecord {
                    at_secs: now_secs,
                    report_id: actor.claims.report_id,
                    network: visitor.network,
                    browser: visitor.browser,
                    device: visitor.device,
                });
                Next::Reply(reply.with_message(Message::Access(record)))
            }
        }
    }

    fn serve(&self, serving: &Serving, stored: &Stored<'_>, part: Option<ByteRange>) -> Answer {
        let policy = if serving.is_page {
            InlineHashes::from_metadata(stored.style_sha256, stored.script_sha256).policy()
        } else {
            FILE_POLICY.to_owned()
        };
        let mut headers = headers::common(policy, Caching::Never);
        if let Some(etag) = stored.etag {
            headers.push(("etag", etag.to_owned()));
            if serving
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
        headers.push(("content-type", serving.content_type.to_owned()));
        if let Some(name) = &serving.download_name {
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
            body: if self.actor.is_head {
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
