//! The canonical face against its published OBJ file.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use dermalia_landmarks::canonical;

#[test]
fn it_is_the_published_mesh() {
    let root = std::env::var("DERMALIA_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
    let path = format!("{root}/data/heads/mediapipe_canonical/canonical_face_model.obj");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no test data at {path}");
        return;
    };
    let face = canonical();
    let (mut vertices, mut coordinates, mut triangles) = (vec![], vec![], vec![]);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers = || {
            words[1..]
                .iter()
                .map(|w| w.parse::<f32>().unwrap())
                .collect::<Vec<_>>()
        };
        match words.first() {
            Some(&"v") => vertices.push(numbers()),
            Some(&"vt") => coordinates.push(numbers()),
            Some(&"f") => {
                let corner = |w: &str| -> [usize; 2] {
                    let (v, vt) = w.split_once('/').unwrap();
                    [
                        v.parse::<usize>().unwrap() - 1,
                        vt.parse::<usize>().unwrap() - 1,
                    ]
                };
                triangles.push([1, 2, 3].map(|k| corner(words[k])));
            }
            _ => {}
        }
    }
    assert_eq!((vertices.len(), triangles.len()), (468, 898));
    for (ours, theirs) in face.positions_mm.iter().zip(&vertices) {
        for k in 0..3 {
            assert!((ours[k] - theirs[k] * 10.0).abs() < 1e-3);
        }
    }
    // The same triangles, in whatever order and from whatever corner.
    let mut known: Vec<[usize; 3]> = triangles.iter().map(|t| rolled(t.map(|c| c[0]))).collect();
    let mut ours: Vec<[usize; 3]> = face
        .triangles
        .iter()
        .map(|t| rolled(t.map(|i| i as usize)))
        .collect();
    known.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, known);
    for [vertex, uv] in triangles.iter().flatten().copied() {
        for k in 0..2 {
            assert!(
                (face.uvs[vertex][k] - coordinates[uv][k]).abs() < 1e-3,
                "{vertex}"
            );
        }
    }
}

/// The least corner first, the turn kept.
fn rolled(t: [usize; 3]) -> [usize; 3] {
    let first = (0..3).min_by_key(|&k| t[k]).unwrap();
    [0, 1, 2].map(|k| t[(first + k) % 3])
}
