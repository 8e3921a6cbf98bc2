//! Faces on photographs and on a scanned head; and what is no face.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::path::{Path, PathBuf};

use dermalia_findings::Region;
use dermalia_landmarks::{
    FaceMap, LEAST_PRESENCE, Mask, PictureFaceMap, PictureLandmarks, RgbView, canonical,
    find_on_mesh, find_on_picture,
};
use dermalia_surface::{Mesh, Vec3, norm, sub};

/// The folder of the shared test data, or `None` with a loud word.
fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("DERMALIA_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let data = root.join("data");
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED: no test data at {}", data.display());
    None
}

struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    fn view(&self) -> RgbView<'_> {
        RgbView::new(self.width, self.height, &self.rgb).unwrap()
    }

    /// A quarter turn clockwise.
    fn turned(&self) -> Self {
        let (w, h) = (self.height, self.width);
        let rgb = (0..w * h)
            .flat_map(|i| {
                let (x, y) = (i % w, i / w);
                let from = ((self.height - 1 - x) * self.width + y) * 3;
                [0, 1, 2].map(|k| self.rgb[from + k])
            })
            .collect();
        Self {
            width: w,
            height: h,
            rgb,
        }
    }
}

fn read(path: &Path) -> Picture {
    let bytes = std::fs::read(path).unwrap();
    if bytes.starts_with(b"\x89PNG") {
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes))
            .read_info()
            .unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        return Picture {
            width: info.width as usize,
            height: info.height as usize,
            rgb,
        };
    }
    let options = zune_jpeg::zune_core::options::DecoderOptions::default()
        .jpeg_set_out_colorspace(zune_jpeg::zune_core::colorspace::ColorSpace::RGB);
    let mut decoder =
        zune_jpeg::JpegDecoder::new_with_options(std::io::Cursor::new(&bytes), options);
    let rgb = decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    Picture { width, height, rgb }
}

fn distance(face: &PictureLandmarks, a: usize, b: usize) -> f32 {
    norm(sub(face.points_px[a], face.points_px[b]))
}

#[test]
fn faces_on_photographs_are_found_and_look_like_faces() {
    let Some(data) = shared() else { return };
    let photos = data.join("face_photos");
    for (name, frontal) in [
        ("astronaut.png", true),
        ("variants/Giunchedi%2C_Filippo_January_2015_01.jpg", true),
        (
            "variants/Giunchedi%2C_Filippo_January_2015_01-grayscale.jpg",
            true,
        ),
        ("800px-Guido-portrait-2014.jpg", false),
        ("Christophe_Henner_-_June_2016.jpg", false),
    ] {
        let picture = read(&photos.join(name));
        let face = find_on_picture(&picture.view()).unwrap().unwrap();
        assert!(face.presence >= LEAST_PRESENCE, "{name}");
        for p in &face.points_px {
            let inside = p[0] >= 0.0
                && p[1] >= 0.0
                && p[0] < picture.width as f32
                && p[1] < picture.height as f32;
            assert!(inside, "{name} {p:?}");
        }
        // The patient's right is at the picture's left, the brow above the chin.
        assert!(face.points_px[33][0] < face.points_px[263][0], "{name}");
        assert!(face.points_px[10][1] < face.points_px[152][1], "{name}");
        let proportion = distance(&face, 10, 152) / distance(&face, 33, 263);
        assert!((1.5..2.6).contains(&proportion), "{name} {proportion}");
        let labels = PictureFaceMap::new(&face.points_px)
            .unwrap()
            .labels(picture.width, picture.height);
        let at = |i: usize| {
            let p = face.points_px[i];
            labels[p[1] as usize * picture.width + p[0] as usize]
        };
        assert_eq!(at(9).measured(), Some(Region::Glabella), "{name}");
        assert_eq!(at(13).excluded(), Some(Mask::Lips), "{name}");
        if frontal {
            assert_eq!(at(50).measured(), Some(Region::CheekRight), "{name}");
            assert_eq!(at(280).measured(), Some(Region::CheekLeft), "{name}");
            // Pupils of adults lie 63 mm apart.
            let mm = face.mm_per_px_from_iris().unwrap() * f64::from(distance(&face, 468, 473));
            assert!((mm / 63.0 - 1.0).abs() < 0.15, "{name} {mm}");
        }
    }
}

/// A small face in a large picture, a face on its side, and the same face found twice.
#[test]
fn a_face_is_found_small_turned_and_by_any_number_of_threads() {
    let Some(data) = shared() else { return };
    let photo = read(&data.join("face_photos/astronaut.png"));
    let upright = find_on_picture(&photo.view()).unwrap().unwrap();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let again = pool.install(|| find_on_picture(&photo.view()).unwrap().unwrap());
        assert_eq!(again, upright);
    }
    let side = find_on_picture(&photo.turned().view()).unwrap().unwrap();
    let eyes = distance(&upright, 33, 263);
    for i in [1, 33, 152, 263, 61] {
        let (p, q) = (upright.points_px[i], side.points_px[i]);
        let expected = [photo.height as f32 - p[1], p[0]];
        let off = ((q[0] - expected[0]).powi(2) + (q[1] - expected[1]).powi(2)).sqrt();
        assert!(off < 0.08 * eyes, "{i} {off}");
    }
    let (w, h, left, top) = (3000, 2400, 1900, 1500);
    let mut large = Picture {
        width: w,
        height: h,
        rgb: vec![90; w * h * 3],
    };
    for y in 0..photo.height {
        let to = ((top + y) * w + left) * 3;
        let from = y * photo.width * 3;
        large.rgb[to..to + photo.width * 3]
            .copy_from_slice(&photo.rgb[from..from + photo.width * 3]);
    }
    let small = find_on_picture(&large.view()).unwrap().unwrap();
    for i in [1, 33, 152, 263, 61] {
        let (p, q) = (upright.points_px[i], small.points_px[i]);
        let (dx, dy) = (q[0] - left as f32 - p[0], q[1] - top as f32 - p[1]);
        assert!((dx * dx + dy * dy).sqrt() < 0.05 * eyes, "{i} {dx} {dy}");
    }
}

#[test]
fn what_is_no_face_is_not_taken_for_one() {
    let noise: Vec<u8> = (0..512 * 512 * 3_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    assert_eq!(
        find_on_picture(&RgbView::new(512, 512, &noise).unwrap()).unwrap(),
        None
    );
    let plain = vec![180; 300 * 200 * 3];
    assert_eq!(
        find_on_picture(&RgbView::new(300, 200, &plain).unwrap()).unwrap(),
        None
    );
    assert_eq!(
        find_on_picture(&RgbView::new(1, 1, &plain[..3]).unwrap()).unwrap(),
        None
    );
    assert_eq!(
        find_on_mesh(&Mesh::sheet(200.0, 200.0), None).unwrap(),
        None
    );
    assert_eq!(find_on_mesh(&Mesh::sheet(0.0, 0.0), None).unwrap(), None);
    let Some(data) = shared() else { return };
    let retina = read(&data.join("ridges/retina.jpg"));
    assert_eq!(find_on_picture(&retina.view()).unwrap(), None);
}

/// The Lee Perry-Smith head, 50.35 mm a unit; `v_down` as glTF means its coordinates.
fn lee_perry_smith(data: &Path, v_down: bool) -> (Mesh, Picture) {
    let folder = data.join("heads/lee_perry_smith");
    let file = std::fs::read(folder.join("LeePerrySmith.glb")).unwrap();
    let json_bytes = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&file[20..20 + json_bytes]).unwrap();
    let binary = &file[28 + json_bytes..];
    let bytes = |accessor: &serde_json::Value| {
        let a = &json["accessors"][accessor.as_u64().unwrap() as usize];
        let view = &json["bufferViews"][a["bufferView"].as_u64().unwrap() as usize];
        let start = view["byteOffset"].as_u64().unwrap_or(0) as usize;
        &binary[start..start + view["byteLength"].as_u64().unwrap() as usize]
    };
    let floats = |accessor: &serde_json::Value| -> Vec<f32> {
        bytes(accessor)
            .chunks_exact(4)
            .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
            .collect()
    };
    let part = &json["meshes"][0]["primitives"][0];
    let positions: Vec<Vec3> = floats(&part["attributes"]["POSITION"])
        .chunks_exact(3)
        .map(|p| [p[0] * 50.35, p[1] * 50.35, p[2] * 50.35])
        .collect();
    let uvs: Vec<[f32; 2]> = floats(&part["attributes"]["TEXCOORD_0"])
        .chunks_exact(2)
        .map(|t| [t[0], if v_down { 1.0 - t[1] } else { t[1] }])
        .collect();
    let corners: Vec<u32> = bytes(&part["indices"])
        .chunks_exact(2)
        .map(|c| u32::from(u16::from_le_bytes([c[0], c[1]])))
        .collect();
    let triangles: Vec<[u32; 3]> = corners
        .chunks_exact(3)
        .map(|t| [t[0], t[1], t[2]])
        .collect();
    let mesh = Mesh::new(positions, uvs, triangles.clone(), triangles).unwrap();
    (mesh, read(&folder.join("Map-COL.jpg")))
}

/// The file of this head counts v upward, against its format: read by the letter, its
/// texture is upside down, which must be noticed.
#[test]
fn a_scanned_head_is_found_with_its_texture_either_way_up() {
    let Some(data) = shared() else { return };
    let mut both = vec![];
    for v_down in [false, true] {
        let (mesh, colour) = lee_perry_smith(&data, v_down);
        let face = find_on_mesh(&mesh, Some(&colour.view())).unwrap().unwrap();
        assert_eq!(face.texture_upside_down, v_down);
        assert!(
            face.presence >= LEAST_PRESENCE && face.spread_mm < 1.5,
            "{}",
            face.spread_mm
        );
        both.push(face.points_mm);
    }
    let off: f32 = both[0]
        .iter()
        .zip(&both[1])
        .map(|(a, b)| norm(sub(*a, *b)))
        .sum::<f32>()
        / 478.0;
    assert!(off < 0.5, "{off}");
    let points = &both[0];
    let between = |a: usize, b: usize| norm(sub(points[a], points[b]));
    // Sizes of an adult's face in millimetres.
    assert!((80.0..105.0).contains(&between(33, 263)));
    assert!((110.0..160.0).contains(&between(234, 454)));
    assert!((40.0..70.0).contains(&between(61, 291)));
    assert!(points[33][0] < points[263][0] && points[152][1] < points[10][1]);
    assert!(points[1][2] > points[33][2] + 20.0, "the nose stands out");

    let (mesh, _) = lee_perry_smith(&data, false);
    let map = FaceMap::new(points).unwrap();
    let coordinates = map.coordinates(&mesh);
    let mut area = [0.0_f32; 14];
    for (t, corners) in mesh.triangles.iter().enumerate() {
        if let Some(region) = coordinates[corners[0] as usize].and_then(|c| map.label(c).region()) {
            area[region.index()] += mesh.area_mm2(t);
            // The back of the head and the ears are no region.
            assert!(mesh.corners(t)[0][2] > points[234][2].min(points[454][2]) - 20.0);
        }
    }
    for region in &Region::ALL[..13] {
        assert!(area[region.index()] > 150.0, "{region} {area:?}");
    }
    assert!(
        (2500.0..6000.0).contains(&area[Region::CheekLeft.index()]),
        "{area:?}"
    );
}

/// A head without texture, and the same head lying on its side or seen from behind.
#[test]
fn a_head_without_texture_is_found_only_with_its_face_in_front() {
    let Some(data) = shared() else { return };
    let (mut mesh, _) = lee_perry_smith(&data, false);
    let face = find_on_mesh(&mesh, None).unwrap().unwrap();
    assert!(face.spread_mm < 2.0 && !face.texture_upside_down);
    let (tip, chin) = (face.points_mm[1], face.points_mm[152]);
    assert!(tip[2] > chin[2] && tip[1] > chin[1]);
    let original = mesh.positions.clone();
    mesh.positions = original.iter().map(|p| [-p[0], p[1], -p[2]]).collect();
    assert_eq!(find_on_mesh(&mesh, None).unwrap(), None, "from behind");
    mesh.positions = original.iter().map(|p| [-p[1], p[0], p[2]]).collect();
    assert_eq!(find_on_mesh(&mesh, None).unwrap(), None, "lying");
}

#[test]
fn the_canonical_face_finds_itself() {
    let mesh = canonical().mesh();
    let Some(face) = find_on_mesh(&mesh, None).unwrap() else {
        panic!("the canonical face is a face");
    };
    let inner = [1, 4, 33, 133, 263, 362, 61, 291, 168, 0, 17];
    let off: f32 = inner
        .iter()
        .map(|&i| norm(sub(face.points_mm[i], mesh.positions[i])))
        .sum::<f32>()
        / inner.len() as f32;
    assert!(off < 6.0, "{off}");
}
