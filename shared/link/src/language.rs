//! Which of our languages a reader prefers.

use serde::{Deserialize, Serialize};

/// A language in which the edge's own pages exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// German, the default.
    #[serde(rename = "de")]
    German,
    /// English.
    #[serde(rename = "en")]
    English,
}

/// No browser sends more; the rest of a longer list is not read.
const MAX_RANGES: usize = 32;

impl Language {
    /// The language of ours that an `Accept-Language` header ranks highest
    /// (RFC 9110, section 12.5.4); German where it names neither, or both
    /// alike and German first.
    #[must_use]
    pub fn preferred(accept_language: Option<&str>) -> Self {
        let mut best = (0, Self::German);
        for range in accept_language
            .unwrap_or_default()
            .split(',')
            .take(MAX_RANGES)
        {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let tag = tag.trim();
            let primary = tag.split('-').next().unwrap_or_default();
            let language = if primary.eq_ignore_ascii_case("de") || tag == "*" {
                Self::German
            } else if primary.eq_ignore_ascii_case("en") {
                Self::English
            } else {
                continue;
            };
            let weight = weight_in_thousandths(parameters);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The tag for `lang` and `Content-Language`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::German => "de",
            Self::English => "en",
        }
    }
}

/// The `q` parameter, 0 to 1000; 1000 if absent, 0 if it cannot be read.
fn weight_in_thousandths(parameters: &str) -> u32 {
    let Some((_, value)) = parameters
        .split(';')
        .filter_map(|p| p.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
    else {
        return 1000;
    };
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits_only = fraction.bytes().all(|b| b.is_ascii_digit());
    match whole {
        "1" if digits_only => 1000,
        "0" if digits_only && fraction.len() <= 3 => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}
