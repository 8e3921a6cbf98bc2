//! What of a request decides its answer, and what a body may say.

use dermalia_locale::Locale;
use serde::Deserialize;

use crate::code::Code;
use crate::message::{Action, Subject};
use crate::visitor::{Browser, Device, Network, classes_of};

/// The longest body that is read. A host that meets a longer one reads one
/// byte more than this and no further.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

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
    /// The body of a POST, as far as [`MAX_BODY_BYTES`] and one byte.
    pub body: &'a [u8],
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// `Range`.
    pub range: Option<&'a str>,
    /// `If-Range`.
    pub if_range: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// `Cookie`.
    pub cookie: Option<&'a str>,
    /// `Host`.
    pub host: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// `Sec-GPC`, Global Privacy Control.
    pub privacy_control: Option<&'a str>,
    /// `User-Agent`; its class alone goes further.
    pub user_agent: Option<&'a str>,
    /// The address of the other end; its network alone goes further.
    pub address: Option<&'a str>,
}

/// What is kept of the reader for the record of the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) network: Option<Network>,
    pub(crate) browser: Browser,
    pub(crate) device: Device,
}

/// Why a body is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    MediaType,
    Content,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    pub(crate) action: Action,
    pub(crate) subject: Option<Subject>,
}

impl Request<'_> {
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(crate) fn locale(&self) -> Locale {
        let asked = self.query.and_then(|query| query.strip_prefix("lang="));
        asked
            .and_then(Locale::from_tag)
            .unwrap_or_else(|| Locale::preferred(self.accept_language))
    }

    /// Whether the body is longer than any of ours.
    pub(crate) fn is_oversize(&self) -> bool {
        let stated = self.content_length.unwrap_or(0);
        self.body.len() > MAX_BODY_BYTES || stated > MAX_BODY_BYTES as u64
    }

    /// Whether it comes from a page of ours, or from no page at all.
    ///
    /// Every current browser says so in `Sec-Fetch-Site`. `Origin` alone would
    /// not do: a form on a page with `Referrer-Policy: no-referrer` sends
    /// `null`. A request with neither comes from no browser, so nobody is made
    /// to send it unawares.
    pub(crate) fn is_same_origin(&self) -> bool {
        match (self.fetch_site, self.origin) {
            (Some(site), _) => site == "same-origin",
            (None, None) => true,
            (None, Some(origin)) => {
                let (_, host) = origin.split_once("://").unwrap_or_default();
                !host.is_empty() && Some(host) == self.host
            }
        }
    }

    /// Whether the browser says that nothing beyond the necessary be kept.
    pub(crate) fn objects_to_usage(&self) -> bool {
        self.privacy_control
            .is_some_and(|value| value.trim() == "1")
    }

    pub(crate) fn visitor(&self) -> Visitor {
        let (browser, device) = classes_of(self.user_agent);
        Visitor {
            network: self.address.and_then(Network::of_text),
            browser,
            device,
        }
    }

    /// The one event of a body in JSON. A beacon sends text as `text/plain`.
    pub(crate) fn event(&self) -> Result<Event, Unusable> {
        if !self.is_of_type(&["application/json", "text/plain"]) {
            return Err(Unusable::MediaType);
        }
        serde_json::from_slice(self.body).map_err(|_| Unusable::Content)
    }

    /// The code of a form; none if what was typed is none.
    pub(crate) fn code(&self) -> Result<Option<Code>, Unusable> {
        if !self.is_of_type(&["application/x-www-form-urlencoded"]) {
            return Err(Unusable::MediaType);
        }
        let body = core::str::from_utf8(self.body).map_err(|_| Unusable::Content)?;
        let mut codes = body
            .split('&')
            .filter_map(|field| field.strip_prefix("code="));
        let (Some(typed), None) = (codes.next(), codes.next()) else {
            return Err(Unusable::Content);
        };
        // Digits and spaces need no escape but that of the space.
        Ok(typed.replace('+', " ").replace("%20", " ").parse().ok())
    }

    fn is_of_type(&self, types: &[&str]) -> bool {
        let stated = self.content_type.unwrap_or_default();
        let essence = stated.split(';').next().unwrap_or_default().trim();
        types
            .iter()
            .any(|known| essence.eq_ignore_ascii_case(known))
    }
}
