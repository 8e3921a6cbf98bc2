//! The embedded cloud: the handlers of `functions/` in one process, over the embedded
//! ports, with an upload end point, a watched folder and a server for the links.

mod cloud;
mod door;
mod drop_folder;
mod http;
mod link_server;
mod local;
mod workers;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) use cloud::Cloud;
pub(crate) use local::{Local, settings_of};

/// How the embedded cloud is to run.
#[derive(Debug, Clone)]
pub(crate) struct ServeOptions {
    /// Where everything is kept.
    pub(crate) data: PathBuf,
    /// Where uploads and reports are served; port 0 takes any free one.
    pub(crate) listen: SocketAddr,
    /// What links begin with; the listening address by default.
    pub(crate) public_url: Option<String>,
    /// How many scans are analysed at a time; each uses all cores.
    pub(crate) workers: usize,
}

/// Runs until Ctrl-C or SIGTERM, then ends what is being worked on and stops. `ready` is
/// told the address once uploads are taken.
pub(crate) async fn serve(
    options: ServeOptions,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let mut stop = StopSignal::listen()?;
    let cloud = Cloud::start(&options).await?;
    tracing::info!(address = %cloud.address(), "ready");
    ready(cloud.address());
    stop.wait().await;
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        () = cloud.shutdown() => {}
        () = stop.wait() => {}
    }
    Ok(())
}

/// Ctrl-C and SIGTERM, heard from the moment this is made.
pub(crate) struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Begins to listen: from here on, neither signal ends the process by itself.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of either.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
