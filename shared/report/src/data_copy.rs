//! The patient's own copy of the data: the findings, word for word, with an explanation
//! of every field in every language of the report.

use dermalia_findings::{Findings, MeasureName};
use serde_json::{Map, Value, json};

use crate::{Locale, change};

/// The schema identifier of the data copy.
const SCHEMA: &str = "dermalia.data-copy/1";

/// Writes `data.json`: `about` and `fields` explain, `findings` holds the contract's
/// object unchanged.
///
/// # Errors
/// None in practice: every finding can be written as JSON.
pub fn data_copy(findings: &Findings) -> Result<Vec<u8>, serde_json::Error> {
    around(&serde_json::to_string(findings)?, None)
}

/// The data copy around findings that are JSON already: they are taken over letter for
/// letter, because a number that is read and written again can differ in its last digit.
/// With two scans, `changes` tells what the report says of both.
pub(crate) fn around(
    findings: &str,
    compared: Option<(&Findings, &Findings)>,
) -> Result<Vec<u8>, serde_json::Error> {
    let by_locale = |text: &dyn Fn(Locale) -> &'static str| -> Value {
        Locale::ALL
            .iter()
            .map(|&l| (l.tag().to_owned(), json!(text(l))))
            .collect::<Map<_, _>>()
            .into()
    };
    let mut fields = Map::new();
    for &name in MeasureName::ALL {
        fields.insert(
            name.as_str().to_owned(),
            json!({
                "parameter": name.parameter(),
                "name": by_locale(&|l| (l.messages().measure)(name).name),
                "explanation": by_locale(&|l| (l.messages().measure)(name).explanation),
            }),
        );
    }
    let mut value = json!({
        "schema": SCHEMA,
        "about": by_locale(&|l| l.messages().data_copy_about),
        "not_a_diagnosis": by_locale(&|l| l.messages().notice),
        "contact": crate::page::CONTACT,
        "fields": fields,
    });
    if let Some(changes) = compared.and_then(|(now, then)| change::copied(now, then)) {
        value["changes"] = changes;
    }
    // The explanation is laid out for reading; the findings, with thousands of numbers,
    // stay on one line.
    let mut text = serde_json::to_string_pretty(&value)?;
    text.truncate(text.trim_end_matches("\n}").len());
    text.push_str(",\n  \"findings\": ");
    text.push_str(findings.trim());
    text.push_str("\n}\n");
    Ok(text.into_bytes())
}
