//! From a request to an answer, or to the object that decides it.

use crate::act::{Act, Actor};
use crate::asset::Asset;
use crate::claims::{Claims, Flags};
use crate::fetch::Fetch;
use crate::forms::{Wish, expired_page};
use crate::headers::{self, Caching, FILE_POLICY};
use crate::host::Host;
use crate::memory::Memory;
use crate::pages;
use crate::problem::{Methods, Problem, problem_page};
use crate::reply::Answer;
use crate::request::{Request, Unusable};
use crate::token::{Refusal, Token, verify_once};

/// The longest path and query that are read at all.
const MAX_TARGET_BYTES: usize = 2048;

/// What to do with a request.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Send this.
    Answer(Answer),
    /// Fetch this object, then do what [`Fetch::after_origin`] says.
    Fetch(Fetch),
}

enum Route<'a> {
    Health,
    Privacy,
    Security,
    Report {
        token: &'a str,
        target: Option<Target<'a>>,
    },
}

/// What under a link is meant.
#[derive(Clone, Copy)]
enum Target<'a> {
    File(Asset<'a>),
    Events,
    Unlock,
    Wish(Wish),
}

/// Decides what to do with a request at `now_secs` (seconds since 1970).
///
/// A GET or HEAD decides nothing but its own answer: no message but the record
/// of the access follows from one, and nothing is counted.
#[must_use]
pub fn route(request: &Request<'_>, host: &Host, now_secs: u64) -> Decision {
    route_again(request, host, now_secs, &mut Memory::default())
}

/// As [`route`], by a host that answers many requests: it keeps the memory.
#[must_use]
pub fn route_again(
    request: &Request<'_>,
    host: &Host,
    now_secs: u64,
    memory: &mut Memory,
) -> Decision {
    decide(request, host, now_secs, memory).unwrap_or_else(|problem| {
        Decision::Answer(problem_page(problem, request.locale(), request.is_head()))
    })
}

fn decide(
    request: &Request<'_>,
    host: &Host,
    now_secs: u64,
    memory: &mut Memory,
) -> Result<Decision, Problem> {
    if request.path.len() + request.query.map_or(0, str::len) > MAX_TARGET_BYTES {
        return Err(Problem::TargetTooLong);
    }
    let route = parse(request.path, request.query).ok_or(Problem::NotFound)?;
    check_method(request.method, route.methods())?;
    if request.is_oversize() {
        return Err(Problem::BodyTooLarge);
    }
    let (locale, is_head) = (request.locale(), request.is_head());
    let (token, target) = match route {
        Route::Health => return Ok(Decision::Answer(health(is_head))),
        Route::Privacy => return Ok(Decision::Answer(pages::privacy(locale, is_head))),
        Route::Security => return Ok(Decision::Answer(pages::security(locale, is_head))),
        Route::Report { token, target } => (token, target),
    };
    let verdict = verify_once(token, &host.keys, now_secs, memory);
    // After the signature, so that the time of a refusal names no file.
    let target = target.ok_or(Problem::NotFound)?;
    let (claims, is_live) = match verdict {
        Ok(claims) => (claims, true),
        Err(Refusal::Expired(claims)) => (claims, false),
        Err(
            Refusal::Malformed | Refusal::UnknownKey | Refusal::Forged | Refusal::NotUnderstood,
        ) => return Err(Problem::NotFound),
    };
    let is_sent = request.method == "POST";
    if is_sent && !request.is_same_origin() {
        return Err(Problem::ForeignPage);
    }
    let actor = Actor {
        claims,
        token: Token::genuine(token),
        locale,
        is_head,
    };
    let act = |act| Ok(Decision::Fetch(Fetch::of_act(request, actor.clone(), act)));
    let to_report = || Ok(Decision::Answer(Answer::to_report(&actor.token)));
    match target.under(&claims).ok_or(Problem::NotFound)? {
        // Rights do not expire with a link.
        Target::Wish(wish @ (Wish::Erase | Wish::Object)) if is_sent => act(Act::TakeWish(wish)),
        Target::Wish(wish @ (Wish::Erase | Wish::Object)) => act(Act::ShowWish(wish)),
        Target::Wish(Wish::Renew) if !is_live && is_sent => act(Act::TakeWish(Wish::Renew)),
        _ if claims.flags == Flags::CONFIRM_ERASURE && !is_live => Err(Problem::ConfirmedTooLate),
        _ if !is_live => Ok(Decision::Answer(expired_page(
            &actor.token,
            locale,
            is_head,
        ))),
        Target::File(asset) => Ok(Decision::Fetch(Fetch::of_asset(request, actor, &asset))),
        Target::Wish(Wish::Confirm) if is_sent => act(Act::TakeWish(Wish::Confirm)),
        Target::Wish(Wish::Confirm) => act(Act::ShowWish(Wish::Confirm)),
        // The link still opens: there is nothing to renew.
        Target::Wish(Wish::Renew) => to_report(),
        Target::Unlock if !is_sent => to_report(),
        Target::Unlock => act(Act::Unlock(request.code().map_err(problem_of)?)),
        Target::Events => {
            let event = request.event().map_err(problem_of)?;
            if request.objects_to_usage() {
                return Ok(Decision::Answer(Answer::taken()));
            }
            act(Act::Event(event))
        }
    }
}

impl Route<'_> {
    fn methods(&self) -> Methods {
        match self {
            Self::Report {
                target: Some(Target::Events),
                ..
            } => Methods::Send,
            Self::Report {
                target: Some(Target::Unlock | Target::Wish(_)),
                ..
            } => Methods::ReadAndSend,
            _ => Methods::Read,
        }
    }
}

impl<'a> Target<'a> {
    /// What it means under a link of these claims: a link that confirms does
    /// nothing else, and no other confirms.
    fn under(self, claims: &Claims) -> Option<Self> {
        let confirms = claims.flags == Flags::CONFIRM_ERASURE;
        match self {
            Self::File(asset) if confirms => {
                (asset == Asset::PAGE).then_some(Self::Wish(Wish::Confirm))
            }
            Self::Wish(Wish::Confirm) => confirms.then_some(self),
            _ => (!confirms).then_some(self),
        }
    }
}

fn check_method(method: &str, methods: Methods) -> Result<(), Problem> {
    let fits = match method {
        "GET" | "HEAD" => methods != Methods::Send,
        "POST" => methods != Methods::Read,
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Problem::MethodNotAllowed(methods))
    }
}

fn problem_of(unusable: Unusable) -> Problem {
    match unusable {
        Unusable::MediaType => Problem::UnknownMediaType,
        Unusable::Content => Problem::Unreadable,
    }
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
    let target = match file {
        "" => Some(Target::File(Asset::PAGE)),
        "events" => Some(Target::Events),
        "unlock" => Some(Target::Unlock),
        "renew" => Some(Target::Wish(Wish::Renew)),
        "erase" => Some(Target::Wish(Wish::Erase)),
        "confirm" => Some(Target::Wish(Wish::Confirm)),
        "object" => Some(Target::Wish(Wish::Object)),
        name => Asset::from_name(name).map(Target::File),
    };
    Some(Route::Report { token, target })
}

fn health(is_head: bool) -> Answer {
    let mut headers = headers::common(FILE_POLICY.to_owned(), Caching::Never);
    headers.push(("content-type", "text/plain; charset=utf-8".to_owned()));
    Answer::text(200, headers, "ok\n".to_owned(), is_head)
}
