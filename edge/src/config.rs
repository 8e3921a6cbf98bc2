//! What the deployment says: public keys, where the reports are, and where
//! messages go.

use std::cell::RefCell;
use std::rc::Rc;

use dermalia_link::Host;
use rusty_s3::{Bucket, Credentials, UrlStyle};
use worker::{Env, Url};

/// Everything a request needs, read once in the life of an isolate.
pub(crate) struct Config {
    pub(crate) host: Host,
    pub(crate) bucket: Bucket,
    pub(crate) credentials: Credentials,
    pub(crate) access_queue: Url,
    pub(crate) request_queue: Url,
}

thread_local! {
    static CONFIG: RefCell<Option<Rc<Config>>> = const { RefCell::new(None) };
}

/// The configuration; the name of the variable that is missing or wrong
/// otherwise, never its value.
pub(crate) fn load(env: &Env) -> Result<Rc<Config>, &'static str> {
    if let Some(config) = CONFIG.with_borrow(Clone::clone) {
        return Ok(config);
    }
    let config = Rc::new(read(env)?);
    CONFIG.set(Some(Rc::clone(&config)));
    Ok(config)
}

fn read(env: &Env) -> Result<Config, &'static str> {
    let var = |name| {
        env.var(name)
            .map(|value| value.to_string())
            .map_err(|_| name)
    };
    let secret = |name| {
        env.secret(name)
            .map(|value| value.to_string())
            .map_err(|_| name)
    };
    let host = Host {
        keys: var("LINK_PUBLIC_KEYS")?
            .parse()
            .map_err(|_| "LINK_PUBLIC_KEYS")?,
        session: secret("SESSION_KEY")?.parse().map_err(|_| "SESSION_KEY")?,
    };
    let queue = |name| {
        let url: Url = var(name)?.parse().map_err(|_| name)?;
        // As with S3: unencrypted to an emulator alone.
        url_style(&url).map(|_| url).ok_or(name)
    };
    let endpoint: Url = var("S3_ENDPOINT")?.parse().map_err(|_| "S3_ENDPOINT")?;
    let style = url_style(&endpoint).ok_or("S3_ENDPOINT")?;
    let bucket = Bucket::new(endpoint, style, var("S3_BUCKET")?, var("S3_REGION")?)
        .map_err(|_| "S3_BUCKET")?;
    let credentials =
        Credentials::new(secret("S3_ACCESS_KEY_ID")?, secret("S3_SECRET_ACCESS_KEY")?);
    Ok(Config {
        host,
        bucket,
        credentials,
        access_queue: queue("ACCESS_QUEUE_URL")?,
        request_queue: queue("REQUEST_QUEUE_URL")?,
    })
}

/// S3 itself has a host for each bucket; an emulator has one, and is the only
/// thing that may be asked without encryption.
fn url_style(endpoint: &Url) -> Option<UrlStyle> {
    match (endpoint.scheme(), endpoint.host_str()?) {
        ("https", _) => Some(UrlStyle::VirtualHost),
        ("http", "127.0.0.1" | "localhost" | "[::1]") => Some(UrlStyle::Path),
        _ => None,
    }
}
