//! `dermalia serve` as a scanner, a practice and a patient meet it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Files, count, run_on, small_scan, told};
use crate::service::{self, Response, Service, free_address, gone, renamed, request, token};

fn put(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Response {
    request(address, &format!("PUT {path} HTTP/1.1{headers}"), body).expect("an answer")
}

fn get(address: SocketAddr, path: &str) -> Response {
    request(address, &format!("GET {path} HTTP/1.1"), b"").expect("an answer")
}

/// What `dermalia link` says, beside the running service.
fn link(data: &Path, command: &str, scan: &str) -> Value {
    told(data, &["link", command, scan])
}

fn ended(data: &Path, scan: &str) -> Value {
    service::ended(data, "praxis-demo", scan)
}

fn path_of(shown: &Value) -> String {
    format!("/r/{}", token(shown))
}

fn upload(address: SocketAddr, scan: &str, files: &Files) {
    for (name, content) in files {
        let answer = put(
            address,
            &format!("/upload/praxis-demo/{scan}/{name}"),
            "",
            content,
        );
        assert_eq!(answer.status, 201, "{name}: {answer:?}");
    }
}

#[test]
fn from_upload_to_link() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let address = free_address();
    let service = Service::start(&data, address);
    let phantom = small_scan();

    refusals_at_the_door(address);

    // A good scan, whose link is renewed and revoked.
    let canary = "kanarienvogel@example.org";
    upload(
        address,
        "SCAN-GOOD",
        &renamed(&phantom, "SCAN-GOOD", canary),
    );
    let shown = ended(&data, "SCAN-GOOD");
    assert_eq!(shown["state"], "delivered", "{shown}");
    let first = path_of(&shown);
    let page = get(address, &first);
    assert_eq!(page.status, 200);
    let html = String::from_utf8(page.body).unwrap();
    assert!(html.contains("Alex") && !html.contains("kanarienvogel"));
    for header in [
        "content-security-policy: default-src 'none'",
        "referrer-policy: no-referrer",
        "cache-control: private, no-store",
        "x-robots-tag: noindex",
    ] {
        assert!(
            page.head.to_lowercase().contains(header),
            "{header}\n{}",
            page.head
        );
    }
    // Whatever the page refers to answers too.
    let references: Vec<&str> = html
        .split("href=\"?")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(
        references.contains(&"data.json") && references.contains(&"scan.glb"),
        "{references:?}"
    );
    for file in &references {
        assert_eq!(
            get(address, &format!("{first}?{file}")).status,
            200,
            "{file}"
        );
    }
    let part = request(
        address,
        &format!("GET {first}?scan.glb HTTP/1.1\r\nRange: bytes=0-3"),
        b"",
    );
    let part = part.unwrap();
    assert_eq!((part.status, part.body.as_slice()), (206, &b"glTF"[..]));
    let head = request(address, &format!("HEAD {first} HTTP/1.1"), b"").unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        get(address, &format!("{first}?findings.json")).status,
        404,
        "not in the report"
    );

    let renewed = link(&data, "issue", "SCAN-GOOD");
    let second = path_of(&renewed);
    assert_eq!(
        (get(address, &first).status, get(address, &second).status),
        (200, 200)
    );
    let revoked = link(&data, "revoke", "SCAN-GOOD");
    assert!(revoked["link"].is_null());
    assert_eq!(
        (get(address, &first).status, get(address, &second).status),
        (410, 410)
    );
    let third = path_of(&link(&data, "issue", "SCAN-GOOD"));
    assert_eq!(
        (get(address, &third).status, get(address, &second).status),
        (200, 410)
    );
    assert!(service::shown(&data, "praxis-demo", "SCAN-NONE").is_none());

    // A field that the contract does not know refuses the bundle and deletes it.
    let mut bad = renamed(&phantom, "SCAN-BAD0", canary);
    let manifest = &mut bad.last_mut().unwrap().1;
    let mut value: Value = serde_json::from_slice(manifest).unwrap();
    value["patient"]["date_of_birth"] = "1980-01-01".into();
    *manifest = value.to_string().into_bytes();
    upload(address, "SCAN-BAD0", &bad);
    let shown = ended(&data, "SCAN-BAD0");
    assert_eq!(shown["state"], "refused");
    let reason = shown["reason"].as_str().unwrap();
    assert!(
        reason.contains("date_of_birth") && !reason.contains("1980"),
        "{reason}"
    );
    assert!(shown["link"].is_null());
    // What came is gone: of the good one a copy without metadata is kept for its days.
    let objects = data.join("store/objects");
    let incoming = objects.join("incoming/praxis-demo");
    gone(&incoming.join("SCAN-BAD0"));
    gone(&incoming.join("SCAN-GOOD"));
    let findings = objects.join("findings/praxis-demo");
    assert!(findings.join("SCAN-GOOD/bundle").is_dir() && !findings.join("SCAN-BAD0").exists());

    a_second_upload(address, &data, &renamed(&phantom, "SCAN-GOOD", canary));
    a_second_process(&data);

    watched_folder(&data, &phantom);

    // Nobody else reads the data, and no log names the patient.
    for private in [
        "",
        "state.sqlite",
        "keys.sqlite",
        "signing.key",
        "sealing.key",
        "audit.key",
        "outbox",
        "store",
    ] {
        let mode = fs::metadata(data.join(private))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{private} has mode {mode:o}");
    }
    service.stop();
    let log = fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains("SCAN-GOOD"), "the log is not empty");
    for personal in ["kanarienvogel", "Alex", "/r/"] {
        assert!(!log.contains(personal), "{personal} in the log:\n{log}");
    }
}

/// The same bundle once more: still one findings set, one report, one e-mail, and the link
/// that the patient has shows it.
fn a_second_upload(address: SocketAddr, data: &Path, files: &Files) {
    let objects = data.join("store/objects");
    let counts = || {
        [
            count(&objects.join("reports")),
            count(&objects.join("findings/praxis-demo/SCAN-GOOD")),
            count(&data.join("outbox")),
        ]
    };
    let before = counts();
    assert_eq!(before, [1, 2, 1], "reports, run and bundle, mails");
    let link_before = path_of(&link(data, "show", "SCAN-GOOD"));
    let ids = |folder: &str| -> Vec<_> {
        let entries = fs::read_dir(objects.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let (report, runs) = (ids("reports"), ids("findings/praxis-demo/SCAN-GOOD"));
    upload(address, "SCAN-GOOD", files);
    gone(&objects.join("incoming/praxis-demo/SCAN-GOOD"));
    assert_eq!(ended(data, "SCAN-GOOD")["state"], "delivered");
    assert_eq!(counts(), before);
    assert_eq!(ids("reports"), report);
    assert_ne!(ids("findings/praxis-demo/SCAN-GOOD"), runs, "analysed anew");
    assert_eq!(path_of(&link(data, "show", "SCAN-GOOD")), link_before);
    assert_eq!(get(address, &link_before).status, 200);
}

/// A second service on the same folder refuses, and names it.
fn a_second_process(data: &Path) {
    let output = run_on(data, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains(&data.display().to_string()) && message.contains("another process"),
        "{message}"
    );
}

fn refusals_at_the_door(address: SocketAddr) {
    let file = "/upload/praxis-demo/SCAN-DOOR/white.jpg";
    let empty_sha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let table: [(&str, &str, String, usize, u16); 13] = [
        ("PUT", file, String::new(), 10, 201),
        (
            "PUT",
            file,
            format!("\r\nX-Checksum-SHA256: {empty_sha}"),
            0,
            201,
        ),
        (
            "PUT",
            file,
            format!("\r\nX-Checksum-SHA256: {empty_sha}"),
            1,
            422,
        ),
        (
            "PUT",
            file,
            "\r\nOrigin: http://evil.example".to_owned(),
            10,
            403,
        ),
        ("GET", file, String::new(), 0, 405),
        (
            "PUT",
            "/upload/Praxis/SCAN-DOOR/white.jpg",
            String::new(),
            1,
            400,
        ),
        (
            "PUT",
            "/upload/praxis-demo/short/white.jpg",
            String::new(),
            1,
            400,
        ),
        (
            "PUT",
            "/upload/praxis-demo/SCAN-DOOR/..%2Fmanifest.json",
            String::new(),
            1,
            400,
        ),
        (
            "PUT",
            "/upload/praxis-demo/SCAN-DOOR/manifest.json",
            String::new(),
            (1 << 20) + 1,
            413,
        ),
        (
            "PUT",
            "/upload/praxis-demo/SCAN-DOOR",
            String::new(),
            1,
            404,
        ),
        (
            "PUT",
            "/upload/praxis-demo/SCAN-DOOR/a/b",
            String::new(),
            1,
            404,
        ),
        ("GET", "/healthz", String::new(), 0, 200),
        ("GET", "/r/AAAA", String::new(), 0, 404),
    ];
    for (method, path, headers, bytes, status) in table {
        let answer = request(
            address,
            &format!("{method} {path} HTTP/1.1{headers}"),
            &vec![7; bytes],
        );
        let answer = answer.unwrap_or_else(|| panic!("{method} {path}: no answer"));
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
}

/// A folder and an archive that are copied into `incoming/`.
fn watched_folder(data: &Path, phantom: &Files) {
    let practice = data.join("incoming/praxis-demo");
    let scan = practice.join("SCAN-DROP");
    fs::create_dir_all(&scan).unwrap();
    let files = renamed(phantom, "SCAN-DROP", "drop@example.org");
    // The manifest first: the bundle is not taken before the rest is there.
    for (name, content) in files.iter().rev() {
        fs::write(scan.join(name), content).unwrap();
        thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(ended(data, "SCAN-DROP")["state"], "delivered");

    // What is no archive is refused by the analysis, with a reason.
    fs::write(practice.join("SCAN-ZIP0.zip"), b"no archive").unwrap();
    let shown = ended(data, "SCAN-ZIP0");
    assert_eq!(
        (&shown["state"], shown["reason"].is_string()),
        (&"refused".into(), true)
    );
    assert_eq!(
        fs::read_dir(&practice).unwrap().count(),
        0,
        "what was taken is gone"
    );
}
