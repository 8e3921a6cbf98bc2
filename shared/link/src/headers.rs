//! The headers under which everything leaves, and the content security policy.

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use crate::reply::Header;

/// Object metadata: the epoch of the report's links, in decimal digits.
pub const META_EPOCH: &str = "epoch";
/// Object metadata of a page: SHA-256 hashes of its inline styles, in base64,
/// separated by spaces.
pub const META_STYLE_SHA256: &str = "csp-style-sha256";
/// Object metadata of a page: the same for its inline scripts.
pub const META_SCRIPT_SHA256: &str = "csp-script-sha256";

/// Object metadata: `off` once the patient has objected to usage events.
pub const META_USAGE: &str = "usage";

/// Object metadata: the second, in epoch seconds, from which the report's data is over; the
/// page names it, and nothing is served from it on, however late its removal comes.
pub const META_UNTIL: &str = "until";

/// Object metadata of a page that stands in for a report which is being drawn anew. Its
/// content says nothing and is never served.
pub const META_RENEWAL: &str = "renewal";

/// Object metadata of a report with a second factor: the slow hash of its code
/// ([`CodeHash`](crate::CodeHash)). Like the epoch it lies on every object.
pub const META_CODE: &str = "code-argon2id";

/// More inline elements than any page of ours has.
const MAX_HASHES: usize = 8;

/// The hashes by which a page's own inline styles and scripts are allowed.
///
/// They are computed when the page is rendered and travel in the object's
/// metadata, so that a host can stream the page without reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InlineHashes {
    styles: Vec<String>,
    scripts: Vec<String>,
}

impl InlineHashes {
    /// Hashes the `<style>` and `<script>` elements in the head of a page.
    ///
    /// The head alone is read: it holds no text from outside, so an element
    /// smuggled into the body gets no hash and stays without effect. For the
    /// same reason `style="…"` attributes have none: pages must not use them.
    #[must_use]
    pub fn of_page(html: &str) -> Self {
        let lower = html.to_ascii_lowercase();
        let end = lower
            .find("</head")
            .or_else(|| lower.find("<body"))
            .unwrap_or(0);
        let (html, lower) = (&html[..end], &lower[..end]);
        Self {
            styles: hashes_of_elements(html, lower, "style"),
            scripts: hashes_of_elements(html, lower, "script"),
        }
    }

    /// The hashes out of an object's metadata; what is not a hash is left
    /// out, so that metadata can never widen the policy by another source.
    #[must_use]
    pub fn from_metadata(styles: Option<&str>, scripts: Option<&str>) -> Self {
        Self {
            styles: hashes_in(styles),
            scripts: hashes_in(scripts),
        }
    }

    /// The value of [`META_STYLE_SHA256`]; none without an inline style.
    #[must_use]
    pub fn style_metadata(&self) -> Option<String> {
        (!self.styles.is_empty()).then(|| self.styles.join(" "))
    }

    /// The value of [`META_SCRIPT_SHA256`]; none without an inline script.
    #[must_use]
    pub fn script_metadata(&self) -> Option<String> {
        (!self.scripts.is_empty()).then(|| self.scripts.join(" "))
    }

    /// The content security policy of a page with these inline elements.
    ///
    /// What only a script can do, only a page with a script may do.
    pub(crate) fn policy(&self) -> String {
        let by_script = if self.scripts.is_empty() {
            "img-src 'self' data:"
        } else {
            "img-src 'self' data: blob:; connect-src 'self'"
        };
        format!(
            "default-src 'none'; style-src {}; script-src {}; {by_script}; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            sources(&self.styles),
            sources(&self.scripts),
        )
    }
}

/// The policy of everything that is no page.
pub(crate) const FILE_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What may be kept of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// Nothing, by anyone.
    Never,
    /// An hour, by anyone: our own texts, the same for everybody.
    Hour,
}

/// The headers common to all answers.
pub(crate) fn common(policy: String, caching: Caching) -> Vec<Header> {
    let caching = match caching {
        Caching::Never => "private, no-store",
        Caching::Hour => "public, max-age=3600",
    };
    vec![
        ("cache-control", caching.to_owned()),
        ("content-security-policy", policy),
        (
            "strict-transport-security",
            "max-age=63072000; includeSubDomains".to_owned(),
        ),
        ("referrer-policy", "no-referrer".to_owned()),
        ("x-robots-tag", "noindex, noarchive".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("x-frame-options", "DENY".to_owned()),
        ("cross-origin-opener-policy", "same-origin".to_owned()),
        ("cross-origin-resource-policy", "same-origin".to_owned()),
        (
            "permissions-policy",
            "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), \
             gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()"
                .to_owned(),
        ),
    ]
}

fn sources(hashes: &[String]) -> String {
    if hashes.is_empty() {
        return "'none'".to_owned();
    }
    hashes
        .iter()
        .map(|hash| format!("'sha256-{hash}'"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn hashes_in(metadata: Option<&str>) -> Vec<String> {
    metadata
        .unwrap_or_default()
        .split(' ')
        .filter(|hash| {
            BASE64
                .decode(hash.as_bytes())
                .is_ok_and(|bytes| bytes.len() == 32)
        })
        .take(MAX_HASHES)
        .map(str::to_owned)
        .collect()
}

/// `lower` is `html` in lower case, so positions agree.
fn hashes_of_elements(html: &str, lower: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}"), format!("</{name}"));
    let mut hashes = Vec::new();
    let mut at = 0;
    while hashes.len() < MAX_HASHES {
        let Some(start) = lower[at..].find(&open).map(|i| at + i + open.len()) else {
            break;
        };
        at = start;
        let named_exactly = lower[start..].starts_with(['>', ' ', '\t', '\n', '\r']);
        let Some(tag_end) = lower[start..].find('>').map(|i| start + i) else {
            break;
        };
        let Some(end) = lower[tag_end..].find(&close).map(|i| tag_end + i) else {
            break;
        };
        if named_exactly {
            hashes.push(hash(&html[tag_end + 1..end]));
            at = end;
        }
    }
    hashes
}

/// The hash of an element's text as a browser sees it: with its line ends
/// normalised (HTML, section 13.2.3.5).
fn hash(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    BASE64.encode(&Sha256::digest(text.as_bytes()))
}
