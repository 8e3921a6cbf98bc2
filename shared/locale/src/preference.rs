//! Which of our languages a reader prefers.

use crate::Locale;

/// No browser sends more; the rest of a longer list is not read.
const MAX_RANGES: usize = 32;

impl Locale {
    /// The language of ours that an `Accept-Language` header ranks highest
    /// (RFC 9110, section 12.5.4), the first named where several rank alike; the product's
    /// first one where it names none of them.
    #[must_use]
    pub fn preferred(accept_language: Option<&str>) -> Self {
        let mut best = (0, Self::ALL[0]);
        for range in accept_language
            .unwrap_or_default()
            .split(',')
            .take(MAX_RANGES)
        {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let locale = match tag.trim() {
                "*" => Some(Self::ALL[0]),
                tag => Self::from_tag(tag),
            };
            let weight = weight_in_thousandths(parameters);
            if let Some(locale) = locale
                && weight > best.0
            {
                best = (weight, locale);
            }
        }
        best.1
    }
}

/// The `q` parameter, 0 to 1000; 1000 if absent, 0 if it cannot be read.
fn weight_in_thousandths(parameters: &str) -> u32 {
    let Some((_, value)) = parameters
        .split(';')
        .filter_map(|p| p.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
    else {
        return 1000;
    };
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits_only = fraction.bytes().all(|b| b.is_ascii_digit());
    match whole {
        "1" if digits_only => 1000,
        "0" if digits_only && fraction.len() <= 3 => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_ranked() {
        for (header, locale) in [
            ("", Locale::De),
            ("fr", Locale::De),
            ("en", Locale::En),
            ("EN-us", Locale::En),
            ("de, en", Locale::De),
            ("en, de", Locale::En),
            ("*, en", Locale::De),
            ("en;q=0.5, *", Locale::De),
            ("de;q=0.5, en;q=0.51", Locale::En),
            ("en;q=0, de;q=0.001", Locale::De),
            ("en;q=0", Locale::De),
            ("fr, en;q=0.3", Locale::En),
            ("en;q=abc, de;q=0.1", Locale::De),
            ("eng", Locale::De),
        ] {
            assert_eq!(Locale::preferred(Some(header)), locale, "{header}");
        }
        assert_eq!(Locale::preferred(None), Locale::De);
    }
}
