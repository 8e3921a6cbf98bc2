//! Unmistakable values for name, e-mail, network address and place go through the whole
//! chain; then every byte that was written anywhere is searched for them. Then the rights
//! of the patient, on the command line, and what is left.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{Files, files_under, run_on, sha256, small_scan, told};
use crate::service::{self, Service, free_address, gone, request, token};

const NAME: &str = "Kanarinchen";
const EMAIL: &str = "kanarienpost@zwitscher.example";
const NETWORK: &str = "203.0.113.77";
const PLACE: &str = "Kanariengasse 7 Vogelstadt";
const SCAN: &str = "SCAN-CANARY";

/// Puts metadata into a picture, as cameras do.
fn with_metadata(picture: &[u8]) -> Vec<u8> {
    let exif = [
        b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0GPSLatitude ".as_slice(),
        PLACE.as_bytes(),
    ]
    .concat();
    let xmp = format!("http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>{PLACE}</x:xmpmeta>");
    if picture.starts_with(&[0xff, 0xd8]) {
        let mut marked = vec![0xff, 0xd8];
        for content in [exif.as_slice(), xmp.as_bytes()] {
            let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
            marked.extend([0xff, 0xe1]);
            marked.extend(length);
            marked.extend(content);
        }
        marked.extend(&picture[2..]);
        return marked;
    }
    assert!(picture.starts_with(b"\x89PNG"));
    // After the header chunk: 8 bytes of signature, 25 of IHDR.
    let mut chunk = b"iTXt".to_vec();
    chunk.extend(b"XML:com.adobe.xmp\0\0\0\0\0");
    chunk.extend(xmp.as_bytes());
    let mut marked = picture[..33].to_vec();
    marked.extend(u32::try_from(chunk.len() - 4).unwrap().to_be_bytes());
    marked.extend(&chunk);
    marked.extend(crc32(&chunk).to_be_bytes());
    marked.extend(&picture[33..]);
    marked
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

fn canary_bundle() -> Files {
    let mut files = small_scan();
    let (_, manifest) = files.pop().unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["scan_id"] = SCAN.into();
    manifest["patient"] = serde_json::json!({ "first_name": NAME, "email": EMAIL, "locale": "de" });
    let mut marked = 0;
    for (name, content) in &mut files {
        if content.starts_with(&[0xff, 0xd8]) || content.starts_with(b"\x89PNG") {
            *content = with_metadata(content);
            marked += 1;
        } else if name.ends_with(".obj") {
            content.extend(format!("# {PLACE}\n").as_bytes());
            marked += 1;
        }
        let entries = manifest["files"].as_array_mut().unwrap();
        let entry = entries.iter_mut().find(|e| e["name"] == name.as_str());
        let entry = entry.unwrap();
        entry["bytes"] = content.len().into();
        entry["sha256"] = sha256(content).into();
    }
    assert!(marked >= 3, "{marked}");
    files.push((
        "manifest.json".to_owned(),
        manifest.to_string().into_bytes(),
    ));
    files
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|w| w == needle.as_bytes())
}

/// Every file below the folder that holds one of the values, but for what may.
fn search(folder: &Path, needles: &[&str]) -> Vec<String> {
    let files = files_under(folder);
    assert!(files.len() > 5, "{files:?}");
    let mut hits = Vec::new();
    for path in files {
        let name = path.display().to_string();
        // The e-mail itself; on the page the patient is greeted by name.
        if name.contains("/outbox/") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for needle in needles {
            let may = *needle == NAME && name.contains("/reports/");
            if !may && (holds(&bytes, needle) || holds(name.as_bytes(), needle)) {
                hits.push(format!("{needle} in {name}"));
            }
        }
    }
    hits
}

/// Waits until the report is there and what came is gone; gives the path of its link.
fn delivered(data: &Path) -> String {
    let shown = service::delivered(data, "praxis-demo", SCAN);
    gone(&data.join("store/objects/incoming/praxis-demo").join(SCAN));
    format!("/r/{}", token(&shown))
}

fn get(address: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    let head =
        format!("GET {path} HTTP/1.1\r\nX-Forwarded-For: {NETWORK}\r\nCF-Connecting-IP: {NETWORK}");
    let answer = request(address, &head, b"").expect("an answer");
    (answer.status, answer.body)
}

#[test]
fn no_personal_byte_is_written_and_every_right_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let address = free_address();
    let service = Service::start(&data, address);
    for (name, content) in canary_bundle() {
        let head =
            format!("PUT /upload/praxis-demo/{SCAN}/{name} HTTP/1.1\r\nX-Forwarded-For: {NETWORK}");
        assert_eq!(request(address, &head, &content).unwrap().status, 201);
    }
    let first = delivered(&data);
    let (status, page) = get(address, &first);
    assert_eq!(status, 200);
    assert!(holds(&page, NAME));

    let all = [
        NAME,
        EMAIL,
        NETWORK,
        PLACE,
        "GPSLatitude",
        "xmpmeta",
        "Exif\0",
    ];
    assert_eq!(search(folder.path(), &all), Vec::<String>::new());
    let html = String::from_utf8(page).unwrap();
    for part in html.split("href=\"?").skip(1) {
        let file = part.split('"').next().unwrap();
        let (status, bytes) = get(address, &format!("{first}?{file}"));
        assert_eq!(status, 200, "{file}");
        for needle in [EMAIL, PLACE, "GPSLatitude", "xmpmeta", "Exif\0"] {
            assert!(!holds(&bytes, needle), "{needle} is served in {file}");
        }
    }

    rights(&data, folder.path(), address, &first);

    service.stop();
    let log = fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains(SCAN) && !log.contains("/r/"));
    // Nothing is left of the scan anywhere, its mails included.
    let all = [NAME, "Richtiger", EMAIL, "neue-post", NETWORK, PLACE];
    assert_eq!(search(folder.path(), &all), Vec::<String>::new());
    assert_eq!(fs::read_dir(data.join("outbox")).unwrap().count(), 0);
    let left = files_under(&data.join("store/objects"));
    assert_eq!(left, Vec::<PathBuf>::new());
}

fn rights(data: &Path, folder: &Path, address: SocketAddr, first: &str) {
    // Access and portability: complete, and written for nobody else.
    for (right, name) in [("access", "access.zip"), ("portability", "data.zip")] {
        let out = folder.join(name);
        told(
            data,
            &["rights", right, SCAN, "--out", out.to_str().unwrap()],
        );
        let bytes = fs::read(&out).unwrap();
        assert!(bytes.starts_with(b"PK") && holds(&bytes, "index.html"));
        assert!(holds(&bytes, "findings.json"));
        assert_eq!(holds(&bytes, "recipients.json"), right == "access");
        fs::remove_file(out).unwrap();
    }

    // Rectification: new page, new link by e-mail, the old one dead at once.
    let mails = || fs::read_dir(data.join("outbox")).unwrap().count();
    assert_eq!(mails(), 1);
    let correction = [
        "--first-name",
        "Richtiger",
        "--email",
        "neue-post@zwitscher.example",
    ];
    told(
        data,
        &[&["rights", "rectify", SCAN], &correction[..]].concat(),
    );
    assert_eq!(get(address, first).0, 410);
    let second = delivered(data);
    let (status, page) = get(address, &second);
    assert_eq!(status, 200);
    assert!(holds(&page, "Richtiger") && !holds(&page, NAME));
    assert_eq!((get(address, first).0, mails()), (410, 2));
    told(
        data,
        &[&["rights", "rectify", SCAN], &correction[..]].concat(),
    );
    assert_eq!(
        get(address, &second).0,
        200,
        "what is right changes nothing"
    );

    // Restriction: kept, not served; lifted, it is there again under a new link.
    told(data, &["rights", "restrict", SCAN]);
    assert_eq!(get(address, &second).0, 410);
    let output = run_on(data, &["link", "issue", SCAN]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    told(data, &["rights", "restrict", SCAN, "--lift"]);
    let third = delivered(data);
    assert_eq!(
        (get(address, &second).0, get(address, &third).0),
        (410, 200)
    );

    told(data, &["rights", "object", SCAN]);
    let head = told(data, &["audit", "verify"])["head"].clone();

    // Erasure: at once, and proved.
    let certificate = told(data, &["rights", "erase", SCAN]);
    assert_ne!(get(address, &third).0, 200);
    assert!(certificate["deleted"]["objects"].as_u64().unwrap() > 5);
    assert_eq!(
        told(data, &["rights", "erase", SCAN])["sequence"],
        certificate["sequence"],
        "erased is erased"
    );
    let path = folder.join("certificate.json");
    fs::write(&path, certificate.to_string()).unwrap();
    let file = path.to_str().unwrap();
    told(data, &["audit", "verify", "--certificate", file]);
    let noted = head.as_str().unwrap();
    let practice = ["--practice", "praxis-demo"];
    told(
        data,
        &[&["audit", "verify", "--noted", noted], &practice[..]].concat(),
    );
    // A forged certificate, and a head that was never this log's.
    let forged = certificate.to_string().replace("\"erased\"", "\"expired\"");
    fs::write(&path, forged).unwrap();
    let output = run_on(data, &["audit", "verify", "--certificate", file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let other = format!("1:{}", "0".repeat(64));
    let arguments = [&["audit", "verify", "--noted", &other], &practice[..]].concat();
    assert_eq!(run_on(data, &arguments).status.code(), Some(1));
    fs::remove_file(path).unwrap();
    let output = run_on(data, &["link", "show", SCAN]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let swept = told(data, &["sweep"]);
    assert_eq!(swept["orphan_objects"], 0, "{swept}");
}
