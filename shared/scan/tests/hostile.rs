//! Every file of the shared hostile corpus through every reader, in a child process
//! with one GiB of memory and ten seconds a file; and what must come out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the functions that the tests share are test code, too"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use dermalia_scan::manifest::{Axis, Unit};
use dermalia_scan::mesh::{self, Frame};
use dermalia_scan::{Limits, Manifest, Picture, Scan, ScanError};

const CHILD: &str = "DERMALIA_HOSTILE_CHILD";
const MEMORY_KIB: u32 = 1 << 20;
const SECONDS_A_FILE: u64 = 10;

fn corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("DERMALIA_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("data/hostile");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent", path.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut stack = vec![folder.to_owned()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                stack.push(path);
            } else {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

fn code<T>(result: Result<T, ScanError>, shown: impl Fn(T) -> String) -> String {
    match result {
        Ok(value) => shown(value),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            error.code().to_owned()
        }
    }
}

/// What each reader says of a file.
fn outcomes(path: &Path) -> Vec<(&'static str, String)> {
    let limits = Limits::default();
    let bytes = std::fs::read(path).unwrap();
    let picture = |levels: bool| {
        code(
            Picture::new("p", bytes.clone()).and_then(|p| {
                if levels {
                    p.decode_levels(&limits).map(|l| (l.width, l.height))
                } else {
                    p.decode(&limits).map(|p| (p.width, p.height))
                }
            }),
            |(w, h)| format!("ok {w}x{h}"),
        )
    };
    let companions: BTreeMap<String, Vec<u8>> = path
        .parent()
        .map(|folder| {
            std::fs::read_dir(folder)
                .unwrap()
                .map(|e| e.unwrap())
                .filter(|e| e.path().extension().is_some_and(|x| x == "bin"))
                .map(|e| {
                    let name = e.file_name().into_string().unwrap();
                    (name, std::fs::read(e.path()).unwrap())
                })
                .collect()
        })
        .unwrap_or_default();
    let frame = Frame::new(Unit::Mm, Axis::PlusZ, Axis::PlusY).unwrap();
    let read_mesh = |name: &str| {
        code(
            mesh::read(name, &bytes, &limits, &|file| {
                companions.get(file).map(Vec::as_slice)
            })
            .and_then(|raw| raw.into_mesh(name, &frame)),
            |mesh| format!("ok {}v {}f", mesh.positions.len(), mesh.triangles.len()),
        )
    };
    vec![
        ("picture", picture(false)),
        ("levels", picture(true)),
        ("obj", read_mesh("m.obj")),
        ("ply", read_mesh("m.ply")),
        ("glb", read_mesh("m.glb")),
        ("gltf", read_mesh("m.gltf")),
        (
            "zip",
            code(Scan::read_zip(&bytes, &limits), |_| "ok".into()),
        ),
        (
            "path",
            code(Scan::read_path(path, &limits), |_| "ok".into()),
        ),
        (
            "manifest",
            code(Manifest::parse(&bytes, &limits), |_| "ok".into()),
        ),
    ]
}

/// The child's part: one line a file, as soon as it is done.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    std::panic::set_hook(Box::new(|info| println!("@PANIC {info}")));
    let folder = PathBuf::from(folder);
    for path in files(&folder) {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        println!("@START {name}");
        let mut line = format!("@DONE {name}");
        for (reader, outcome) in outcomes(&path) {
            write!(line, "\t{reader}={outcome}").unwrap();
        }
        println!("{line}");
    }
    println!("@END");
}

/// What the child said of each file, under its limits.
fn run(folder: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "ulimit -v {MEMORY_KIB}; exec \"$0\" --exact child --nocapture --test-threads 1"
        ))
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let _ = sender.send(line.unwrap());
        }
    });
    let mut out = BTreeMap::new();
    let mut at = String::new();
    loop {
        let line = match receiver.recv_timeout(Duration::from_secs(SECONDS_A_FILE)) {
            Ok(line) => line,
            Err(fault) => {
                let _ = child.kill();
                panic!("{at}: no answer within {SECONDS_A_FILE} s and 1 GiB ({fault})");
            }
        };
        // The test harness's own words stand on the same line.
        let Some((_, line)) = line.split_once('@') else {
            continue;
        };
        if let Some(name) = line.strip_prefix("START ") {
            at = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("DONE ") {
            let mut parts = rest.split('\t');
            let name = parts.next().unwrap().to_owned();
            let outcomes = parts
                .map(|part| part.split_once('=').unwrap())
                .map(|(reader, outcome)| (reader.to_owned(), outcome.to_owned()))
                .collect();
            out.insert(name, outcomes);
        } else if line.starts_with("PANIC") {
            panic!("{at}: {line}");
        } else if line == "END" {
            break;
        }
    }
    assert!(child.wait().unwrap().success());
    out
}

fn is(outcome: &str) -> bool {
    outcome.starts_with("ok")
}

#[test]
fn the_corpus_is_answered_within_its_limits() {
    let Some(folder) = corpus() else { return };
    let outcomes = run(&folder);
    assert!(outcomes.len() > 450, "{}", outcomes.len());
    let said = |file: &str, reader: &str| outcomes[file][reader].as_str();
    let mut decoded = 0;
    for (file, readers) in &outcomes {
        let name = file.rsplit('/').next().unwrap();
        // Nothing in the corpus is a bundle or a manifest.
        for reader in ["zip", "path", "manifest"] {
            assert!(!is(&readers[reader]), "{file} {reader}");
        }
        // No format is mistaken for another.
        let extension = name.rsplit('.').next().unwrap();
        for reader in ["obj", "ply", "glb", "gltf"] {
            assert!(
                !is(&readers[reader]) || reader == extension,
                "{file} {reader}"
            );
        }
        assert!(
            !is(&readers["picture"]) || matches!(extension, "jpg" | "png"),
            "{file}"
        );
        if file.starts_with("pngsuite/") && extension == "png" {
            let corrupt = name.starts_with('x');
            assert_eq!(is(&readers["picture"]), !corrupt, "{file}");
            decoded += usize::from(!corrupt);
        }
        if file.starts_with("bad_bmp_ico/") {
            assert_eq!(readers["picture"], "picture_format", "{file}");
        }
    }
    assert!(decoded >= 155, "{decoded}");
    assert_eq!(
        said("thumbor/16383x16383.png", "picture"),
        "too_many_pixels"
    );
    for (file, outcome) in [
        ("thumbor/image_invalid.jpg", "picture_format"),
        ("thumbor/gradient_msb_16bperchannel.tif", "picture_format"),
        ("thumbor/broken-exif-tag.jpg", "ok 1x1"),
        ("thumbor/grayscale-icc.jpg", "ok 50x50"),
        ("thumbor/paletted-transparent.png", "ok 300x225"),
        ("jpeg_crash/null_height.jpg", "picture_empty"),
        ("jpeg_crash/extraneous-bytes-after-sos.jpg", "ok 1744x2464"),
        ("gltf_validator/image/png_eos.png", "picture_broken"),
        ("gltf_validator/image/npot.png", "ok 5x3"),
    ] {
        assert_eq!(said(file, "picture"), outcome, "{file}");
    }
    for (file, outcome) in [
        ("zip/symlink.zip", "symlink"),
        ("zip/files_and_dirs.zip", "nested"),
        ("zip/invalid_offset.zip", "archive_broken"),
        ("zip/mimetype.zip", "manifest_missing"),
    ] {
        assert_eq!(said(file, "zip"), outcome, "{file}");
    }
    // Faces as trimesh counts them, points welded; and why the others are refused.
    for (file, outcome) in [
        ("mesh_trimesh/cube_blender_uv.ply", "ok 8v 12f"),
        ("mesh_trimesh/multi.ply", "ok 4v 2f"),
        ("mesh_trimesh/points_ascii.ply", "mesh_empty"),
        ("mesh_trimesh/points_bin.ply", "mesh_empty"),
        ("mesh_trimesh/ply_empty_bin.ply", "mesh_empty"),
        ("mesh_trimesh/ply_empty_header.ply", "mesh_empty"),
        ("mesh_trimesh/empty_nodes.glb", "mesh_empty"),
        ("mesh_trimesh/empty.obj", "mesh_empty"),
        ("mesh_trimesh/face_in_group_name.obj", "mesh_empty"),
        ("mesh_trimesh/nancolor.obj", "ok 8v 12f"),
        ("mesh_trimesh/negative_indices.obj", "ok 8v 12f"),
        ("mesh_trimesh/notenoughindices.obj", "mesh_line"),
        ("mesh_trimesh/textured_tetrahedron.obj", "ok 4v 4f"),
        ("obj_tinyobj/clusterfuzz-4877060179886080.obj", "mesh_line"),
        ("obj_tinyobj/cube-vertex-w-component.obj", "ok 8v 12f"),
        ("obj_tinyobj/cube-vertexcol.obj", "ok 8v 12f"),
        ("obj_tinyobj/invalid-face-definition.obj", "mesh_line"),
        (
            "obj_tinyobj/invalid-relative-texture-index.obj",
            "mesh_index",
        ),
        (
            "obj_tinyobj/invalid-relative-vertex-index.obj",
            "mesh_index",
        ),
        ("obj_tinyobj/issue-140-zero-face-idx.obj", "mesh_index"),
        ("obj_tinyobj/issue-161-inconsistent-f.obj", "ok 8v 12f"),
        (
            "obj_tinyobj/issue-295-trianguation-failure.obj",
            "ok 16v 28f",
        ),
        ("obj_tinyobj/leading-decimal-dot-issue-201.obj", "ok 3v 1f"),
        ("obj_tinyobj/missing_material_file.obj", "ok 29v 36f"),
        ("obj_tinyobj/test-nan.obj", "mesh_not_finite"),
    ] {
        let extension = file.rsplit('.').next().unwrap();
        assert_eq!(said(file, extension), outcome, "{file}");
    }
    gltf_validator(&folder, &outcomes);
}

/// The validator's errors are refused; so are its valid files, which hold no triangle.
fn gltf_validator(folder: &Path, outcomes: &BTreeMap<String, BTreeMap<String, String>>) {
    let mut errors = 0;
    for (file, readers) in outcomes {
        if !file.starts_with("gltf_validator/") {
            continue;
        }
        let extension = file.rsplit('.').next().unwrap();
        let Some(outcome) = readers.get(extension) else {
            continue;
        };
        let report = std::fs::read(folder.join(format!("{file}.report.json"))).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        errors += usize::from(report["issues"]["numErrors"].as_u64().unwrap() > 0);
        assert!(
            matches!(
                outcome.as_str(),
                "mesh_empty" | "mesh_broken" | "mesh_foreign" | "mesh_feature" | "mesh_index"
            ),
            "{file} {outcome}"
        );
    }
    assert!(errors > 50, "{errors}");
}
