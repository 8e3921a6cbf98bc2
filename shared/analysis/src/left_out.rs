//! What of a scan is not measured beside the rest of it.

use dermalia_scan::manifest::{Manifest, Space};

/// A sentence for each kind of photograph, and for the height map, that is left out where
/// pictures of one space are measured.
pub(crate) fn warnings(manifest: &Manifest, measured: Space, relief_is_used: bool) -> Vec<String> {
    let mut out = vec![];
    let has_textures = manifest.images.iter().any(|i| i.space == Space::Texture);
    // Of several in one space, who measures it tells.
    for (space, kind, why) in [
        (
            Space::Camera,
            "camera",
            if has_textures {
                "pictures in the atlas are measured instead"
            } else {
                "none shows the surface"
            },
        ),
        (
            Space::Photo,
            "unregistered",
            "the place on the measured skin is not known",
        ),
    ] {
        let images = manifest.images.iter();
        let number = images.filter(|i| i.space == space).count();
        if space != measured && number > 0 {
            let (s, were) = if number == 1 {
                ("", "was")
            } else {
                ("s", "were")
            };
            out.push(format!(
                "{number} {kind} photograph{s} {were} not measured: {why}"
            ));
        }
    }
    if let Some(relief) = manifest.relief.as_ref().filter(|_| !relief_is_used) {
        let why = match relief.space {
            Space::Photo => "it lies in a photograph that is not measured",
            Space::Texture | Space::Camera => "it lies in an atlas, and the scan has none",
        };
        out.push(format!("the relief was not used: {why}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(spaces: &[&str], relief: Option<&str>) -> Manifest {
        let images: Vec<String> = spaces
            .iter()
            .map(|space| format!(r#"{{"file": "a.png", "light": "white", "space": "{space}"}}"#))
            .collect();
        let relief = relief.map_or_else(String::new, |space| {
            format!(
                r#""relief": {{"file": "r.png", "space": "{space}", "mm_per_level": 1, "zero_level": 0}},"#
            )
        });
        serde_json::from_str(&format!(
            r#"{{"schema": "dermalia.scan/1", "scan_id": "AAAAAAAA", "practice_id": "aaa",
            "captured_at": "2026-05-14T09:31:00+02:00", "device": {{"maker": "a", "model": "b"}},
            {relief} "images": [{}], "files": []}}"#,
            images.join(",")
        ))
        .unwrap()
    }

    #[test]
    fn each_kind_that_is_not_measured_is_counted() {
        let all = manifest(&["texture", "camera", "photo", "camera"], None);
        assert_eq!(
            warnings(&all, Space::Texture, false),
            [
                "2 camera photographs were not measured: pictures in the atlas are measured instead",
                "1 unregistered photograph was not measured: the place on the measured skin is not known",
            ]
        );
        let astray = manifest(&["camera"], Some("texture"));
        assert_eq!(
            warnings(&astray, Space::Texture, true),
            ["1 camera photograph was not measured: none shows the surface"]
        );
        let alone = manifest(&["photo", "photo"], None);
        assert!(warnings(&alone, Space::Photo, false).is_empty());
    }

    #[test]
    fn a_relief_is_told_of_where_it_is_not_used() {
        let camera = manifest(&["camera"], Some("texture"));
        assert!(warnings(&camera, Space::Camera, true).is_empty());
        assert_eq!(
            warnings(&camera, Space::Camera, false),
            ["the relief was not used: it lies in an atlas, and the scan has none"]
        );
        let photo = manifest(&["texture"], Some("photo"));
        assert_eq!(
            warnings(&photo, Space::Texture, false),
            ["the relief was not used: it lies in a photograph that is not measured"]
        );
    }
}
