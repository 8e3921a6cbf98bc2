//! Numbers, units and dates as a language writes them.

use dermalia_findings::{Measure, MeasureName, Source};
use dermalia_locale::Messages;

/// Joins a number to its unit, so that no line breaks between them.
pub(crate) const NO_BREAK: char = '\u{a0}';
const MINUS: char = '\u{2212}';

/// A number with that many decimals, in the language's own signs.
pub(crate) fn number(messages: &Messages, value: f64, decimals: usize) -> String {
    plain(messages, &format!("{value:.decimals$}"))
}

/// A number already written with a decimal point, in the language's own signs.
pub(crate) fn plain(messages: &Messages, text: &str) -> String {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (rest.bytes().any(|b| b.is_ascii_digit() && b != b'0'), rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((w, f)) => (w, Some(f)),
        None => (digits, None),
    };
    let mut out = String::new();
    if negative {
        out.push(MINUS);
    }
    let count = whole.chars().count();
    for (i, c) in whole.chars().enumerate() {
        // Four digits read better undivided, as in 1500.
        if i > 0 && count > 4 && (count - i).is_multiple_of(3) {
            out.push(messages.thousands);
        }
        out.push(c);
    }
    if let Some(f) = fraction {
        out.push(messages.decimal);
        out.push_str(f);
    }
    out
}

const fn is_fraction(name: MeasureName) -> bool {
    matches!(
        name,
        MeasureName::WrinkleAreaFraction
            | MeasureName::PoreAreaFraction
            | MeasureName::SpotAreaFraction
            | MeasureName::RedAreaFraction
    )
}

fn decimals(name: MeasureName, shown: f64) -> usize {
    let size = shown.abs();
    match name {
        MeasureName::WrinkleCount => 0,
        MeasureName::WrinkleDepthMean | MeasureName::PoreDiameterMean => 2,
        MeasureName::Ssk | MeasureName::Sku => 2,
        _ if size >= 100.0 => 0,
        _ if size > 0.0 && size < 0.1 => 3,
        _ if size > 0.0 && size < 1.0 => 2,
        _ => 1,
    }
}

/// A measured value as (number, unit); the unit may be empty.
pub(crate) fn amount(messages: &Messages, measure: &Measure) -> Option<(String, String)> {
    let value = measure.value.filter(|v| v.is_finite())?;
    Some(amount_of(messages, measure, value))
}

/// Another value of the same measure, such as an earlier one.
pub(crate) fn amount_of(messages: &Messages, measure: &Measure, value: f64) -> (String, String) {
    let computed_unit = measure.source == Source::Computed || measure.unit == measure.name.unit();
    if is_fraction(measure.name) && computed_unit && measure.unit == "1" {
        let percent = value * 100.0;
        return (
            number(messages, percent, decimals(measure.name, percent)),
            "%".to_owned(),
        );
    }
    let unit =
        (messages.unit)(&measure.unit).map_or_else(|| measure.unit.clone(), ToOwned::to_owned);
    (number(messages, value, decimals(measure.name, value)), unit)
}

/// The ends of a measure's 95 % interval as numbers of as many decimals as its value, and
/// their unit; `None` where there is none that could be told apart from the value.
fn ends(messages: &Messages, measure: &Measure) -> Option<(String, String, String)> {
    let value = measure.value.filter(|v| v.is_finite())?;
    let [low, high] = measure.interval?;
    if !(low.is_finite() && high.is_finite() && low <= value && value <= high) {
        return None;
    }
    let is_percent = amount_of(messages, measure, value).1 == "%" && measure.unit == "1";
    let factor = if is_percent { 100.0 } else { 1.0 };
    let places = decimals(measure.name, value * factor);
    let text = |v: f64| number(messages, v * factor, places);
    let (low, high) = (text(low), text(high));
    (low != high).then(|| (low, high, amount_of(messages, measure, value).1))
}

/// The interval in short, without its unit, as "2.1 to 2.5".
pub(crate) fn range(messages: &Messages, measure: &Measure) -> Option<String> {
    let (low, high, _) = ends(messages, measure)?;
    Some((messages.range)(&low, &high).replace(' ', "\u{a0}"))
}

/// The interval in a sentence.
pub(crate) fn interval(messages: &Messages, measure: &Measure) -> Option<String> {
    let (low, high, unit) = ends(messages, measure)?;
    Some((messages.interval)(&low, &joined(&(high, unit))))
}

/// Number and unit in one string that does not break.
pub(crate) fn joined((number, unit): &(String, String)) -> String {
    match unit.as_str() {
        "" => number.clone(),
        "°" => format!("{number}°"),
        _ => format!("{number}{NO_BREAK}{}", unit.replace(' ', "\u{a0}")),
    }
}

/// The calendar day of an RFC 3339 time in its own offset, or of a plain date; what is
/// neither is given back as it is.
pub(crate) fn day(messages: &Messages, text: &str) -> String {
    jiff::fmt::temporal::Pieces::parse(text).map_or_else(
        |_| text.to_owned(),
        |pieces| {
            let date = pieces.date();
            (messages.date)(date.year(), date.month(), date.day())
        },
    )
}

/// A listing in words: "a, b and c".
pub(crate) fn listing(messages: &Messages, items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{}{}{last}", head.join(", "), messages.and),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermalia_locale::Locale;

    #[test]
    fn numbers_follow_the_language() {
        let (de, en) = (Locale::De.messages(), Locale::En.messages());
        assert_eq!(number(de, 1234.5, 1), "1234,5");
        assert_eq!(number(de, 12345.6, 1), "12.345,6");
        assert_eq!(number(en, -12345.6, 1), "\u{2212}12,345.6");
        assert_eq!(number(en, -0.04, 1), "0.0");
        assert_eq!(plain(de, "0.52"), "0,52");
    }

    #[test]
    fn fractions_are_percent_and_device_units_stay() {
        let en = Locale::En.messages();
        let fraction = Measure::computed(MeasureName::RedAreaFraction, 0.0234);
        assert_eq!(joined(&amount(en, &fraction).unwrap()), "2.3\u{a0}%");
        let mut probe = Measure::computed(MeasureName::Hydration, 47.1);
        probe.unit = "AU".to_owned();
        probe.source = Source::Device;
        assert_eq!(joined(&amount(en, &probe).unwrap()), "47.1\u{a0}AU");
        let nan = Measure::computed(MeasureName::Ita, f64::NAN);
        assert_eq!(amount(en, &nan), None);
    }

    #[test]
    fn an_interval_is_written_like_its_value() {
        let de = Locale::De.messages();
        let mut spots = Measure::computed(MeasureName::SpotAreaFraction, 0.0234);
        assert_eq!(range(de, &spots), None);
        spots.interval = Some([0.0208, 0.026]);
        assert_eq!(range(de, &spots).unwrap(), "2,1\u{a0}bis\u{a0}2,6");
        assert!(
            interval(de, &spots)
                .unwrap()
                .ends_with("zwischen 2,1 und 2,6\u{a0}%.")
        );
        let mut tone = Measure::computed(MeasureName::Ita, -2.0);
        tone.interval = Some([-5.04, 1.0]);
        assert_eq!(range(de, &tone).unwrap(), "\u{2212}5,0\u{a0}bis\u{a0}1,0");
        // One that says nothing, or nonsense, is not told.
        for nothing in [
            [-2.001, -1.999],
            [f64::NAN, 1.0],
            [3.0, 4.0],
            [f64::NEG_INFINITY, 1.0],
        ] {
            tone.interval = Some(nothing);
            assert_eq!(range(de, &tone), None, "{nothing:?}");
        }
    }

    #[test]
    fn days_are_those_of_the_place_of_capture() {
        let (de, en) = (Locale::De.messages(), Locale::En.messages());
        assert_eq!(day(de, "2026-05-14T00:31:00+02:00"), "14. Mai 2026");
        assert_eq!(day(en, "2026-05-14T23:31:00-08:00"), "14 May 2026");
        assert_eq!(day(en, "2028-02-29"), "29 February 2028");
        assert_eq!(day(en, "soon"), "soon");
    }

    #[test]
    fn listings_join_with_the_word() {
        let de = Locale::De.messages();
        assert_eq!(
            listing(de, &["Stirn", "Nase", "Kinn"]),
            "Stirn, Nase und Kinn"
        );
        assert_eq!(listing(de, &["Stirn"]), "Stirn");
    }
}
