use crate::Manifest;

/// The JSON Schema of the manifest, generated from the types; published as
/// `schema/dermalia.scan-1.schema.json`.
#[must_use]
pub fn manifest_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Manifest);
    schema.insert(
        "$id".into(),
        "https://dermalia.de/schema/dermalia.scan-1.schema.json".into(),
    );
    schema.insert("title".into(), "dermalia.scan/1".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/schema/dermalia.scan-1.schema.json"
        );
        let text = serde_json::to_string_pretty(&manifest_schema()).unwrap() + "\n";
        if std::env::var_os("REGENERATE").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/schema")).unwrap();
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }

    /// Data minimisation: no object of the contract takes a field it does not name.
    #[test]
    fn every_object_is_closed() {
        fn closed(value: &serde_json::Value) -> usize {
            match value {
                serde_json::Value::Object(map) => {
                    let is_type = map.get("type").is_some_and(|t| t == "object");
                    let own = usize::from(is_type && map.contains_key("properties"));
                    if own == 1 {
                        assert_eq!(map["additionalProperties"], false, "{map:?}");
                    }
                    own + map.values().map(closed).sum::<usize>()
                }
                serde_json::Value::Array(list) => list.iter().map(closed).sum(),
                _ => 0,
            }
        }
        assert_eq!(closed(&manifest_schema()), 11);
    }
}
