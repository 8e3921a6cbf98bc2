//! The door: who gets signed requests, and for what.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::sync::Arc;

use async_trait::async_trait;
use dermalia_embedded::{Database, MemoryObjects, SqlitePractices};
use dermalia_record::port::{Body, Metadata, ObjectStore, ObjectWrite, PortError, PracticeStore};
use dermalia_record::{Credential, ManualClock, Practice};
use dermalia_scan::Limits;
use dermalia_upload::door::{
    Door, DoorError, Offer, OfferedFile, PART_BYTES, Parts, Place, SignedRequest, Signer,
};

/// Signs by naming what it signs.
struct Plain;

#[async_trait]
impl Signer for Plain {
    async fn sign(&self, key: &str, bytes: u64, sha256: &str) -> Result<SignedRequest, PortError> {
        Ok(SignedRequest {
            url: key.to_owned(),
            headers: vec![("content-length".to_owned(), format!("{bytes} {sha256}"))],
        })
    }

    /// Parts whose checksum begins with a `d` are there.
    async fn sign_parts(&self, key: &str, file: &OfferedFile) -> Result<Parts, PortError> {
        let mut places = Vec::new();
        for (bytes, sha256) in file.parts() {
            let is_there = sha256.starts_with('d');
            let request = self.sign(key, bytes, sha256).await?;
            places.push((!is_there).then_some(request));
        }
        if places.iter().all(Option::is_none) {
            return Ok(Parts::Whole);
        }
        Ok(Parts::Missing(places))
    }
}

async fn door() -> (Door, Arc<MemoryObjects>, [Credential; 2]) {
    let practices = SqlitePractices::new(Database::in_memory().unwrap());
    let credentials = [(); 2].map(|()| Credential::random().unwrap());
    for (id, credential) in ["praxis-nord", "praxis-sued"].iter().zip(&credentials) {
        let mut practice = Practice::new(id.parse().unwrap());
        practice.credentials.rotate(credential);
        practices.put(practice).await.unwrap().unwrap();
    }
    let objects = Arc::new(MemoryObjects::new(Arc::new(ManualClock::at_ms(0))));
    let door = Door {
        practices: Arc::new(practices),
        objects: Arc::<MemoryObjects>::clone(&objects),
        signer: Arc::new(Plain),
        limits: Limits::default(),
    };
    (door, objects, credentials)
}

fn file(name: &str, digit: &str) -> OfferedFile {
    OfferedFile {
        name: (!name.is_empty()).then(|| name.to_owned()),
        bytes: 3,
        sha256: digit.repeat(64),
        parts: vec![],
    }
}

/// A file of these parts, the last of 7 bytes.
fn in_parts(name: &str, digits: &[&str]) -> OfferedFile {
    OfferedFile {
        bytes: PART_BYTES * (digits.len() as u64 - 1) + 7,
        parts: digits.iter().map(|digit| digit.repeat(64)).collect(),
        ..file(name, "b")
    }
}

fn offer(practice: &str, files: Vec<OfferedFile>) -> Offer {
    Offer {
        practice: practice.to_owned(),
        scan: "SCAN-0001".to_owned(),
        files,
    }
}

#[tokio::test]
async fn a_practice_gets_its_own_folder_and_the_manifest_last() {
    let (door, objects, [nord, sued]) = door().await;
    let files = vec![file("manifest.json", "a"), file("white.jpg", "b")];
    let nords = offer("praxis-nord", files.clone());
    let places = door.answer(nord.reveal(), &nords).await.unwrap();
    assert_eq!(places[0], Place::Later);
    let Place::Send(request) = &places[1] else {
        panic!("{places:?}");
    };
    assert_eq!(request.url, "incoming/praxis-nord/SCAN-0001/white.jpg");
    assert_eq!(request.headers[0].1, format!("3 {}", "b".repeat(64)));

    // Sent: it is not asked for again, and now the manifest's time has come.
    let object = ObjectWrite {
        body: Body::Bytes(b"abc".to_vec()),
        content_type: String::new(),
        metadata: Metadata::from([("sha256".to_owned(), "b".repeat(64))]),
    };
    objects.put(&request.url, object).await.unwrap();
    let places = door.answer(nord.reveal(), &nords).await.unwrap();
    assert!(matches!(&places[0], Place::Send(r) if r.url.ends_with("/manifest.json")));
    assert_eq!(places[1], Place::Done);

    // Another practice sees nothing of it, neither with its own credential nor by its name.
    for (practice, credential) in [
        ("praxis-nord", sued.reveal()),
        ("praxis-sued", nord.reveal()),
        ("praxis-west", nord.reveal()),
        ("../praxis-nord", nord.reveal()),
        ("praxis-nord", ""),
    ] {
        let refused = door
            .answer(credential, &offer(practice, files.clone()))
            .await;
        assert!(matches!(refused, Err(DoorError::Credential)), "{practice}");
    }
    let places = door
        .answer(sued.reveal(), &offer("praxis-sued", files))
        .await
        .unwrap();
    assert!(matches!(&places[1], Place::Send(r) if r.url.starts_with("incoming/praxis-sued/")));
}

#[tokio::test]
async fn offers_beyond_what_a_bundle_can_be() {
    let (door, _, [nord, _]) = door().await;
    let large = OfferedFile {
        bytes: u64::MAX,
        ..file("white.jpg", "b")
    };
    let mut too_few = in_parts("face.obj", &["a", "a", "a"]);
    too_few.parts.pop();
    let manifest = file("manifest.json", "a");
    for files in [
        vec![],
        vec![file("white.jpg", "b")],
        vec![manifest.clone(), manifest.clone()],
        vec![manifest.clone(), file("", "b")],
        vec![manifest.clone(), file("../escape", "b")],
        vec![manifest.clone(), file("a/b", "b")],
        vec![manifest.clone(), file("white.jpg", "B")],
        vec![
            manifest.clone(),
            file("white.jpg", "b"),
            file("white.jpg", "b"),
        ],
        vec![manifest.clone(), large],
        vec![manifest.clone(), in_parts("face.obj", &["a"])],
        vec![manifest.clone(), in_parts("face.obj", &["a", "x"])],
        vec![manifest.clone(), too_few],
        (0..2_000)
            .map(|n| file(&format!("f{n}"), "b"))
            .chain([manifest.clone()])
            .collect(),
    ] {
        let count = files.len();
        let refused = door
            .answer(nord.reveal(), &offer("praxis-nord", files))
            .await;
        assert!(
            matches!(refused, Err(DoorError::Offer { .. })),
            "{count} files"
        );
    }
    let archive = offer("praxis-nord", vec![file("", "c")]);
    let places = door.answer(nord.reveal(), &archive).await.unwrap();
    assert!(matches!(&places[0], Place::Send(r) if r.url == "incoming/praxis-nord/SCAN-0001.zip"));
}

#[tokio::test]
async fn a_large_file_comes_in_parts_and_the_manifest_after_the_last() {
    let (door, _, [nord, _]) = door().await;
    let answer = async |digits: &[&str]| {
        let files = vec![file("manifest.json", "a"), in_parts("face.obj", digits)];
        let offer = offer("praxis-nord", files);
        door.answer(nord.reveal(), &offer).await.unwrap()
    };
    let places = answer(&["b", "d", "c"]).await;
    assert_eq!(places[0], Place::Later);
    let Place::Parts { parts } = &places[1] else {
        panic!("{places:?}");
    };
    let signed: Vec<Option<&str>> = parts
        .iter()
        .map(|request| Some(request.as_ref()?.headers[0].1.as_str()))
        .collect();
    let expected = [
        Some(format!("{PART_BYTES} {}", "b".repeat(64))),
        None,
        Some(format!("7 {}", "c".repeat(64))),
    ];
    assert_eq!(signed, expected.each_ref().map(Option::as_deref));
    // All there: put together, and the manifest's time has come at once.
    let places = answer(&["d", "d"]).await;
    assert_eq!(places[1], Place::Done);
    assert!(matches!(&places[0], Place::Send(r) if r.url.ends_with("/manifest.json")));
    // The archive too.
    let archive = offer("praxis-nord", vec![in_parts("", &["d", "d"])]);
    let places = door.answer(nord.reveal(), &archive).await.unwrap();
    assert_eq!(places, [Place::Done]);
    let said = serde_json::to_value(&Place::Parts { parts: vec![None] }).unwrap();
    assert_eq!(
        said,
        serde_json::json!({ "state": "parts", "parts": [null] })
    );
}
