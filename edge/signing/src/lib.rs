//! Signature Version 4 for the two things that the edge asks of AWS: an object of S3 by a
//! signed address, and a message to SQS by signed headers.
//!
//! A general crate derives the key of the day and the text of the time for each request
//! again, which at the edge was most of what a picture cost. Here both are kept; the tests
//! hold the addresses to those of `rusty-s3` and to the example that AWS documents.
//!
//! The crate is pure: the caller brings the time.

mod time;

use core::fmt::Write as _;
use std::cell::RefCell;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::time::Moment;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const S3: &str = "s3";

/// The key of one user of AWS, and what was derived from it last.
pub struct Signer {
    key_id: String,
    secret: String,
    region: String,
    /// One for each service; there are two.
    days: RefCell<Vec<Day>>,
    second: RefCell<Option<Second>>,
}

/// The key of a day for a service.
struct Day {
    day: u64,
    service: &'static str,
    /// Keyed, to be cloned for each signature.
    key: Hmac<Sha256>,
}

/// What all addresses signed within one second have in common.
struct Second {
    now_secs: u64,
    life_secs: u32,
    query: String,
    /// The text to sign, up to the hash of the request.
    to_sign: String,
}

/// Where objects are.
pub struct Bucket {
    origin: String,
    host: String,
    /// Before the key.
    prefix: String,
}

/// The headers that a signed POST carries beside its content type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostHeaders {
    /// `x-amz-date`.
    pub date: String,
    /// `authorization`.
    pub authorization: String,
}

/// A POST to the root of a host, as far as it is signed.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    /// The service, as in `sqs`.
    pub service: &'static str,
    /// `host`, with its port unless that is the scheme's own.
    pub host: &'a str,
    /// `content-type`.
    pub content_type: &'a str,
    /// `x-amz-target`.
    pub target: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Bucket {
    /// A bucket that has a host of its own, as at S3.
    #[must_use]
    pub fn with_own_host(scheme: &str, host: &str, bucket: &str) -> Self {
        let host = format!("{bucket}.{host}");
        Self {
            origin: format!("{scheme}://{host}"),
            host,
            prefix: "/".to_owned(),
        }
    }

    /// A bucket that is named by the path, as at an emulator.
    #[must_use]
    pub fn in_path(scheme: &str, host: &str, bucket: &str) -> Self {
        Self {
            origin: format!("{scheme}://{host}"),
            host: host.to_owned(),
            prefix: format!("/{}/", escaped(bucket, false)),
        }
    }
}

impl Signer {
    /// A signer with the two halves of a key, for a region.
    #[must_use]
    pub fn new(key_id: String, secret: String, region: String) -> Self {
        Self {
            key_id,
            secret,
            region,
            days: RefCell::default(),
            second: RefCell::default(),
        }
    }

    /// The address by which an object can be fetched for `life_secs` from now. Whoever has
    /// it can: it belongs into no log.
    #[must_use]
    pub fn object_address(
        &self,
        bucket: &Bucket,
        key: &str,
        life_secs: u32,
        now_secs: u64,
    ) -> String {
        let mut second = self.second.borrow_mut();
        let second = match second.take() {
            Some(kept) if kept.now_secs == now_secs && kept.life_secs == life_secs => {
                second.insert(kept)
            }
            _ => second.insert(self.second(life_secs, now_secs)),
        };
        let (host, query) = (&bucket.host, &second.query);
        let path = format!("{}{}", bucket.prefix, escaped(key, true));
        let request = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let signature = self.sign(S3, now_secs, &second.to_sign, request.as_bytes());
        format!(
            "{}{path}?{query}&X-Amz-Signature={signature}",
            bucket.origin
        )
    }

    /// The headers of a POST that is sent now.
    #[must_use]
    pub fn post_headers(&self, post: &Post<'_>, now_secs: u64) -> PostHeaders {
        const HEADERS: &str = "content-type;host;x-amz-date;x-amz-target";
        let moment = Moment::of(now_secs);
        let date = moment.date_and_time();
        let scope = self.scope(&moment, post.service);
        let request = format!(
            "POST\n/\n\ncontent-type:{}\nhost:{}\nx-amz-date:{date}\nx-amz-target:{}\n\n\
             {HEADERS}\n{}",
            post.content_type,
            post.host,
            post.target,
            HEXLOWER.encode(&Sha256::digest(post.body))
        );
        let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n");
        let signature = self.sign(post.service, now_secs, &to_sign, request.as_bytes());
        PostHeaders {
            authorization: format!(
                "{ALGORITHM} Credential={}/{scope}, SignedHeaders={HEADERS}, \
                 Signature={signature}",
                self.key_id
            ),
            date,
        }
    }

    fn second(&self, life_secs: u32, now_secs: u64) -> Second {
        let moment = Moment::of(now_secs);
        let date = moment.date_and_time();
        let scope = self.scope(&moment, S3);
        let credential = escaped(&format!("{}/{scope}", self.key_id), false);
        Second {
            now_secs,
            life_secs,
            query: format!(
                "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={credential}&X-Amz-Date={date}\
                 &X-Amz-Expires={life_secs}&X-Amz-SignedHeaders=host"
            ),
            to_sign: format!("{ALGORITHM}\n{date}\n{scope}\n"),
        }
    }

    fn scope(&self, moment: &Moment, service: &str) -> String {
        format!("{}/{}/{service}/aws4_request", moment.date(), self.region)
    }

    /// The signature of a request under the key of its day.
    fn sign(&self, service: &'static str, now_secs: u64, to_sign: &str, request: &[u8]) -> String {
        let moment = Moment::of(now_secs);
        let mut days = self.days.borrow_mut();
        let at = days.iter().position(|known| known.service == service);
        let mut mac = match at.and_then(|at| days.get(at)) {
            Some(known) if known.day == moment.day => known.key.clone(),
            _ => {
                let key = self.key_of(&moment, service);
                days.retain(|known| known.service != service);
                days.push(Day {
                    day: moment.day,
                    service,
                    key: key.clone(),
                });
                key
            }
        };
        mac.update(to_sign.as_bytes());
        let mut hash = [0; 64];
        HEXLOWER.encode_mut(&Sha256::digest(request), &mut hash);
        mac.update(&hash);
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }

    fn key_of(&self, moment: &Moment, service: &str) -> Hmac<Sha256> {
        let date = moment.date();
        let secret = format!("AWS4{}", self.secret);
        [&date, &self.region, service, "aws4_request"]
            .into_iter()
            .fold(keyed(secret.as_bytes()), |mut mac, part| {
                mac.update(part.as_bytes());
                keyed(&mac.finalize().into_bytes())
            })
    }
}

/// HMAC-SHA-256 under a key of any length (RFC 2104, section 2).
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        let hash = Sha256::digest(key);
        for (to, from) in block.iter_mut().zip(hash) {
            *to = from;
        }
    } else {
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
    }
    Hmac::new(&block.into())
}

/// With all but unreserved characters escaped, a slash too unless it is one of a path.
fn escaped(text: &str, is_path: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            b'/' if is_path => escaped.push('/'),
            // Writing to a string cannot fail.
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    escaped
}
