//! `dermalia upload` against `dermalia serve`: over a line that is cut, under a credential.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::line::Line;
use crate::program::{Files, bundle_in, count, small_scan, text, told};
use crate::service::{Response, Service, delivered, free_address, request};

const CREDENTIAL: &str = "DERMALIA_CREDENTIAL";

fn add_practice(id: &str, data: &Path) -> String {
    let added = told(data, &["practice", "add", id]);
    added["credential"].as_str().unwrap().to_owned()
}

fn client(bundle: &Path, to: &str, credential: &str) -> Command {
    let mut command = Command::new(dermalia_tests::dermalia());
    command
        .args(["--json", "upload"])
        .arg(bundle)
        .args(["--to", to])
        .env(CREDENTIAL, credential)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn upload(bundle: &Path, to: &str, credential: &str) -> Output {
    client(bundle, to, credential).output().unwrap()
}

fn said(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn bundles_arrive_whole_and_from_their_own_practice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let address = free_address();
    let service = Service::start(&data, address);
    let files = small_scan();
    let nord = add_practice("praxis-nord", &data);
    let sued = add_practice("praxis-sued", &data);
    let door = format!("http://{address}/upload");

    killed_half_way(folder.path(), &data, address, &files, &nord);
    cut_and_taken_up(folder.path(), &data, address, &files, &nord);
    refused(folder.path(), &data, &door, &files, (&nord, &sued));
    another_practice(address, &data, (&nord, &sued));

    service.stop();
    let log = fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains("SCAN-KILL") && !log.contains(&nord) && !log.contains(&sued));
}

/// The line is cut in the middle of a file and the client killed; another one sends the
/// rest alone. One scan, one report.
fn killed_half_way(
    folder: &Path,
    data: &Path,
    address: SocketAddr,
    files: &Files,
    credential: &str,
) {
    let bundle = bundle_in(folder, files, "praxis-nord", "SCAN-KILL");
    let mut sizes: Vec<(&str, usize)> = files.iter().map(|(n, c)| (n.as_str(), c.len())).collect();
    sizes.retain(|(name, _)| *name != "manifest.json");
    sizes.sort_unstable();
    // In the middle of the file in the middle; each request has a head too.
    let middle = sizes.len() / 2;
    let before: usize = sizes[..middle].iter().map(|(_, bytes)| bytes + 400).sum();
    let line = Line::start(address, before + sizes[middle].1 / 2 + 3000, false);
    let mut first: Child = client(&bundle, &line.door(), credential)
        .args(["--parallel", "1"])
        .spawn()
        .unwrap();
    line.wait_until_cut();
    first.kill().unwrap();
    first.wait().unwrap();
    let incoming = data.join("store/objects/incoming/praxis-nord/SCAN-KILL");
    let there = count(&incoming);
    assert!(there > 0 && !incoming.join("manifest.json@meta").exists());

    let told = said(&upload(
        &bundle,
        &format!("http://{address}/upload"),
        credential,
    ));
    let already = told["already"].as_u64().unwrap();
    assert!(already > 0 && already < files.len() as u64, "{told}");
    assert_eq!(told["files"], files.len());
    delivered(data, "praxis-nord", "SCAN-KILL");
    let findings = data.join("store/objects/findings/praxis-nord");
    assert_eq!(
        [count(&data.join("store/objects/reports")), count(&findings)],
        [1, 1]
    );
}

/// The line is cut once: the same client goes on by itself.
fn cut_and_taken_up(
    folder: &Path,
    data: &Path,
    address: SocketAddr,
    files: &Files,
    credential: &str,
) {
    let bundle = bundle_in(folder, files, "praxis-nord", "SCAN-CUT1");
    let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
    let line = Line::start(address, bytes / 3, true);
    let told = said(&upload(&bundle, &line.door(), credential));
    assert!(line.was_cut());
    assert_eq!(told["already"], 0);
    delivered(data, "praxis-nord", "SCAN-CUT1");
}

/// What the command does not send, and how it says so.
fn refused(folder: &Path, data: &Path, door: &str, files: &Files, keys: (&str, &str)) {
    let (nord, sued) = keys;
    let bundle = bundle_in(folder, files, "praxis-nord", "SCAN-FAIL");
    for credential in [sued, "dermalia_wrong", ""] {
        let output = upload(&bundle, door, credential);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("credential"), "{error}");
        assert!(!error.contains(nord) && (credential.is_empty() || !error.contains(credential)));
    }
    let lost = upload(&bundle, &door.replace("/upload", "/elsewhere"), nord);
    assert_eq!(lost.status.code(), Some(1));
    let open = upload(&bundle, "http://upload.example.org/", nord);
    let error = String::from_utf8_lossy(&open.stderr);
    assert!(error.contains("https"), "{error}");

    // A file that was damaged before it was sent.
    let (name, _) = files
        .iter()
        .find(|(name, _)| name != "manifest.json")
        .unwrap();
    let path = bundle.join(name);
    let mut content = fs::read(&path).unwrap();
    let last = content.len() - 1;
    content[last] ^= 1;
    fs::write(&path, content).unwrap();
    let output = upload(&bundle, door, nord);
    assert_eq!(output.status.code(), Some(2));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"], "refused");
    assert!(
        error["message"].as_str().unwrap().contains(name.as_str()),
        "{error}"
    );
    assert!(
        !data
            .join("store/objects/incoming/praxis-nord/SCAN-FAIL")
            .exists()
    );
}

fn ask(address: SocketAddr, headers: &str, body: &[u8]) -> Response {
    request(address, &format!("POST /upload HTTP/1.1{headers}"), body).unwrap()
}

/// What one practice is given is of no use against another.
fn another_practice(address: SocketAddr, data: &Path, keys: (&str, &str)) {
    let (nord, sued) = keys;
    let offer = |practice: &str| {
        let file = |name: &str| json!({ "name": name, "bytes": 3, "sha256": "ab".repeat(32) });
        let files = [file("white.jpg"), file("manifest.json")];
        json!({ "practice": practice, "scan": "SCAN-0001", "files": files }).to_string()
    };
    let bearer = |credential: &str| format!("\r\nAuthorization: Bearer {credential}");
    for (headers, body, status) in [
        (bearer(nord), offer("praxis-nord"), 200),
        (bearer(nord), offer("praxis-sued"), 401),
        (bearer(sued), offer("praxis-nord"), 401),
        (bearer(nord), offer("praxis-west"), 401),
        (bearer(nord), offer("../praxis-sued"), 401),
        (bearer(""), offer("praxis-nord"), 401),
        (String::new(), offer("praxis-nord"), 401),
        (
            bearer(nord) + "\r\nOrigin: https://evil.example",
            offer("praxis-nord"),
            403,
        ),
        (bearer(nord), "{}".to_owned(), 400),
        (bearer(nord), "x".repeat(300 << 10), 400),
        (
            bearer(nord),
            offer("praxis-nord").replace("white.jpg", "../white.jpg"),
            422,
        ),
        (
            bearer(nord),
            offer("praxis-nord").replace("SCAN-0001", "SCAN/../0001"),
            422,
        ),
    ] {
        let answer = ask(address, &headers, body.as_bytes());
        assert_eq!(answer.status, status, "{headers} {answer:?}");
    }
    let read = request(address, "GET /upload HTTP/1.1", b"").unwrap();
    assert_eq!(read.status, 405);

    // With a signature for one's own file.
    let answer = ask(address, &bearer(nord), offer("praxis-nord").as_bytes());
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        answer["files"][1]["state"], "later",
        "the manifest comes last"
    );
    let url = answer["files"][0]["url"].as_str().unwrap();
    assert!(
        url.starts_with("/upload/praxis-nord/SCAN-0001/white.jpg?"),
        "{url}"
    );
    let path = url.split('?').next().unwrap();
    let stated = format!("\r\nX-Checksum-SHA256: {}", "ab".repeat(32));
    let other = format!("\r\nX-Checksum-SHA256: {}", "cd".repeat(32));
    let (stated, other) = (stated.as_str(), other.as_str());
    let table = [
        ("GET", url.to_owned(), stated, 0, 405),
        ("DELETE", url.to_owned(), stated, 0, 405),
        (
            "PUT",
            url.replace("praxis-nord", "praxis-sued"),
            stated,
            3,
            403,
        ),
        ("PUT", url.replace("SCAN-0001", "SCAN-0002"), stated, 3, 403),
        (
            "PUT",
            url.replace("white.jpg", "manifest.json"),
            stated,
            3,
            403,
        ),
        (
            "PUT",
            url.replace("signature=", "signature=00"),
            stated,
            3,
            403,
        ),
        ("PUT", url.replace("expires=", "expires=9"), stated, 3, 403),
        ("PUT", url.to_owned(), stated, 4, 403),
        ("PUT", url.to_owned(), other, 3, 403),
        ("PUT", url.to_owned(), "", 3, 403),
        // Signed for, but the content has another checksum.
        ("PUT", url.to_owned(), stated, 3, 422),
        // Not signed at all: whoever has a credential is not written for without it.
        ("PUT", path.to_owned(), stated, 3, 401),
        ("PUT", path.replace("nord", "sued"), "", 3, 401),
    ];
    for (method, path, headers, bytes, status) in table {
        let head = format!("{method} {path} HTTP/1.1{headers}");
        let answer = request(address, &head, &vec![7; bytes]).unwrap();
        assert_eq!(answer.status, status, "{head} {answer:?}");
    }
    let incoming = data.join("store/objects/incoming");
    assert!(!incoming.join("praxis-sued").exists());
    assert!(!incoming.join("praxis-nord/SCAN-0001").exists());
}
