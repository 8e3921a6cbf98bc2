//! A running embedded cloud.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use dermalia_analyze::{Analyze, SkinMeasurer};
use dermalia_embedded::DataDir;
use dermalia_record::port::{Body, Queue, RecordStore};
use dermalia_record::{Phase, ScanKey, ScanRecord, Settings};
use dermalia_report_function::{PageRenderer, Report};
use dermalia_scan::{Archive, BundleSource, Folder, Limits, MANIFEST_NAME, Manifest};
use dermalia_upload::{Received, Target, accept, announce};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ServeOptions;
use super::drop_folder;
use super::http::{self, Server};
use super::local::Local;
use super::workers::{self, Stop};

/// How often a waiting caller looks at the record.
const LOOK: Duration = Duration::from_millis(25);

/// A running embedded cloud. It ends with [`Cloud::shutdown`].
pub(crate) struct Cloud {
    local: Local,
    settings: Arc<Settings>,
    limits: Limits,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    /// Kept for its lock.
    _data: DataDir,
}

/// How a scan ended.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// Its record.
    pub(crate) record: ScanRecord,
    /// The address of its report, if it has one.
    pub(crate) link: Option<String>,
}

impl Cloud {
    /// Takes the data folder, opens the stores, and starts the workers and the server.
    pub(crate) async fn start(options: &ServeOptions) -> anyhow::Result<Self> {
        let data = DataDir::take(&options.data)?;
        let layout = data.layout();
        let local = Local::take(&layout).await?;
        let listener = TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("cannot listen on {}", options.listen))?;
        let address = listener.local_addr()?;
        let base_url = match &options.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{address}"),
        };
        fs::write(layout.public_url(), format!("{base_url}\n"))
            .context("the data folder cannot be written")?;
        let settings = Arc::new(Settings {
            base_url,
            ..Settings::default()
        });
        let limits = Limits::default();
        let forgotten = workers::announce_forgotten(&local).await?;
        if forgotten > 0 {
            tracing::info!(forgotten, "bundles announced again");
        }

        let measurer = Arc::new(SkinMeasurer::default());
        let analyze = Analyze::new(local.ports.clone(), measurer, Arc::clone(&settings));
        let renderer = Arc::new(PageRenderer);
        let (key, terms) = (Arc::clone(&local.key), Arc::clone(&settings));
        let report = Report::new(local.ports.clone(), renderer, key, terms);

        let (sender, stop) = Stop::new();
        let mut tasks = JoinSet::new();
        for _ in 0..options.workers.max(1) {
            let analyze = analyze.clone();
            let handler = move |body: String, attempt| {
                let analyze = analyze.clone();
                async move { analyze.handle(&body, attempt).await.map(drop) }
            };
            let queue: Arc<dyn Queue> = Arc::new(local.uploads.clone());
            tasks.spawn(workers::work(queue, handler, stop.clone()));
        }
        let reporter = report.clone();
        let handler = move |body: String, attempt| {
            let report = reporter.clone();
            async move { report.handle(&body, attempt).await.map(drop) }
        };
        let queue: Arc<dyn Queue> = Arc::new(local.reports.clone());
        tasks.spawn(workers::work(queue, handler, stop.clone()));
        let rights = local.rights(settings.as_ref().clone());
        let handler = move |body: String, attempt| {
            let rights = rights.clone();
            async move { rights.handle(&body, attempt).await.map(drop) }
        };
        let queue: Arc<dyn Queue> = Arc::new(local.requests.clone());
        tasks.spawn(workers::work(queue, handler, stop.clone()));
        let (sweeper, terms) = (local.clone(), Arc::clone(&settings));
        let sweeping = workers::sweep(sweeper, terms, analyze, report, stop.clone());
        tasks.spawn(sweeping);
        let drop_folder = layout.drop_folder();
        tasks.spawn(drop_folder::watch(
            drop_folder,
            local.clone(),
            limits.clone(),
            stop.clone(),
        ));
        let server = Server::new(local.clone(), limits.clone())?;
        tasks.spawn(http::run(listener, server, stop));

        Ok(Self {
            local,
            settings,
            limits,
            address,
            stop: sender,
            tasks,
            _data: data,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Uploads a bundle, a folder or an archive, as a scanner would: file by file, the
    /// manifest last. Gives the scan and the number of bytes.
    pub(crate) async fn upload(&self, bundle: &Path) -> anyhow::Result<(ScanKey, u64)> {
        let (bundle, limits) = (bundle.to_owned(), self.limits.clone());
        let (scan, files) =
            tokio::task::spawn_blocking(move || read_bundle(&bundle, &limits)).await??;
        let mut total = 0;
        for (target, content) in files {
            let bytes = u64::try_from(content.len())?;
            let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(&content));
            let received = Received {
                scan: scan.clone(),
                target,
                body: Body::Bytes(content),
                bytes,
                expected_sha256: Some(sha256.clone()),
                sha256,
            };
            let accepted = accept(&self.local.ports, received, &self.limits).await?;
            if accepted.completes {
                announce(&self.local.ports, &accepted, bytes).await?;
            }
            total += bytes;
        }
        Ok((scan, total))
    }

    /// Waits until a scan is delivered, refused or failed; `on_phase` hears of every new
    /// phase, one that went by between two looks included.
    pub(crate) async fn wait_for(
        &self,
        scan: &ScanKey,
        mut on_phase: impl FnMut(Phase),
    ) -> anyhow::Result<Finished> {
        let mut seen = None;
        loop {
            ensure!(!self.tasks.is_empty(), "the service has stopped");
            if let Some(record) = self.local.records.get(scan).await? {
                let phase = record.phase();
                if seen != Some(phase) {
                    if phase == Phase::Delivered && seen != Some(Phase::Reported) {
                        on_phase(Phase::Reported);
                    }
                    on_phase(phase);
                    seen = Some(phase);
                }
                if matches!(phase, Phase::Delivered | Phase::Refused | Phase::Failed) {
                    let link = self.local.link_url(&record, &self.settings);
                    return Ok(Finished { link, record });
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends what is being worked on, and stops.
    pub(crate) async fn shutdown(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(panicked = error.is_panic(), "a task ended before its time");
            }
        }
    }
}

type Files = Vec<(Target, Vec<u8>)>;

/// The files of a bundle in the order in which a scanner sends them, and whose they are.
fn read_bundle(bundle: &Path, limits: &Limits) -> anyhow::Result<(ScanKey, Files)> {
    if bundle.is_file() {
        let mut archive = Archive::open(fs::File::open(bundle)?, limits)?;
        archive.entries(limits)?;
        let manifest =
            Manifest::parse(&archive.read(MANIFEST_NAME, limits.manifest_bytes)?, limits)?;
        return Ok((
            scan_key(&manifest)?,
            vec![(Target::Archive, fs::read(bundle)?)],
        ));
    }
    let mut folder = Folder::new(bundle);
    let mut files = Files::new();
    for entry in folder.entries(limits)? {
        let content = folder.read(&entry.name, limits.unpacked_bytes)?;
        files.push((Target::File(entry.name), content));
    }
    let is_manifest = |target: &Target| *target == Target::File(MANIFEST_NAME.to_owned());
    files.sort_by_key(|(target, _)| is_manifest(target));
    let manifest = files
        .last()
        .filter(|(target, _)| is_manifest(target))
        .with_context(|| format!("the bundle has no {MANIFEST_NAME}"))?;
    let manifest = Manifest::parse(&manifest.1, limits)?;
    Ok((scan_key(&manifest)?, files))
}

fn scan_key(manifest: &Manifest) -> anyhow::Result<ScanKey> {
    Ok(ScanKey {
        practice: manifest.practice_id.parse()?,
        scan: manifest.scan_id.parse()?,
    })
}
