//! What the deployment says: public keys, where the reports are, and where
//! messages go.

use std::cell::RefCell;
use std::rc::Rc;

use dermalia_edge_signing::{Bucket, Signer};
use dermalia_link::Host;
use worker::{Env, Url};

/// Everything a request needs, read once in the life of an isolate.
pub(crate) struct Config {
    pub(crate) host: Host,
    pub(crate) bucket: Bucket,
    pub(crate) signer: Signer,
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
    let routing = Host {
        keys: var("LINK_PUBLIC_KEYS")?
            .parse()
            .map_err(|_| "LINK_PUBLIC_KEYS")?,
        session: secret("SESSION_KEY")?.parse().map_err(|_| "SESSION_KEY")?,
    };
    let queue = |name| {
        let url: Url = var(name)?.parse().map_err(|_| name)?;
        // As with S3: unencrypted to an emulator alone.
        is_encrypted(&url).map(|_| url).ok_or(name)
    };
    let endpoint: Url = var("S3_ENDPOINT")?.parse().map_err(|_| "S3_ENDPOINT")?;
    let name = var("S3_BUCKET")?;
    let host = host_and_port(&endpoint).ok_or("S3_ENDPOINT")?;
    // S3 itself has a host for each bucket; an emulator has one.
    let bucket = if is_encrypted(&endpoint).ok_or("S3_ENDPOINT")? {
        Bucket::with_own_host(endpoint.scheme(), &host, &name)
    } else {
        Bucket::in_path(endpoint.scheme(), &host, &name)
    };
    Ok(Config {
        host: routing,
        bucket,
        signer: Signer::new(
            secret("S3_ACCESS_KEY_ID")?,
            secret("S3_SECRET_ACCESS_KEY")?,
            var("S3_REGION")?,
        ),
        access_queue: queue("ACCESS_QUEUE_URL")?,
        request_queue: queue("REQUEST_QUEUE_URL")?,
    })
}

/// Whether it is reached by TLS; an emulator is the only thing that may be asked without.
fn is_encrypted(url: &Url) -> Option<bool> {
    match (url.scheme(), url.host_str()?) {
        ("https", _) => Some(true),
        ("http", "127.0.0.1" | "localhost" | "[::1]") => Some(false),
        _ => None,
    }
}

/// The host, with its port unless that is the scheme's own.
pub(crate) fn host_and_port(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}
