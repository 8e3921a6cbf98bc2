//! `dermalia upload` as a practice's gateway runs it, against the deployed door: a large
//! file in parts, a run that is killed on the way, and another that goes on.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dermalia_record::ScanKey;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::deployed::bundle;
use crate::deployment::Deployed;
use crate::emulators::{COMMAND, program};

/// The size of a part, as the door has it.
const PART_BYTES: usize = 16 << 20;
/// How many parts the mesh comes in.
const PARTS: usize = 5;

/// The files of the synthetic scan, its mesh made long by comments.
fn large(scan: &ScanKey) -> Vec<(String, Vec<u8>)> {
    let mut files = bundle(scan);
    let (_, mesh) = files.iter_mut().find(|(n, _)| n == "face.obj").unwrap();
    let line = format!("# {}\n", "-".repeat(997));
    while mesh.len() < (PARTS - 1) * PART_BYTES + PART_BYTES / 2 {
        mesh.extend_from_slice(line.as_bytes());
    }
    let (bytes, sha256) = (mesh.len(), Sha256::digest(&mesh));
    let (_, manifest) = files.last_mut().unwrap();
    let mut json: Value = serde_json::from_slice(manifest).unwrap();
    let entries = json["files"].as_array_mut().unwrap();
    let entry = entries
        .iter_mut()
        .find(|e| e["name"] == "face.obj")
        .unwrap();
    entry["bytes"] = bytes.into();
    entry["sha256"] = data_encoding::HEXLOWER.encode(&sha256).into();
    *manifest = serde_json::to_vec(&json).unwrap();
    files
}

/// Uploads a large bundle: begun, killed once a part is there, begun again.
pub(crate) async fn uploads(cloud: &Deployed, credential: &str, scan: &ScanKey) {
    let files = large(scan);
    let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut command = Command::new(program(COMMAND));
    command
        .args(["--json", "upload"])
        .arg(folder.path())
        .args(["--to", &cloud.upload_url])
        .env("DERMALIA_CREDENTIAL", credential);

    // One at a time: so there is a while between the first part and the last.
    let slow = command.args(["--parallel", "1"]).stdout(Stdio::null());
    let mut cut = slow.spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while cloud.parts_waiting().await == 0 {
        assert!(cut.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(Instant::now() < end, "no part has come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cut.kill().unwrap();
    cut.wait().unwrap();
    let come = cloud.parts_waiting().await;
    assert!((1..=PARTS).contains(&come), "{come}");

    let output = command.stdout(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["bytes"], total);
    let sent = usize::try_from(told["sent_bytes"].as_u64().unwrap()).unwrap();
    let most = total - come.min(PARTS - 1) * PART_BYTES;
    assert!(
        0 < sent && sent <= most,
        "{sent} of {total}, {come} parts had come"
    );
    assert_eq!(cloud.parts_waiting().await, 0);
}
