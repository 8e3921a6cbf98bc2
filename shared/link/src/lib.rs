//! Signed report links, and the routing core that every host of them shares.
//!
//! The crate is pure: no clock, no randomness, no input or output. It builds
//! for wasm32 and natively, so that the Worker at the edge and the server of
//! the embedded cloud answer the same request with the same bytes.
//!
//! - [`SigningKey::sign`] turns [`Claims`] into a [`Token`]; only the cloud
//!   holds signing keys.
//! - [`verify`] turns the text of a token back into claims, with public keys
//!   alone ([`KeySet`]: two live ids, for rotation).
//! - [`route`] maps a request to a [`Decision`]: an answer, or an object to
//!   fetch; [`Fetch::after_origin`] completes the latter, and refuses a link
//!   whose epoch the object no longer carries. That is how a link is revoked
//!   at once and without a second look-up.
//! - What is asked for by POST (a new link, erasure, objection, a code) is
//!   counted first: [`Next::Count`]. Reading is never counted.
//!
//! - [`AccessMessage`] and [`RequestMessage`] are what the edge tells the
//!   cloud.
//!
//! # Addresses
//!
//! The link itself is `/r/{token}`, with or without a slash at the end. The
//! page refers to its files by a relative reference that is a query alone
//! (`?scan.glb`, see [`ASSET_PREFIX`]): a browser resolves it against the
//! page's own address in both forms, and the page needs to know neither its
//! token, which changes when a link is renewed, nor a redirect. The same
//! files answer at `/r/{token}/{file}`.

mod act;
mod asset;
mod claims;
mod code;
mod fetch;
mod forms;
mod headers;
mod host;
mod keys;
mod memory;
mod message;
mod pages;
mod problem;
mod range;
mod reply;
mod request;
mod route;
mod session;
mod statement;
mod tally;
mod token;
mod visitor;

pub use asset::{ASSET_PREFIX, Asset, PAGE_OBJECT};
pub use claims::{Claims, Flags, InvalidReportId, ReportId};
pub use code::{Code, CodeHash, HashFailed, InvalidCode, InvalidCodeHash};
pub use dermalia_locale::Locale;
pub use fetch::{Fetch, Origin, Stored};
pub use headers::{
    InlineHashes, META_CODE, META_EPOCH, META_RENEWAL, META_SCRIPT_SHA256, META_STYLE_SHA256,
    META_UNTIL, META_USAGE,
};
pub use host::Host;
pub use keys::{InvalidKey, KeyId, KeySet, PublicKey, SigningKey};
pub use memory::Memory;
pub use message::{
    AccessMessage, AccessRecord, Action, InvalidMessage, InvalidSubject, ReaderRequest,
    RequestMessage, Subject, UsageEvent,
};
pub use problem::{Methods, Problem, problem_page};
pub use range::{ByteRange, RangeRequest};
pub use reply::{Answer, Body, Count, Header, Message, Next, Reply};
pub use request::{MAX_BODY_BYTES, Request};
pub use route::{Decision, route, route_again};
pub use session::{InvalidSessionKey, SESSION_COOKIE, SessionKey};
pub use tally::{Allowance, Counted, Tally};
pub use token::{Refusal, TOKEN_CHARS, Token, verify};
pub use visitor::{Browser, Device, InvalidNetwork, Network, classes_of};
