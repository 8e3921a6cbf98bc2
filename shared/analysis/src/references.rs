//! The kernels against what OpenCV, scikit-image, SciPy and libigl computed from the same
//! pictures and the same head; `cargo xtask test --only references` has them compute.

use std::path::PathBuf;

use dermalia_surface::{Mesh, mean_curvature_per_mm};

use crate::blobs::laplacian;
use crate::colour::{Lab, ciede2000, lab_from_srgb8};
use crate::flood::Flood;
use crate::planes::{DIFFERENCE_VARIANCE, Plane, Pool, smooth_into};
use crate::ridges::respond;
use crate::spans::Spans;

/// Where the references are; `None`, said aloud, without them.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("DERMALIA_REFERENCES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: no references; `cargo xtask test --only references` makes them");
    }
    folder
}

fn read(folder: &std::path::Path, name: &str) -> Plane {
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let words: Vec<[u8; 4]> = bytes
        .chunks_exact(4)
        .map(|w| w.try_into().unwrap())
        .collect();
    let [height, width] = [words[0], words[1]].map(|w| u32::from_le_bytes(w) as usize);
    let data: Vec<f32> = words[2..].iter().map(|&w| f32::from_le_bytes(w)).collect();
    assert_eq!(data.len(), width * height, "{name}");
    Plane {
        width,
        height,
        data,
    }
}

/// Root mean square of a difference over that of the reference, and the largest difference
/// over the largest reference; a border is left out, where each library guesses otherwise
/// what lies beyond.
fn differences(got: &Plane, want: &Plane, border: usize) -> [f64; 2] {
    assert_eq!((got.width, got.height), (want.width, want.height));
    let (mut off, mut all, mut most, mut largest) = (0.0, 0.0, 0.0_f64, 0.0_f64);
    for y in border..got.height - border {
        for x in border..got.width - border {
            let i = y * got.width + x;
            let (g, w) = (f64::from(got.data[i]), f64::from(want.data[i]));
            off += (g - w) * (g - w);
            all += w * w;
            most = most.max((g - w).abs());
            largest = largest.max(w.abs());
        }
    }
    [(off / all).sqrt(), most / largest]
}

/// Ours are differences of neighbours after a Gaussian narrower by what they smooth; theirs
/// are derivatives of the Gaussian. Two kernels of the same second moment differ in the
/// fourth, which is (1/6)/sigma^2 of the response: 4 % at two pixels, 1 % at four.
fn moments(sigma: f32) -> f64 {
    1.0 / (6.0 * f64::from(sigma * sigma))
}

#[test]
fn ridges_agree_with_scikit_image() {
    let Some(folder) = folder() else { return };
    let depth = read(&folder, "lines_depth");
    for sigma in [2.0_f32, 4.0] {
        let across = read(&folder, &format!("lines_across_{sigma}"));
        let along = read(&folder, &format!("lines_along_{sigma}"));
        // What makes a line of the two curvatures is ours (`ridges::ridge`).
        let mut want = Plane::new(depth.width, depth.height);
        for (w, (&across, &along)) in want
            .data
            .iter_mut()
            .zip(across.data.iter().zip(&along.data))
        {
            let blob = along / across.min(-1e-30);
            let q = 2.0 * blob * blob;
            *w = (-across).max(0.0) / (1.0 + q + 0.5 * q * q);
        }
        let whole = Spans::whole(depth.width, depth.height);
        let got = respond(&depth, &[sigma], &whole, 0, &mut Pool::default()).strength;
        let [rms, most] = differences(&got, &want, 20);
        eprintln!("ridges, sigma {sigma}: rms {rms:.5}, largest {most:.5}");
        assert!(rms < moments(sigma), "sigma {sigma}: {rms}");
        assert!(most < 2.0 * moments(sigma), "sigma {sigma}: {most}");
    }
}

#[test]
fn blobs_agree_with_scipy() {
    let Some(folder) = folder() else { return };
    let depth = read(&folder, "blobs_depth");
    let mut rows = Plane::new(depth.width, depth.height);
    let mut smooth = rows.clone();
    let mut got = rows.clone();
    for sigma in [2.0_f32, 5.0] {
        let variance = sigma * sigma - DIFFERENCE_VARIANCE;
        smooth_into(&depth, variance, &mut rows, &mut smooth);
        laplacian(&smooth, sigma * sigma, &mut got);
        let want = read(&folder, &format!("blobs_response_{sigma}"));
        let [rms, most] = differences(&got, &want, 25);
        eprintln!("blobs, sigma {sigma}: rms {rms:.5}, largest {most:.5}");
        assert!(rms < moments(sigma), "sigma {sigma}: {rms}");
        assert!(most < 2.0 * moments(sigma), "sigma {sigma}: {most}");
    }
}

#[test]
fn colours_agree_with_scikit_image() {
    let Some(folder) = folder() else { return };
    let rgb = read(&folder, "colours_rgb");
    let lab = read(&folder, "colours_lab");
    let lab_of = |c: &[f32]| {
        let [l, a, b] = [c[0], c[1], c[2]].map(f64::from);
        Lab { l, a, b }
    };
    let mut most = 0.0_f64;
    for (rgb, want) in rgb.data.chunks_exact(3).zip(lab.data.chunks_exact(3)) {
        let got = lab_from_srgb8([rgb[0] as u8, rgb[1] as u8, rgb[2] as u8]);
        let want = lab_of(want);
        for d in [got.l - want.l, got.a - want.a, got.b - want.b] {
            most = most.max(d.abs());
        }
    }
    // The matrices are rounded at the sixth digit in one and the seventh in the other: of
    // 500 in a* that is a hundredth at most.
    eprintln!("CIELAB: largest {most:.5}");
    assert!(most < 0.01, "{most}");
    let want = read(&folder, "colours_de00");
    let colours: Vec<Lab> = lab.data.chunks_exact(3).map(lab_of).collect();
    let mut most = 0.0_f64;
    for (pair, &want) in colours.windows(2).zip(&want.data) {
        most = most.max((ciede2000(pair[0], pair[1]) - f64::from(want)).abs());
    }
    // The reference is handed over in single precision: six parts in 1e8 of at most 110.
    eprintln!("CIEDE2000: largest {most:.7}");
    assert!(most < 1e-5, "{most}");
}

#[test]
fn components_agree_with_opencv_and_scikit_image() {
    let Some(folder) = folder() else { return };
    let want = read(&folder, "components");
    let mut left: Vec<bool> = want.data.iter().map(|&l| l > 0.0).collect();
    let mut found = 0;
    let mut flood = Flood::new(want.width, want.height);
    while let Some(start) = left.iter().position(|&l| l) {
        let cells = flood.cells(start, |i| left[i]);
        let label = want.data[start];
        assert!(
            cells.iter().all(|&i| want.data[i as usize] == label),
            "{label}"
        );
        let all = want.data.iter().filter(|&&l| l == label).count();
        assert_eq!(cells.len(), all, "component {label}");
        for i in cells {
            left[i as usize] = false;
        }
        found += 1;
    }
    assert!(found > 20, "only {found} components to compare");
}

#[test]
fn curvature_agrees_with_libigl() {
    let Some(folder) = folder() else { return };
    let points = read(&folder, "head_points");
    let corners = read(&folder, "head_corners");
    let usable = read(&folder, "head_usable");
    let want = read(&folder, "head_curvature");
    let (points, _) = points.data.as_chunks::<3>();
    let (corners, _) = corners.data.as_chunks::<3>();
    let triangles = corners.iter().map(|t| t.map(|c| c as u32)).collect();
    let mesh = Mesh::new(points.to_vec(), vec![], triangles, vec![]).unwrap();
    let got = mean_curvature_per_mm(&mesh);
    let mut off: Vec<f32> = vec![];
    for ((got, want), usable) in got.iter().zip(&want.data).zip(&usable.data) {
        if *usable > 0.0 {
            off.push((got - want).abs() / want.abs().max(0.01));
        }
    }
    assert!(off.len() > 8000, "only {} points to compare", off.len());
    off.sort_by(f32::total_cmp);
    let (middle, high) = (off[off.len() / 2], off[off.len() * 99 / 100]);
    // The same operator: what differs is the rounding of points in single precision, of
    // which differences over an edge of a few millimetres are taken twice.
    eprintln!("curvature: median {middle:.6}, 99 of 100 below {high:.6}");
    assert!(middle < 1e-4 && high < 1e-2, "{middle} {high}");
}
