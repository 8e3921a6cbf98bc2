//! Decoded pictures against the truths of an independent decoder (Pillow with
//! libjpeg-turbo and LittleCMS; see `fixtures/make.py`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the functions that the tests share are test code, too"
)]

use std::path::Path;

use dermalia_scan::{Limits, Picture, Pixels, Samples, ScanError};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name),
    )
    .unwrap()
}

fn picture(name: &str) -> Picture {
    Picture::new(name, fixture(name)).unwrap()
}

fn decode(name: &str) -> Pixels {
    picture(name).decode(&Limits::default()).unwrap()
}

fn eight(pixels: &Pixels) -> &[u8] {
    match &pixels.samples {
        Samples::Eight(samples) => samples,
        Samples::Sixteen(_) => panic!("16 bits"),
    }
}

/// The largest and the mean difference of two pictures.
fn difference(a: &Pixels, b: &Pixels) -> (u8, f64) {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let differences = eight(a).iter().zip(eight(b)).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = differences.clone().map(u64::from).sum();
    (
        differences.max().unwrap(),
        sum as f64 / eight(a).len() as f64,
    )
}

#[test]
fn jpegs_agree_with_libjpeg_turbo() {
    for (name, most, mean) in [
        ("baseline", 3, 0.5),
        // The decoders weigh the chroma of neighbouring pixels in different ways.
        ("baseline_420", 24, 1.2),
        ("progressive", 3, 0.5),
        ("progressive_420", 24, 1.2),
        ("progressive_grey", 2, 0.3),
        ("rgb_components", 2, 0.3),
        ("cmyk", 2, 0.5),
        ("ycck", 4, 0.7),
    ] {
        let got = decode(&format!("{name}.jpg"));
        let truth = decode(&format!("{name}.truth.png"));
        let (max, average) = difference(&got, &truth);
        assert!(max <= most && average <= mean, "{name}: {max} {average}");
        assert_eq!(got.grey, name.ends_with("grey"), "{name}");
    }
}

/// Some versions of the decoder garble progressive pictures with restart markers. The
/// coefficients of each pair are the same, so the pixels must be, too.
#[test]
fn restart_markers_change_no_pixel() {
    for (plain, restarts) in [
        ("baseline", &[3][..]),
        ("progressive", &[1, 3]),
        ("progressive_420", &[1, 3]),
        ("progressive_grey", &[1, 3]),
    ] {
        for blocks in restarts {
            let marked = decode(&format!("{plain}_restart{blocks}.jpg"));
            assert_eq!(marked, decode(&format!("{plain}.jpg")), "{plain} {blocks}");
        }
    }
}

#[test]
fn a_cut_jpeg_is_refused_not_filled_up() {
    for name in [
        "baseline.jpg",
        "progressive.jpg",
        "progressive_420_restart1.jpg",
    ] {
        let whole = fixture(name);
        for end in 0..whole.len() - 1 {
            let result = Picture::new(name, whole[..end].to_vec())
                .and_then(|picture| picture.decode(&Limits::default()));
            assert!(
                matches!(
                    result,
                    Err(ScanError::PictureBroken { .. } | ScanError::PictureFormat { .. })
                ),
                "{name} {end}"
            );
        }
    }
}

#[test]
fn a_profile_is_honoured_and_srgb_costs_nothing() {
    let (max, mean) = difference(&decode("wide.png"), &decode("wide.truth.png"));
    assert!(max <= 2 && mean < 0.5, "{max} {mean}");
    let (max, mean) = difference(
        &decode("cmyk_profile.jpg"),
        &decode("cmyk_profile.truth.png"),
    );
    assert!(max <= 5 && mean < 1.5, "{max} {mean}");
    let raw = decode("baseline.truth.png");
    assert!(
        difference(&decode("wide.png"), &raw).1 > 3.0,
        "it was ignored"
    );
    // Its profile is sRGB: no sample moves.
    let bytes = fixture("srgb_profile.png");
    let at = bytes.windows(4).position(|w| w == b"iCCP").unwrap();
    let mut without = bytes.clone();
    let length = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
    without.drain(at - 4..at + 8 + length);
    assert_eq!(
        Picture::new("p", without)
            .unwrap()
            .decode(&Limits::default()),
        Ok(decode("srgb_profile.png"))
    );
    // A profile that cannot be read refuses the picture: its colours are unknown.
    let mut broken = bytes;
    broken[at + 30] ^= 0xff;
    let result = Picture::new("p", broken)
        .unwrap()
        .decode(&Limits::default());
    assert!(
        matches!(
            result,
            Err(ScanError::ProfileBroken { .. } | ScanError::PictureBroken { .. })
        ),
        "{result:?}"
    );
}

#[test]
fn all_eight_orientations_come_upright() {
    for value in 1..=8 {
        let turned = picture(&format!("turn{value}.png"));
        let truth = decode(&format!("turn{value}.truth.png"));
        assert_eq!(
            (turned.width(), turned.height()),
            (truth.width, truth.height)
        );
        let decoded = turned.decode(&Limits::default()).unwrap();
        assert_eq!(decoded, truth, "{value}");
        // A texture lies as it is stored.
        let stored = turned.as_stored();
        assert_eq!((stored.width(), stored.height()), (13, 9));
        assert_eq!(
            stored.decode(&Limits::default()).unwrap(),
            decode("plain.png"),
            "{value}"
        );
    }
    // The chunk may also follow the pixels.
    let bytes = fixture("turn6.png");
    let at = bytes.windows(4).position(|w| w == b"eXIf").unwrap() - 4;
    let length = 12 + u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut late = bytes.clone();
    let chunk: Vec<u8> = late.drain(at..at + length).collect();
    let end = late.len() - 12;
    late.splice(end..end, chunk);
    assert_ne!(late, bytes);
    let late = Picture::new("late", late)
        .unwrap()
        .decode(&Limits::default());
    assert_eq!(late.unwrap(), decode("turn6.truth.png"));
    let (max, _) = difference(&decode("turn6.jpg"), &decode("turn6jpg.truth.png"));
    assert!(max <= 3, "{max}");
}

#[test]
fn relief_levels_are_raw() {
    let limits = Limits::default();
    let grey = picture("progressive_grey.jpg")
        .decode_levels(&limits)
        .unwrap();
    let seen = decode("progressive_grey.jpg");
    let levels: Vec<u8> = grey.levels.iter().map(|l| *l as u8).collect();
    let neutral: Vec<u8> = eight(&seen).chunks(3).map(|p| p[0]).collect();
    assert_eq!(levels, neutral);
    for colour in ["baseline.jpg", "plain.png"] {
        assert!(matches!(
            picture(colour).decode_levels(&limits),
            Err(ScanError::ReliefFormat { .. })
        ));
    }
    let levels: Vec<u16> = (0..12).map(|i| i * 5_461 + 3).collect();
    let bytes = grey_png(
        4,
        3,
        16,
        &levels
            .iter()
            .flat_map(|l| l.to_be_bytes())
            .collect::<Vec<_>>(),
    );
    let relief = Picture::new("r.png", bytes).unwrap();
    assert_eq!(relief.decode_levels(&limits).unwrap().levels, levels);
    let low = grey_png(8, 1, 4, &[0x12, 0x34, 0x56, 0x78]);
    assert!(matches!(
        Picture::new("r.png", low).unwrap().decode_levels(&limits),
        Err(ScanError::ReliefFormat { .. })
    ));
}

fn grey_png(width: u32, height: u32, bits: u8, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::from_u8(bits).unwrap());
    encoder
        .write_header()
        .unwrap()
        .write_image_data(data)
        .unwrap();
    out
}

#[test]
fn sizes_are_held_to_the_limit_before_decoding() {
    let limits = Limits {
        pixels: 100,
        ..Limits::default()
    };
    for name in ["plain.png", "baseline.jpg"] {
        assert!(matches!(
            Picture::with_limits(name, fixture(name), &limits),
            Err(ScanError::TooManyPixels { limit: 100, .. })
        ));
        assert!(matches!(
            picture(name).decode(&limits),
            Err(ScanError::TooManyPixels { .. })
        ));
    }
    // 65,535 x 65,535 in a header of a file that holds nothing.
    let mut huge = fixture("baseline.jpg");
    let at = huge.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    huge[at + 5..at + 9].fill(0xff);
    assert!(matches!(
        Picture::new("huge.jpg", huge),
        Err(ScanError::TooManyPixels { .. })
    ));
}

/// No metadata survives: pixels are all that comes out, and `Debug` shows no bytes.
#[test]
fn nothing_but_pixels_comes_out() {
    let maker = "a maker whose name";
    let turned = picture("turn6.jpg");
    let text = String::from_utf8_lossy(turned.bytes());
    assert!(text.contains(maker));
    assert!(!format!("{turned:?}").contains(maker));
}

fn shared(path: &str) -> Option<Vec<u8>> {
    let shared = std::env::var_os("DERMALIA_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        Into::into,
    );
    let path = shared.join("data").join(path);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: {} is absent", path.display());
    }
    bytes
}

/// The bytes of a profile changed at random: an answer, and never a panic.
#[test]
fn no_changed_profile_panics() {
    let whole = fixture("cmyk_profile.jpg");
    let start = whole
        .windows(12)
        .position(|w| w == b"ICC_PROFILE\0")
        .unwrap()
        + 14;
    let mut seed = 1_u32;
    let mut next = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize
    };
    let mut refused = 0;
    for _ in 0..40 {
        let mut changed = whole.clone();
        for _ in 0..3 {
            // Header, tags and tables in equal parts.
            let at = start + [next() % 128, 128 + next() % 64, next() % 1_500][next() % 3];
            changed[at] = next() as u8;
        }
        let result = Picture::new("p", changed)
            .unwrap()
            .decode(&Limits::default());
        match result {
            Ok(pixels) => assert_eq!(pixels.width, 67),
            Err(ScanError::ProfileBroken { .. } | ScanError::PictureBroken { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 4, "{refused}");
}

/// A real photograph, and the same one converted to CMYK and to grey by ImageMagick.
#[test]
fn the_variants_of_a_photograph_show_one_face() {
    let folder = "face_photos/variants/Giunchedi%2C_Filippo_January_2015_01";
    let read = |suffix: &str| {
        shared(&format!("{folder}{suffix}.jpg")).map(|bytes| {
            Picture::new(suffix, bytes)
                .unwrap()
                .decode(&Limits::default())
                .unwrap()
        })
    };
    let (Some(rgb), Some(cmyk), Some(grey)) = (read(""), read("-cmyk"), read("-grayscale")) else {
        return;
    };
    let (_, mean) = difference(&rgb, &cmyk);
    assert!(mean < 6.0, "{mean}");
    assert!(grey.grey && !rgb.grey);
    let luma: f64 = eight(&rgb)
        .chunks(3)
        .zip(eight(&grey).chunks(3))
        .map(|(p, g)| {
            let y = 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]);
            (y - f64::from(g[0])).abs()
        })
        .sum::<f64>()
        / (rgb.width * rgb.height) as f64;
    assert!(luma < 4.0, "{luma}");
}
