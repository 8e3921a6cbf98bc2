//! Two practices on one service: every command and every route of the one with what
//! belongs to the other.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::program::{Files, bundle_in, done, files_under, run_on, sha256, small_scan, told};
use crate::service::{Service, delivered, ended, free_address, gone, request, shown, token};

const NORD: &str = "praxis-nord";
const SUED: &str = "praxis-sued";
/// Only the one practice has this scan.
const NORDS: &str = "SCAN-NORD";
/// Both have a scan of this name.
const BOTH: &str = "SCAN-BOTH";

/// The subcommands that a help text lists.
fn commands(of: &[&str]) -> Vec<String> {
    let help = done(&[of, &["--help"]].concat());
    let listed = help.split("Commands:\n").nth(1).unwrap();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let name = |line: &str| {
        let is_command = line.starts_with("  ") && !line.starts_with("   ");
        is_command.then(|| line.split_whitespace().next().map(str::to_owned))?
    };
    lines.filter_map(name).filter(|n| n != "help").collect()
}

/// What the two see of one service.
struct World {
    data: PathBuf,
    address: SocketAddr,
    credentials: BTreeMap<&'static str, String>,
}

impl World {
    fn upload(&self, bundle: &Path, practice: &str) -> Output {
        Command::new(dermalia_tests::dermalia())
            .args(["--json", "upload"])
            .arg(bundle)
            .args(["--to", &format!("http://{}/upload", self.address)])
            .env("DERMALIA_CREDENTIAL", &self.credentials[practice])
            .output()
            .unwrap()
    }

    fn show(&self, practice: &str, scan: &str) -> Option<Value> {
        shown(&self.data, practice, scan)
    }

    /// Asks the service; gives status and body.
    fn ask(&self, head: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let head = format!("{head} HTTP/1.1{headers}");
        let answer = request(self.address, &head, body).expect("an answer");
        (answer.status, answer.body)
    }

    /// Everything that the service keeps of the one practice, and what it says of it.
    fn of_nord(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let objects = self.data.join("store/objects");
        let report = self.report(NORD, NORDS);
        for folder in [
            objects.join("findings").join(NORD),
            objects.join("incoming").join(NORD),
            objects.join("reports").join(report),
        ] {
            for file in files_under(&folder) {
                let hash = sha256(&fs::read(&file).unwrap());
                found.insert(file.display().to_string(), hash);
            }
        }
        for scan in [NORDS, BOTH] {
            let shown = self.show(NORD, scan).unwrap();
            found.insert(scan.to_owned(), shown.to_string());
        }
        let log = run_on(&self.data, &["audit", "show", NORD]);
        found.insert("log".to_owned(), String::from_utf8(log.stdout).unwrap());
        found
    }

    /// The folder of a scan's report, told by its practice's own link.
    fn report(&self, practice: &str, scan: &str) -> String {
        let token = self.token(practice, scan);
        let bytes = base64url(&token);
        // Version, key id, then the report's id.
        bytes[3..19].iter().map(|b| format!("{b:02x}")).collect()
    }

    fn token(&self, practice: &str, scan: &str) -> String {
        token(&self.show(practice, scan).unwrap())
    }
}

fn base64url(text: &str) -> Vec<u8> {
    let digit = |b: u8| match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for b in text.bytes() {
        bits = (bits << 6) | u32::from(digit(b));
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn a_practice_reaches_nothing_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let address = free_address();
    let service = Service::start(&data, address);
    let mut credentials = BTreeMap::new();
    for practice in [NORD, SUED] {
        let added = told(&data, &["practice", "add", practice]);
        let credential = added["credential"].as_str().unwrap().to_owned();
        credentials.insert(practice, credential);
    }
    let world = World {
        data,
        address,
        credentials,
    };
    let files = small_scan();
    for (practice, scan) in [(NORD, NORDS), (NORD, BOTH), (SUED, BOTH)] {
        let bundle = bundle_in(folder.path(), &files, practice, scan);
        let sent = world.upload(&bundle, practice);
        let error = String::from_utf8_lossy(&sent.stderr);
        assert!(sent.status.success(), "{practice}: {error}");
    }
    for (practice, scan) in [(NORD, NORDS), (NORD, BOTH), (SUED, BOTH)] {
        delivered(&world.data, practice, scan);
    }
    // What is kept of the bundles is there, and nothing moves any more.
    let incoming = world.data.join("store/objects/incoming").join(NORD);
    for scan in [NORDS, BOTH] {
        gone(&incoming.join(scan));
    }

    let before = world.of_nord();
    assert!(before.len() > 12, "{before:?}");
    by_command(&world, folder.path());
    by_the_door(&world);
    by_link(&world);
    assert_eq!(world.of_nord(), before);

    // Nor does the same name make it the same scan.
    told(&world.data, &["rights", "erase", BOTH, "--practice", SUED]);
    told(
        &world.data,
        &["practice", "terms", SUED, "--retention-months", "1"],
    );
    told(&world.data, &["practice", "rotate", SUED]);
    told(&world.data, &["practice", "retire", SUED]);
    told(&world.data, &["sweep"]);
    assert_eq!(world.of_nord(), before);
    assert!(world.show(SUED, BOTH).is_none());
    let token = world.token(NORD, BOTH);
    assert_eq!(world.ask(&format!("GET /r/{token}"), "", b"").0, 200);
    let log = run_on(&world.data, &["audit", "show", SUED]);
    let log = String::from_utf8(log.stdout).unwrap();
    assert!(log.contains(BOTH) && !log.contains(NORDS), "{log}");
    mixed_up(&world, folder.path(), &files);
    assert_eq!(world.of_nord(), before);
    service.stop();
}

/// Every command that names a scan, by the wrong practice.
fn by_command(world: &World, folder: &Path) {
    let out = folder.join("stolen.zip");
    let out = out.to_str().unwrap();
    let table: &[(&str, &str, &[&str])] = &[
        ("link", "issue", &[]),
        ("link", "show", &[]),
        ("link", "revoke", &[]),
        ("link", "code", &[]),
        ("rights", "access", &["--out", out]),
        ("rights", "rectify", &["--email", "dieb@example.org"]),
        ("rights", "erase", &[]),
        ("rights", "restrict", &[]),
        ("rights", "restrict", &["--lift"]),
        ("rights", "portability", &["--out", out]),
        ("rights", "object", &[]),
        ("rights", "object", &["--withdraw"]),
        ("rights", "certificate", &[]),
    ];
    for (group, command, more) in table {
        let scan = [group, command, NORDS, "--practice", SUED];
        let output = run_on(&world.data, &[&scan, *more].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{group} {command}");
        assert!(error.contains("no such scan"), "{group} {command}: {error}");
        assert!(output.stdout.is_empty(), "{group} {command}");
    }
    assert!(!Path::new(out).exists());
    // A command that is added has to be asked of here too.
    for group in ["link", "rights"] {
        for command in commands(&[group]) {
            let is_known = table.iter().any(|(g, c, _)| *g == group && *c == command);
            assert!(
                is_known,
                "{group} {command} is not tried with another practice's scan"
            );
        }
    }
    // These name a practice, or none, and no scan of a service's.
    let others = [
        "demo", "analyze", "compare", "report", "export", "phantom", "serve", "upload", "link",
        "rights", "audit", "sweep", "practice", "ops", "keys",
    ];
    for command in commands(&[]) {
        assert!(
            others.contains(&command.as_str()),
            "{command} is not known here"
        );
    }
}

/// The door and the uploads, with the wrong credential, signature or path.
fn by_the_door(world: &World) {
    let sha256 = sha256(b"abc");
    let offer = |practice: &str, scan: &str| {
        let file = |name: &str| json!({ "name": name, "bytes": 3, "sha256": sha256 });
        let files = [file("white.jpg"), file("manifest.json")];
        json!({ "practice": practice, "scan": scan, "files": files }).to_string()
    };
    let bearer = |practice: &str| {
        let credential = &world.credentials[practice];
        format!("\r\nAuthorization: Bearer {credential}")
    };
    for (named, credential) in [(NORD, SUED), (SUED, NORD)] {
        let body = offer(named, NORDS);
        let (status, answer) = world.ask("POST /upload", &bearer(credential), body.as_bytes());
        assert_eq!(status, 401, "{}", String::from_utf8_lossy(&answer));
    }
    // Its own request, signed, led to the other's folder.
    let body = offer(SUED, "SCAN-STEAL");
    let (status, answer) = world.ask("POST /upload", &bearer(SUED), body.as_bytes());
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let text = answer.to_string();
    let url = text.split("\"url\":\"").nth(1).unwrap();
    let url = url.split('"').next().unwrap();
    assert!(url.starts_with(&format!("/upload/{SUED}/SCAN-STEAL/white.jpg?")));
    let checksum = format!("\r\nX-Checksum-SHA256: {sha256}");
    let query = url.split_once('?').unwrap().1;
    for path in [
        format!("/upload/{NORD}/{NORDS}/white.jpg?{query}"),
        format!("/upload/{NORD}/SCAN-STEAL/white.jpg?{query}"),
        format!("/upload/{SUED}/SCAN-STEAL/manifest.json?{query}"),
        format!("/upload/{NORD}/{NORDS}.zip?{query}"),
    ] {
        let (status, _) = world.ask(&format!("PUT {path}"), &checksum, b"abc");
        assert_eq!(status, 403, "{path}");
    }
    for path in [
        format!("/upload/{NORD}/{NORDS}/white.jpg"),
        format!("/upload/{NORD}/{NORDS}/manifest.json"),
        format!("/upload/{NORD}/{NORDS}.zip"),
    ] {
        for headers in [String::new(), bearer(SUED)] {
            let (status, _) = world.ask(&format!("PUT {path}"), &headers, b"abc");
            assert_eq!(status, 401, "{path}");
        }
    }
    // Paths that climb.
    for path in [
        format!("/upload/{SUED}/..%2F{NORD}%2F{NORDS}/white.jpg?{query}"),
        format!("/upload/{SUED}/SCAN-STEAL/..%2F..%2F{NORD}%2F{NORDS}%2Fwhite.jpg?{query}"),
        format!("/upload/{SUED}/../{NORD}/{NORDS}/white.jpg?{query}"),
    ] {
        let (status, _) = world.ask(&format!("PUT {path}"), &checksum, b"abc");
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    // And it works as it was signed.
    let (status, _) = world.ask(&format!("PUT {url}"), &checksum, b"abc");
    assert_eq!(status, 201);
}

/// Links: a report's own token reaches its own files.
fn by_link(world: &World) {
    let (own, others) = (world.token(SUED, BOTH), world.token(NORD, NORDS));
    assert_eq!(world.ask(&format!("GET /r/{own}"), "", b"").0, 200);
    let report = world.report(NORD, NORDS);
    for path in [
        format!("/r/{own}?../{report}/report.html"),
        format!("/r/{own}?..%2F{report}%2Freport.html"),
        format!("/r/{own}/..%2F{report}%2Freport.html"),
        format!("/r/{own}/{report}/report.html"),
        format!("/r/{report}"),
        format!("/reports/{report}/report.html"),
        format!("/findings/{NORD}/{NORDS}"),
    ] {
        let (status, body) = world.ask(&format!("GET {path}"), "", b"");
        assert_eq!(status, 404, "{path}");
        assert!(!String::from_utf8_lossy(&body).contains(NORDS), "{path}");
    }
    // The other's claims under one's own signature, and the other way round.
    let half = own.len() / 2;
    for forged in [
        format!("{}{}", &others[..half], &own[half..]),
        format!("{}{}", &own[..half], &others[half..]),
    ] {
        for method in ["GET", "POST"] {
            for wish in ["", "?erase", "?object", "?renew", "?events", "?confirm"] {
                let (status, _) = world.ask(&format!("{method} /r/{forged}{wish}"), "", b"");
                assert!((400..500).contains(&status), "{method} {wish}: {status}");
            }
        }
    }
}

/// A bundle in the one's folder that says it is the other's.
fn mixed_up(world: &World, folder: &Path, files: &Files) {
    let practice = "praxis-west";
    let folder = folder.join("mixed-up");
    fs::create_dir(&folder).unwrap();
    let bundle = bundle_in(&folder, files, NORD, NORDS);
    // A practice without a credential is let in by the local service alone.
    for (name, _) in files {
        let path = format!("PUT /upload/{practice}/{NORDS}/{name}");
        let content = fs::read(bundle.join(name)).unwrap();
        assert_eq!(world.ask(&path, "", &content).0, 201, "{name}");
    }
    let shown = ended(&world.data, practice, NORDS);
    assert_eq!(shown["state"], "refused", "{shown}");
    assert!(shown["link"].is_null());
    // By the client it does not come so far.
    let sent = world.upload(&bundle, SUED);
    assert!(!sent.status.success());
}
